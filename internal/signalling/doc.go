// Package signalling is what the two ends of a call say to each other, and when: docs/protocol.md, section
// 14. It decides and does nothing else. It is the client's; no relay may reach it.
//
//	user: Dial, Answer, Decline, HangUp, Hold, Mute, Transfer ...
//	     |
//	     v        RouteCame, StateCame, OfferCame, MessageCame, EndCame <── urgent messages 17, 21, 19, 20, 22
//	     |        KeptCame <── urgent message 25
//	   [Line] <── SessionFresh, SessionLost: of the session by which all that goes to the relay
//	     |   <── MediaHeard, MediaSent: of a call's path
//	     |   <── Tick: when the time has come that it returned last
//	     v
//	   Drain ──> [Send]: urgent messages 16, 18, 20, 22, 23 and 24 for the relay
//	         ──> [Media]: whether frames may go, and by which path
//	         ──> [KeyCame], [KeyReceived], [KeysWanted]: sender keys, which it does not look into
//	         ──> [Incoming], [Rings], [Up], [Ended] ...: for the user
//
// Whoever owns a Line calls Tick and Drain after every other method, and carries out the effects in their
// order.
//
// A call goes through these states. Its paths, one for each device that is rung, have their own (path.go).
//
//	caller   Resolving ── records came ──> Offering ── it rings ──> Ringing ──┐ an answer was chosen
//	                                                                          ├──> Up ──> Over
//	called   Alerting ── the user answers ──> Answering ── we were chosen ────┘
//	                                              ^
//	glare    Yielding ── our own call failed ─────┘
//
// From each state a call may be Over. What is over is remembered for some seconds by its paths alone, to say
// the last word again to an end that has missed it.
//
// All times are arguments, and nothing is started, so tests run in no time. A Line has no locks: it is for
// one goroutine.
//
//	line.go       what comes in, and to which call it belongs
//	call.go       states, and how a call ends
//	path.go       paths: forwards, answers, alive, last words
//	caller.go     from Dial to the chosen answer
//	called.go     from an offer to our answer; strangers, busy, glare
//	up.go         hold, mute, keys
//	recover.go    a path that is silent
//	transfer.go   consent of the third, transfer
//	missed.go     calls that a relay kept for us
//	seen.go       offers that came before, and how many come
package signalling
