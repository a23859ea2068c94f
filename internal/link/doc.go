// Package link is one authenticated connection between two programs: a session over QUIC, for the
// handshake and control messages, and sealed packets beside it, for media and whatever media waits for.
//
//	     UDP port (internal/udp)
//	first byte < 0x40 |  | >= 0x40
//	                  v  v
//	   Endpoint.sealed    quic-go ── control stream ── accept.go (relay), client.go, race.go, attempt.go
//	         |                              |
//	     attachment: keys of one QUIC connection (attachment.go)
//	         |
//	     Session: counters, replay window, address, reports, urgent messages
//	         | receive.go                        ^ send.go
//	         v                                   |
//	     Handler.Media, Urgent, Control     SendMedia, SendUrgent
//
// A session outlives its QUIC connections: whoever has its 128-bit id and its identity's key attaches
// again with a new connection, and media goes on meanwhile (docs/protocol.md, section 6). The
// files without I/O are pure and tested in virtual time: urgent.go, pace.go (how fast urgent messages
// leave), meter.go, path.go (roaming), receive_stats.go and send_stats.go (reports).
//
// What the frames are for, who may join which room and whom to send what lives above, in internal/relay
// and the root package; end-to-end encryption is not known here: a ciphertext is bytes.
package link
