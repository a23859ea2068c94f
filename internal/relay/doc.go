// Package relay is the server: it puts sessions, rooms, the page for browsers and the admin interface
// together.
//
//	internal/link.Endpoint ── Accept, Control ──> Relay (relay.go, session.go): who may do what
//	          |  ^
//	    Media |  | SendMedia                      admin.go, metrics.go: /healthz /readyz /metrics
//	          |  |                                api*.go: the HTTP API, of openapi.json
//	          v  |
//	    internal/room: fan-out, sender keys as they came
//	          ^
//	http*.go  | ServeWebSocket, WebCertificates: the page (package web), /connect.json, /ws, https
//
// A relay forwards ciphertext. Nothing that this package reaches may import what decrypts: that is the
// first promise as code, and a test holds it.
//
// Locks, in the order in which they are taken:
//
//	session.joining      while the session's member is made: two of its connections may ask at once
//	memberLog.mu         while it is noted in the event log, which waits for no file
//	Relay.mu
//	gate.mu
//	limitListener.mu
//	connectAnswer.mu
//	certificateDesk.mu
//	certificateFiles.mu
//	notices.mu
//	replaced.mu
//	fileGuard.mu
package relay
