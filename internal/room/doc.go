// Package room is the SFU, the selective forwarding unit: rooms, their members, and the fan-out of each
// member's media to all others. A member is local, attached to this relay, or remote, attached to another
// one, its home; a room with remote members only is passed through.
//
//	                            Rooms (by name)
//	                              |
//	Join, JoinRemote ── entry ──> Room ── memberList: a snapshot of its members, by id, and of the local ones
//	(admission.go)                |                 |              (members.go)
//	media of one member ────── Forward ─────────────+──> Receiver.SendMedia of every other local member
//	(forward.go)                  |                 └──> Trunk.SendStream of links that want it
//	joins and leaves ───────── Flush ──────────────────> Receiver.SendUrgent of every local member (notify.go)
//	SenderKey, KeyWraps ────── of a local talker ──────> Receiver.SendUrgentThen of recipients
//	PassKey ────────────────── of a remote talker ─────> Receiver.SendUrgentThen of a local member (key_*.go)
//
// Admit says whether a frame is forwarded, and to whom: members, rooms and the relay have budgets
// (budget.go). When the relay has too much to send, of the members of one address all but a Few are left out.
//
// The trunks are set from outside (SetTrunks), for each home's part of a room: which relay wants what is no
// business of a room. Nor are the lists of other relays' members: who calls JoinRemote has checked them. What
// a remote member has to know of joins and leaves its home tells it, and its home introduces talkers to it;
// keys go to it by its Receiver, and KeyReceived says when they have come.
//
// Forwarding takes no lock, never waits, allocates nothing and never reads a ciphertext; the members and
// trunks it goes to are immutable snapshots, which joins, leaves and SetTrunks replace. Sender keys are
// passed on as they came, too: a room has nothing to decrypt them with. How a packet reaches its receiver is
// the business of internal/link, behind the Receiver interface.
//
// What there is a fixed number of, aliases and places, is shared out by where members come from, their Origin
// (package share): when it is all taken, whoever has most gives way, so that nobody mutes a room or fills it.
//
// Locks, in the order in which they are taken, before those of internal/link:
//
//	Rooms.mu
//	Room.mu
//	exchange.mu
//
// Nothing is sent and no Receiver called with one of them held, so a Receiver may call back at any time.
package room
