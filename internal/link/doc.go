// Package link is one authenticated connection between two programs: a session over QUIC, for the
// handshake and control messages, and sealed packets beside it, for media and whatever media waits for.
//
//	     UDP port (internal/udp)
//	first byte < 0x40 |  | >= 0x40
//	                  v  v
//	   Endpoint.sealed    quic-go ── control stream ── accept.go, control.go (relay), client.go, race.go, attempt.go
//	         |                              |
//	     attachment: keys of one QUIC connection (attachment.go)
//	         |
//	     Session: counters, replay window, address, reports, urgent messages
//	         | receive.go                        ^ send.go
//	         v                                   |
//	     Inbound.Media, Handler.Urgent      SendMedia, SendUrgent
//
// Browsers attach to the same Sessions, over what they have. There the connection carries the packets, too, which
// are not sealed, behind a queue of ours, for what would wait in it for too long:
//
//	QUIC with ALPN h3 ── web_transport.go ──+
//	                                        +──> web.go: Hello, packets; control messages: control.go
//	an http.Server ── web_socket.go ────────+       |                                ^
//	                                   web_session.go: receiveWeb              web_queue.go
//	                                                v                                |
//	                                             Session                   send.go: a route to a browser
//
// Relays dial each other, too: a peer link is a session like any other, but that both sides show certificates,
// nobody joins anything, and a packet carries what several people say (docs/protocol.md, section 9):
//
//	Client of the one relay                                   Endpoint of the other
//	ClientConfig.Peer ── mutual TLS, server name _federation ── peer.go: PeerAcceptor.CheckPeer, AcceptPeer
//	                  ── tagged media: Session.SendPacket ────> receive.go: Handler.Bind, Inbound.Media
//	                  <──────────────────────────────────────
//
// A session outlives its QUIC connections: whoever has its 128-bit id and its identity's key attaches
// again with a new connection, and media goes on meanwhile (docs/protocol.md, section 6). The
// files without I/O are pure and tested in virtual time: urgent.go, pace.go (how fast urgent messages
// leave, of clients and of peers), meter.go, path.go (roaming), receive_stats.go and send_stats.go (reports), web_queue.go and
// web_certificate.go (what browsers are shown).
//
// What the frames are for, who may join which room, which relays are peers and whom to send what lives above, in
// internal/relay, internal/federation and the root package; end-to-end encryption is not known here: a ciphertext is bytes.
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
//	addressLimiter.mu
//
// A Handler or Acceptor is called with none of them held. What has to be sent under one is put into the batch of a Tx, which
// does not leave meanwhile (Tx.Lock).
package link
