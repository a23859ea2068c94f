// Package federation bridges rooms of several relays: people on different relays share a room, no relay is in
// charge, and the end of one takes no other down (docs/protocol.md, section 9).
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
//	  +── inbox ──> run ──> internal/routing: who is in which part of which room, by which way ── effects, by run
//	  |            ^   |                                                         |
//	  |            |   +── announcements, wants ──> outbox ──> the peers         +──> ways: asked by media and route
//	  |            +────── our own members of global rooms
//	  +── key, keys wanted, key received: passed on by the table's next hop
//
//	bridge: does what the table decides, and ties all of the above together
//
// What decides is pure: internal/routing, backoff, liveness, dedup. What runs is Federation.run, one goroutine, which
// tells the table what peers say and carries out what follows, and links (link*): a goroutine that opens and ends
// links, and one for each peer, which dials; links.close waits for them. What is on the path of each packet is inbound,
// intake, ways and trunk: they wait for nothing and allocate nothing for a stream that is known. Whoever receives
// packets has members to serve, so it puts what a peer says into an inbox, and asks ways, which takes no lock.
//
// A peer is another operator's. Whatever comes from it is checked here, before a room sees it: entries and
// lists are signed by their members and their home, rates and numbers are bounded, and who exceeds them is
// throttled, named in the log, then cut. What a client needs does not wait for a peer: local members are
// served by internal/room alone, and go on being served when everything here fails.
//
// Not here: packets, keys of links and pacing (internal/link), fan-out and sender keys (internal/room),
// reading configuration files (cmd/wzp), and anything that decrypts: to a relay a ciphertext is bytes, on
// which a test insists.
//
// Locks, in the order in which they are taken:
//
//	Federation.configuring  (I/O) one configuration is taken at a time
//	peerLink.handing        while an urgent message is put into the inbox
//	links.mu
//	incoming.mu
//	Federation.mu           around the table; never taken where packets are received
//	outbox.mu
//	inbox.mu
//	news.mu
//	trunk.mu
//	early.mu
//	intake.mu
//	inbound.mu
//	dedups.mu
//	sharedDedup.mu
//	unknownKeys.mu
//	dialer.mu
//
// With none of them held, but the first, is anything sent, logged or done to a room.
package federation
