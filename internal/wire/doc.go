// Package wire holds the byte layouts and messages of the wzp protocol, docs/protocol.md: what is in a
// packet, not what anybody does about it. It has no state, no clock, no sockets, no locks and no cryptography
// but the signatures of package identity. It may import identity and nothing else of this module.
//
//	UDP packet, first byte 0x00-0x3f
//	  ParseHeader ── reset ──> ParseReset
//	      │ connection id, counter: DecodeCounter
//	      │ (opened elsewhere)
//	  NextFrame ──┬── media ──────> ParseMedia: alias, CTR, ciphertext
//	      ^       │                    │ (decrypted elsewhere, or forwarded)
//	      └─rest──┤                 ParsePayload: timestamp, Opus packet or silence
//	              ├── report ─────> ParseReport
//	              ├── urgent ─────> ParseUrgent ──> Parse[SenderKey], Parse[FederationRoom], ParseRelays, ...
//	              └── others ─────> ParseUrgentAck, ParseAliasAck, ParseEcho, ParseClose
//
//	control stream ── ReadMessage ──> *Hello, *Welcome, *Join, ... or *UnknownMessage
//	                                     │ entries
//	                                  ParseEntry: layout, limits and signature, or an error
//
// Each message has a file of its own: control_*.go, urgent_*.go, federation_*.go between relays, call_*.go of
// the paths of calls, route*.go of the way to who is called:
//
//	header.go, frame.go, varint.go             sealed packets and the frames in them
//	media.go, payload.go, view.go              what talkers send, outside and inside of the encryption
//	report.go, ping.go, aliasack.go, close.go  other frames
//	urgent.go                                  urgent frames, and a list of their messages, which layout.go codes
//	control.go                                 the control stream, and a list of its messages, which codec.go codes
//	signal.go, signal_consent.go, call_id.go   what the ends of a call say, encrypted, and what calls are called
//	entry.go, member.go, relayid.go, names.go  who is in a room, and what things are called
//
// # To add a message
//
// A control message (reliable, in order, JSON): a file with its struct and a method fields, which names its
// fields in order, as control_join.go has; a line in the list in control.go.
//
// An urgent message (repeated until it is acknowledged, in any order, at most 1024 bytes): a file with its
// struct and the methods kind and fields, as urgent_key_received.go has; a kind and its name in the lists in
// urgent.go.
//
// Both: docs/protocol.md first, then golden bytes in golden_test.go or control_test.go, a fuzz target, and
// who handles it. Old programs skip what they do not know, so a field can be added to a control message, but
// not to an urgent one.
//
// # Errors
//
// Encoders append to a slice and return it, and do not fail where their arguments cannot be wrong. Parsers
// never panic and return a [*FormatError] for whatever is not exactly as the document says; a body that goes
// on after its last field is an error. What a parser returns aliases its input where its comment says so.
package wire
