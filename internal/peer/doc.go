// Package peer keeps links to other relays: one with each configured peer, as far as that can be done
// (docs/protocol.md, section 9).
//
//	configuration (Config) ──> dial.go: a dialler a peer, with back-off ── link.Client ──> candidate ──+
//	                                                                                                   v
//	the peer dials ──> accept.go: is it configured, barred? ─────────────────────────────> candidate ──+
//	                                                                                                   v
//	Handler <── up, Suspect, Down ── run.go, one goroutine: which link survives, is it alive, is it to end
//	Handler <── Bind, Media, AliasAcked, Urgent ── link.go: the link that is up ── internal/link
//	Send ──> outbox.go: urgent messages wait for their turn ───────────────────────^
//
//	ProbeConfig ──> probe.go: a relay that is no peer is dialled and measured, and nothing else
//
// Two relays that dial each other make two links; both keep the same one. A link is down when its session is
// over, or when nothing was heard of the peer for 14 s; then the peer is dialled again, by who has its
// address. What goes wrong is said in the log in an operator's words, with what to do about it.
//
// backoff, liveness and swaps are pure; their owners keep the time.
//
// Not here: packets, keys and pacing of a link (internal/link); what peers say and which rooms are theirs
// (internal/routing, internal/federation).
//
// Locks, in the order in which they are taken:
//
//	Links.mu        the peers and their links; sessions' locks are taken under it
//	Probes.mu       what is measured; likewise
//	outbox.mu
//	unknownKeys.mu
//
// With none of them held is anything sent or logged, or a Handler called.
package peer
