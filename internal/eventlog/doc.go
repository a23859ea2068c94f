// Package eventlog writes and reads event logs, and says what became of the packets in them: one JSON object
// a line for each decision about a packet and each change of who is there. docs/event-log.md describes the
// format.
//
//	relay, client ── Log ──> 65,536 events ── run ──> FILE ── rotate ──> FILE.1, FILE.2, ...
//	(any goroutine, never    (full: the event is     (one goroutine,
//	 waits, allocates         dropped, counted,       many lines a write)
//	 nothing)                 and the log says so)
//
//	FILE... of relays and clients ── Find, Read ──> Analysis ── Report ──> hops, deliveries, links, verdict
//
// The package knows nothing of how packets are made, sent or decrypted: ids are plain bytes, so that every
// other package may use it and it imports none of this module.
package eventlog
