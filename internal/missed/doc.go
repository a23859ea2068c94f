// Package missed keeps the offers of calls that did not reach a device, so that its user learns of them
// (docs/protocol.md, section 13.7).
//
//	Here: a device takes calls, and wants that -----> device <----- Gone: its session has ended, it is away
//	                                                   |  |
//	a forward, or an offer nobody acknowledged -- Keep-'  '-- Record: to callers who ask while it is away
//	                                                   |
//	Claim: its owner is back --> kept calls --> Delivered: forgotten
//
// The offers are sealed: who called, a relay learns no more than of other calls. All is in memory, for a day
// after the device was there, and bounded: whoever has taken most gives way (internal/share).
//
// The package is pure: it starts nothing, reads no clock, has no lock and opens nothing. Its owner has one
// goroutine at a time call it.
//
// Not here: sessions and routes (internal/federation), layouts and the checks of records (internal/wire).
package missed
