// Package wire holds the byte layouts and messages of the wzp protocol, docs/protocol.md: what is in
// a packet, not what anybody does about it. It has no state, no clock, no sockets and no
// cryptography but the signatures of package identity. It may import identity and nothing else of
// this module.
//
//	UDP packet, first byte 0x00-0x3f
//	  ParseHeader ── reset ──> ParseReset
//	      │ connection id, counter: DecodeCounter
//	      │ (opened elsewhere)
//	  NextFrame ──┬── media ──────> ParseMedia: alias, CTR, ciphertext
//	      ^       │                    │ (decrypted elsewhere)
//	      └─rest──┤                 ParsePayload: timestamp, Opus packet or silence
//	              ├── report ─────> ParseReport
//	              ├── urgent ─────> ParseUrgent ──> ParseMembersJoined, ParseMembersLeft
//	              └── others ─────> ParseUrgentAck, ParseAliasAck, ParseEcho, ParseClose
//
//	control stream ── ReadMessage ──> *Hello, *Welcome, *Join, ... or *UnknownMessage
//	                                     │ entries
//	                                  ParseEntry: layout, limits and signature, or an error
//
// Encoders append to a slice and return it, and do not fail where their arguments cannot be wrong.
// Parsers never panic and return a [*FormatError] for whatever is not exactly as the document says;
// a body that goes on after its last field is an error. What a parser returns aliases its input
// where its comment says so.
package wire
