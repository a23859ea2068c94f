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
//
// Forwarding takes no lock, never waits, allocates nothing and never looks into a ciphertext; the
// members it goes to are an immutable snapshot, which joins and leaves replace. How a packet reaches its
// receiver is the business of internal/link, behind the Receiver interface; who may join is that of
// internal/relay.
package room
