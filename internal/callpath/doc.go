// Package callpath is what a relay knows of the paths of calls that go through it: for each the two legs,
// which are peer links or sessions of clients, and the generation (docs/protocol.md, section 13). It decides;
// internal/federation carries out.
//
//	Receive: forward ──> limits ──> here? ── yes: offer, answer ──────────────> open way: leg <──> leg
//	                                  '── no: attempt: a candidate, the next ──^    |
//	         answer ───────────────────────────────'                                |
//	         message ── from one leg to the other <─────────────────────────────────+
//	            '── to a session that has not spoken on the path: early, in turns
//	         end, Down ── the other leg is told, the path is forgotten <────────────+
//	         call media ── a leg waits, or takes another's place
//	Tick: who is silent, what is idle
//	                                  Drain ──> effects: what to send, whose media goes where, events
//
// A path may have an open way and, with a higher generation, an attempt at another one: the old goes on until
// the new one stands. Forwards and proofs are signed by the path's key, so only its two ends move it;
// answers, messages and ends count only from who is a leg.
//
// The package is pure: it has no goroutine, no clock and no lock, and opens nothing. Its owner has one
// goroutine at a time call it.
//
// What comes is hostile: relays may lie, and clients may flood. Nothing grows above the limits. Places are
// shared out by peer links and address blocks: whoever holds most gives way (package share); so is the rate
// of forwards (package budget). Who leaves is remembered until it may do again what one that is new may.
//
// Not here: which peer leads where (a [Directory]), links and media (internal/federation), layouts
// (internal/wire).
package callpath
