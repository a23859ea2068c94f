// Package link is one authenticated connection between two programs: a session over QUIC, for the handshake
// and control messages, and sealed packets beside it, for media and whatever media waits for.
//
// Four things live here, and the names of the files say which of them each belongs to:
//
//	session*.go   what a session is, on both sides: counters, replay window, address, reports, pace, urgent messages
//	dial*.go      how a client attaches, and attaches again: attempts that race, back-off, requests
//	accept*.go    how a relay accepts: who gets a handshake at all, the Hello, control messages, peer links
//	web*.go       what a browser attaches by: WebTransport or WebSocket, and a queue for what waits in it for too long
//
// endpoint.go is the port that they share, tx.go what a goroutine sends with, and handler.go what is called
// here.
//
//	                  UDP port (internal/udp)
//	   first byte < 0x40 |    | >= 0x40
//	                     v    v
//	      Endpoint.sealed      quic-go ── ALPN wzp ── serveQUIC (relay), attempt (client) ──+
//	                     |        └────── ALPN h3 ── web_transport.go ──+                   |
//	                     |     http.Server ────────── web_socket.go ────+── webConn ────────+
//	                     v                                                   |              v
//	attachment: the keys of one connection                          packets  |   Hello, control messages
//	                     |                                                   |
//	                     +──────────────> Session.receive <──────────────────+
//	                                         |
//	   Inbound.Media, Handler.Urgent <───────+        SendMedia, SendUrgent ──> sender ──> a route: a sealed packet,
//	                                                                                       or a browser's queue
//
// Relays dial each other, too: a peer link is a session like any other, but that both sides show
// certificates, nobody joins anything, and a packet carries what several people say (docs/protocol.md,
// section 9).
//
// A relay that is no peer can be measured: a probe link (probe.go) is a session that carries pings only.
//
// A session outlives its connections: whoever has its 128-bit id and its identity's key attaches again with a
// new one, and media goes on meanwhile (docs/protocol.md, section 6).
//
// Pure, and tested in virtual time, are session_urgent.go, session_pace.go, session_narrow.go,
// session_meter.go, session_trips.go, session_roaming.go, session_reports_in.go and _out.go, the attachments
// of a session, web_queue.go and web_certificate.go.
//
// What the frames are for, who may join which room, which relays are peers and whom to send what lives above,
// in internal/relay, internal/federation and internal/call; end-to-end encryption is not known here: a
// ciphertext is bytes.
//
// Locks, in the order in which they are taken:
//
//	Client.requests     (I/O) one request is under way at a time
//	Client.mu
//	Endpoint.mu
//	Session.mu
//	webQueue.mu
//	webServer.mu
//	webCertificates.mu
//	attempt.mu
//	Resolver.mu
//	roundTrip.mu
//	handshakes.mu
//	knownAddrs.mu
//	probes.mu
//	repeats.mu
//	AddressLimiter.mu
//
// A Handler or Acceptor is called with none of them held. What has to be sent under one is put into the batch
// of a Tx, which does not leave meanwhile (Tx.Lock).
package link
