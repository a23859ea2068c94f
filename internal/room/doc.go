// Package room is the SFU, the selective forwarding unit: rooms, their members, and the fan-out of each
// member's media to all others.
//
//	                        Rooms (by name)
//	                          |
//	Join ── entry ──────> Room ── snapshot of members, sorted by id
//	                          |            |
//	media of one member ── Forward ────────+──> Receiver.SendMedia of every other
//	                          |
//	joins and leaves ───── Flush ─────────────> Receiver.SendUrgent of every member
//	sender key, wraps ──── SenderKey, KeyWraps > Receiver.SendUrgentThen of those whom the wraps are for
//
// Forwarding takes no lock, never waits, allocates nothing and never looks into a ciphertext; the
// members it goes to are an immutable snapshot, which joins and leaves replace. Sender keys are passed on
// as they came, too (exchange.go, keys.go, wanted.go): a room has nothing to open them with. How a packet
// reaches its receiver is the business of internal/link, behind the Receiver interface; who may join is that
// of internal/relay.
//
// Locks are taken in this order: Room.telling, Rooms.mu, Room.mu, exchange.mu. Only the first is held while something is
// sent, so a Receiver may call back, or have its member leave, at any time.
package room
