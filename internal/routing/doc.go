// Package routing is a relay's routing table: which relays have members in which room, who these are, by
// which peer they are reached, and which peer wants whose media (docs/protocol.md, section 9).
//
//	Up, Down, Suspect ------> peer ---- adjacency: one part on one link, what the peer said and was told
//	                                        |
//	Receive: room, leave -----> route ------+--> part: its best way ---> announced to the other peers
//	         its changes -----> content --------> part: who is in it --> Members
//	         list, fetch -----> content_fetch -----> |
//	         want ------------> wants ---------------+--> a want to the best peer, Trunks, Reach
//	SetLocal: our members ----> own ----------------->
//	Tick: the time
//	                                  Drain ---> effects: what to send, and whom to tell
//
// A part is one relay's own members of a room, ours included. Whatever changes ends in update, which makes
// all that follows true again; so no path through this code has to remember what follows.
//
// The package is pure: it has no goroutine, no clock and no lock, and opens nothing. Time is an argument, and
// what is to be done is returned by Drain. Its owner has one goroutine at a time call it.
//
// Whatever peers say is hostile: nothing grows above the limits, records are signed by their homes and
// entries by their members, and who brings what is not so is named in a Problem.
//
// Not here: links to peers (internal/peer), rooms and media (internal/federation), and layouts
// (internal/wire).
package routing
