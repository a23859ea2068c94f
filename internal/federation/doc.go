// Package federation bridges rooms of several relays: people on different relays share a room, no relay is in charge,
// and the end of one takes no other down (docs/protocol.md, section 9).
//
//	         another relay                                            our members
//	               | one link.Session a peer                               |
//	               v                                                       v
//	links: dial and accept, one link survives, alive or not        internal/room.Rooms
//	  |  |                                                            ^     |   ^
//	  |  |  media   intake: limits of the peer and the room           |     |   |
//	  |  +────────> inbound: dedup, each counter once in 2 s ── Forward     |   | JoinRemote, Leave, SetTrunks
//	  |                                                              |      |   |
//	  |             trunk: frames of all streams in shared packets <─+──────+   |
//	  |  <───────────────┘   other peers, that want this part                   |
//	  |                                                                         |
//	  |  urgent                                                                 |
//	  +────────> table: who is in which part of which room, by which path ── effects
//	  |            ^   |
//	  |            |   +── announcements, wants ──> outbox ──> the peers
//	  |            +────── our own members of global rooms
//	  +── key, keys wanted, key received: passed on by the table's next hop
//
//	bridge: holds one lock around the table, and ties all of the above together
//
// Three kinds of things live here. What decides is pure, without goroutine, clock or lock: table (its files are table*,
// record*, route*, content*, wants), backoff, liveness, dedup. What runs is links (link*), the only part with long-lived
// goroutines: one that opens and ends links, and one for each peer, which dials; links.close waits for them. What is on the path of
// each packet is inbound, intake and trunk: they wait for nothing and allocate nothing for a stream that is known.
//
// A peer is another operator's. Whatever comes from it is checked here, before a room sees it: entries and lists are
// signed by their members and their home, rates and numbers are bounded, and who exceeds them is throttled, named in
// the log, then cut. What a client needs does not wait for a peer: local members are served by internal/room alone, and
// go on being served when everything here fails.
//
// Not here: packets, keys of links and pacing (internal/link), fan-out and sender keys (internal/room), reading
// configuration files (cmd/wzp), and anything that decrypts: to a relay a ciphertext is bytes, on which a test insists.
//
// Locks, in the order in which they are taken:
//
//	Federation.configuring  (I/O) one configuration is taken at a time
//	peerLink.handing        (I/O) while an urgent message is handed on
//	links.mu
//	incoming.mu
//	Federation.mu           (I/O) so far: messages are sent with it held
//	outbox.mu               (I/O) so far
//	trunk.mu
//	early.mu
//	intake.mu
//	inbound.mu
//	dedups.mu
//	sharedDedup.mu
//	unknownKeys.mu
//	dialer.mu
package federation
