// Package presence knows who can be called, and at which relay (docs/protocol.md, sections 11
// and 12).
//
//	Connect, Available, Unavailable, Disconnect --> registry: our own clients ----> Local, List, LookUp
//	                                                    |
//	Up, Down, Word ----------> peer                     v  who takes calls
//	Receive: what a peer says ---> home: who takes calls at another relay --------> Ways, List, LookUp
//	                                                    |
//	Tick: the time                                      v  what each peer may know
//	                               Drain ---> effects: what to send, and what is wrong
//
//	Ask, Receive: queries ---> Resolver: routes to who can be called, hop by hop ---> Resolved, NextHops
//
// All that it knows of other relays are claims, which serve as hints: whoever calls asks for the called's own
// signed record, and a claim without one is passed over for the next.
//
// The package is pure: it has no goroutine, no clock and no lock, and opens nothing. Time is an argument, and
// what is to be done is returned by Drain. Its owner has one goroutine at a time call it.
//
// Not here: links to peers (internal/peer), sessions (internal/relay), the checks of reach records and
// layouts (internal/wire).
package presence
