// Package federation bridges rooms of several relays: people on different relays share a room, no relay is in
// charge, and the end of one takes no other down (docs/protocol.md, section 9).
//
//	         another relay                                            our members
//	               | internal/peer: one link a peer                      |
//	               v                                                     v
//	livePeer: who uses the link                                    internal/room.Rooms
//	  |  |                                                          ^     |   ^
//	  |  |  media   intake: limits of the peer and the room         |     |   |
//	  |  +────────> inbound: dedup, each counter once in 2 s ── Forward   |   | JoinRemote, Leave, SetTrunks
//	  |                                                            |      |   |
//	  |             trunk: frames of all streams share packets <───+──────+   |
//	  |  <───────────────┘   other peers, that want this part                 |
//	  |  urgent                                                               |
//	  +── inbox ──> run ──> internal/routing: who is where, and the way there |
//	  |            ^   +<── what follows: announcements, wants, members ──────+
//	  |            |   +──> ways: asked by media and messages about keys
//	  |            +────── our own members of global rooms
//	  +── key, keys wanted, key received: passed on by the way of the part
//
// run is one goroutine: it alone tells the table something, carries out what follows, and changes bridged
// rooms; so that is done in order and without a lock. What is on the path of each packet is inbound, intake,
// ways and trunk: they wait for nothing, and allocate nothing for a stream that is known. Whoever receives
// packets has members to serve, so it puts what a peer says into an inbox, and asks ways, which takes no
// lock.
//
// Paths of calls (internal/callpath) go beside that, in files of their own, call*.go: see calls.
//
// A peer is another operator's. Whatever comes from it is checked here, before a room sees it: entries and
// lists are signed by their members and their home, rates and numbers are bounded, and who exceeds them is
// throttled, named in the log, then cut. What a client needs does not wait for a peer: local members are
// served by internal/room alone, and go on being served when everything here fails.
//
// Not here: links and their packets (internal/peer, internal/link), routes (internal/routing), fan-out and
// sender keys (internal/room), reading configuration files (cmd/wzp), and anything that decrypts: to a relay
// a ciphertext is bytes, on which a test insists.
//
// Locks, in the order in which they are taken:
//
//	incoming.mu
//	Federation.mu           around the table; never taken where packets are received
//	inbox.mu
//	lines.mu
//	news.mu
//	sessionNews.mu
//	routeAsks.mu
//	trunk.mu
//	early.mu
//	callDirection.mu
//	callAliases.mu
//	intake.mu
//	dedups.mu
//
// With none of them held is anything sent, logged or done to a room.
package federation
