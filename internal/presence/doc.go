// Package presence knows who can be called, and at which relay (docs/protocol.md, sections 11
// and 12).
//
//	Connect, Available, Unavailable, Disconnect --> registry: our own clients ----> Local, List, LookUp
//	                                                    |
//	Up, Down, Word ----------> peer                     v  who takes calls
//	Receive: what a peer says ---> home: who takes calls at another relay --------> Ways, List, LookUp
//	                                                    |
//	Tick: the time                                      v  what each peer may know
//	        telling: each peer, each home      Drain ---> effects: what to send, and what is wrong
//
// A home is told to a peer like this; the numbers are of urgent messages:
//
//	40 home: key, path, version, state ------------------------------------> route, of that peer
//	                                                                           | the best of the home: do we
//	   compare: of the ranges that differ <---- 43 compare: salt, sums --------+ hold that version? No
//	44 contents: from here to there exactly these -------------------------> hashes
//	42 news: left, came, state; batched for 200 ms ------------------------> hashes; the state has to agree
//	41 gone ---------------------------------------------------------------> the next best route
//
// The messages of a link are read in their order, by serial. So all that is said of a home goes on from what
// was said before, and contents may be told piece by piece while it changes.
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
