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
//	      ^       │                    │ (decrypted elsewhere, or forwarded)
//	      └─rest──┤                 ParsePayload: timestamp, Opus packet or silence
//	              ├── report ─────> ParseReport
//	              ├── urgent ─────> ParseUrgent ──┬─> ParseMembersJoined, ParseSenderKey, ParseRelays, ...
//	              │                               └─> between relays: ParseFederationRoom, ParseFederationMessage, ...
//	              └── others ─────> ParseUrgentAck, ParseAliasAck, ParseEcho, ParseClose
//
//	control stream ── ReadMessage ──> *Hello, *Welcome, *Join, ... or *UnknownMessage
//	                                     │ entries
//	                                  ParseEntry: layout, limits and signature, or an error
//
// Each file has one layout or a few that belong together:
//
//	header.go, frame.go, varint.go             sealed packets and the frames in them
//	media.go, payload.go, view.go              what talkers send, outside and inside of the encryption
//	report.go, ping.go, aliasack.go, close.go  other frames
//	urgent.go                                  urgent frames, and all kinds of messages in them:
//	  urgent_members.go, senderkey.go, relays.go
//	  federation_room.go, federation_record.go, federation_routes.go, federation_members.go,
//	  federation_message.go, relayid.go        between relays
//	message.go, codec.go, json.go              the control stream, and its messages: hello.go, join.go, ...
//	entry.go, member.go, names.go              who is in a room
//
// Encoders append to a slice and return it, and do not fail where their arguments cannot be wrong.
// Parsers never panic and return a [*FormatError] for whatever is not exactly as the document says;
// a body that goes on after its last field is an error. What a parser returns aliases its input
// where its comment says so.
package wire
