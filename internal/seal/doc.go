// Package seal protects the packets of one hop: it turns frames into sealed packets
// and back (docs/protocol.md, section 3).
//
//	frames ──> Sealer.Seal(counter) ──> packet ~~~> Opener.Open ──> Window.Mark ──> frames
//	           key of counter>>24                   same key         each counter once
//
// It holds keys, the schedule of key generations, the replay window and the reset token, and nothing
// that sends, waits or reads a clock. Which connection a packet belongs to, and what its frames mean,
// is the business of internal/link; end-to-end encryption is that of internal/e2ee.
//
// Locks, in the order in which they are taken:
//
//	Sealer.mu
package seal
