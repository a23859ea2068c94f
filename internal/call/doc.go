// Package call is the call engine: it joins a room on a relay, publishes what a source captures, and plays
// what the others say. The package at the root is its public face, with
// types of its own.
//
//	client, err := call.NewClient("relay.example:4433", call.Config{Identity: id, KnownRelays: known})
//	room, err := client.Join(ctx, "kitchen", call.JoinConfig{})
//	room.Publish(microphone, call.PublishConfig{})
//	room.Play(ctx, call.PlayConfig{Mix: speaker})
//
// How sound flows:
//
//	Source ─ Publication: Opus ─ SFrame ─> internal/link ~~~ relay ~~~> internal/link
//	         (publish.go)                                                    |
//	Sink <─ Play: mixer <─ Stream: jitter buffer, Opus <─ SFrame <───────────+
//	        (play.go)      (stream.go)                  (receive.go)
//
// Everything is encrypted between the members; relays forward ciphertext. Keys go another way than sound:
//
//	Talker ── header, wraps ─> urgent messages ~~~ relay ~~~> urgent messages ──> Listener
//	(keys.go)                                                  frames that came before it are held (held.go)
//
// Who is in the room is what signed entries say (roster.go); the safety number is what people compare.
//
// Sound is mono float32 at 48 kHz everywhere. Servers never import this package.
//
// Locks, in the order in which they are taken:
//
//	hearing.mu      what is heard, while a frame is opened and put into the jitter buffer
//	Room.mu         who publishes
//	roster.mu
//	keeper.talking  while the talker's keys change; nothing of this package is called meanwhile
//	keeper.mu
//	outstanding.mu
//	people.mu
//	events.mu
//	Client.mu
//
// Nothing is sent with one of them held.
package call
