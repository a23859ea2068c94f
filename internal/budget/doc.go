// Package budget shares bytes a second out, so that who sends much takes nothing from who sends little. It
// decides about media and nothing else; what a packet is, and whom to tell that one was dropped, is its
// caller's. So is the unit: where it says bytes, a relay that shares out the packets that it sends counts
// these.
//
//	frame ── Bucket: what one member may send ── Pool: what all of a room, or of a link, may ──> forwarded
//
// It is pure: times are arguments, on a clock that never goes back, and nothing is opened, started or sent.
//
// Locks, in the order in which they are taken:
//
//	Pool.mu
package budget
