// Package call is the call engine: it joins a room on a relay, publishes what a source captures, and plays
// what the others say. The package at the root is its public face, with types of its own. Servers never
// import it.
//
//	client, err := call.NewClient("relay.example:4433", call.Config{Identity: id, KnownRelays: known})
//	room, err := client.Join(ctx, "kitchen", call.JoinConfig{})
//	room.Publish(microphone, call.PublishConfig{})
//	room.Play(ctx, call.PlayConfig{Mix: speaker})
//
// A join is a straight line (join.go): the handshake with the relay returns who is told of what, and the room
// is built from that, whole. A Room puts parts together that do not know it:
//
//	roster    who is in the room, as signed entries say (roster.go, roster_fetch.go)
//	keeper    our keys, the others', what all see, safety number (keys.go, hand_out.go, view.go, safety.go)
//	hearing   what is heard: talkers, streams, frames without keys (streams.go, talker.go, told.go, held.go,
//	          decoders.go)
//	sender    what is sent (send.go)
//	arrivals  whether names are known (names.go)
//
// How sound flows:
//
//	Source ─ Publication: Opus ─ sender: SFrame ─> internal/link ~~~ relay ~~~> internal/link
//	         (publish.go, hand.go) (send.go)                                         |
//	Sink <─ Play: mixer <─ Stream: jitter buffer, Opus <─ hearing: SFrame <──────────+
//	        (play.go)      (stream.go, decoders.go)           (talker.go)
//
// A direct call is a room, too, for two, of which no relay knows. A Line (line.go) is how a client calls and
// is called; what the ends say to each other package signalling decides, and when a call is up its room is
// carried by the call's path instead of a session of its own (bearer.go, call_room.go, call_keys.go):
//
//	user ── Call, Answer ─> Line ── urgent messages ~~~ relays ~~~ Line of the other ── up ─> Room
//
// Everything is encrypted between the members; relays forward ciphertext. Keys go another way than sound:
//
//	keeper ── header, wraps ─> urgent messages ~~~ relay ~~~> receive.go ──> keeper ──> Listener
//	                                       frames that came before it are held (held.go) <──+
//
// Sound is mono float32 at 48 kHz everywhere.
//
// Locks, in the order in which they are taken:
//
//	hearing.mu      what is heard, while a frame is decrypted and put into the jitter buffer
//	Room.mu         who publishes
//	Line.mu         the calls, and what is decided of them; nothing of this package is called meanwhile
//	lineInbox.mu
//	roster.mu
//	keeper.talking  while the talker's keys change; nothing of this package is called meanwhile
//	keeper.mu
//	outstanding.mu
//	callKeys.mu
//	sender.mu
//	arrivals.mu
//	eventQueue.mu
//	nameBook.mu
//	Client.mu
//
// Nothing is sent with one of them held.
package call
