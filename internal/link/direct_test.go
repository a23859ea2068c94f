package link

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// nullConn takes packets, of which it keeps the last, and brings none.
type nullConn struct {
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex // guards what follows
	last  []byte
	to    netip.AddrPort
	bytes map[netip.AddrPort]int // sent to each address; nil: not counted
}

func newNullConn() *nullConn {
	return &nullConn{closed: make(chan struct{}), last: make([]byte, 0, udp.MaxPacket)}
}

func (c *nullConn) ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error) {
	<-c.closed
	return 0, netip.AddrPort{}, net.ErrClosed
}

func (c *nullConn) WriteToUDPAddrPort(p []byte, to netip.AddrPort) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.to = append(c.last[:0], p...), to
	if c.bytes != nil {
		c.bytes[to] += len(p)
	}
	return len(p), nil
}

func (c *nullConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, _, err := c.ReadFromUDPAddrPort(p)
	return n, nil, err
}

func (c *nullConn) WriteTo(p []byte, to net.Addr) (int, error) {
	return c.WriteToUDPAddrPort(p, addrPort(to))
}

func (c *nullConn) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *nullConn) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(relayAddr) }
func (c *nullConn) SetDeadline(time.Time) error      { return nil }
func (c *nullConn) SetReadDeadline(time.Time) error  { return nil }
func (c *nullConn) SetWriteDeadline(time.Time) error { return nil }

// counting is an Acceptor that counts, and checks what must hold for every call.
type counting struct {
	t     testing.TB
	media int
	binds int
	last  wire.KID // of the frame that came last
}

func (c *counting) Bind(s *Session, m *wire.Media) Inbound {
	if !m.Long || m.Tagged != s.Peer() || !m.Tagged && m.Room != (wire.RoomHash{}) {
		c.t.Errorf("bind of %+v, peer link: %v", m, s.Peer())
	}
	if m.KID%2 == 1 {
		return nil
	}
	c.binds++
	return &countingStream{Stream{KID: m.KID, Room: m.Room}, c}
}

// countingStream is a stream of a counting session.
type countingStream struct {
	Stream
	*counting
}

func (st *countingStream) Media(m *wire.Media, _ *Tx) {
	c := st.counting
	st.Seen(m.CTR)
	c.media++
	c.last = m.KID
	if m.KID != st.KID || m.Room != st.Room || len(m.Ciphertext) == 0 ||
		len(m.Ciphertext) > wire.MaxCiphertext || m.Alias >= wire.MaxAliases {
		c.t.Errorf("media %+v of stream %v", m, st.KID)
	}
}

func (c *counting) AliasAcked(s *Session, pair wire.AliasPair) { s.SetAliasKnown(pair.Alias, true) }

func (c *counting) Urgent(_ *Session, _ wire.UrgentKind, body []byte) bool {
	if len(body) > wire.MaxUrgent {
		c.t.Errorf("urgent message of %d bytes", len(body))
	}
	return true
}
func (c *counting) Accept(*Session, netip.Addr) (AcceptedHandler, *wire.Refused) { return c, nil }
func (c *counting) Control(*Session, wire.Message) wire.Message                  { return nil }
func (c *counting) Ended(*Session, wire.CloseCode)                               {}

func (c *counting) CheckPeer(identity.PublicKey, netip.AddrPort) error { return nil }
func (c *counting) AcceptPeer(*Session) (PeerHandler, *wire.Refused)   { return c, nil }

// side is one end of a session without handshake and network.
type side struct {
	ep      *Endpoint
	conn    *nullConn
	handler *counting
	session *Session
	tx      *Tx
	path    udp.Path // of the other side
}

// newSide returns the relay's end, or the client's. Their keys belong together.
func newSide(tb testing.TB, client bool) *side {
	tb.Helper()
	s := &side{conn: newNullConn(), handler: &counting{t: tb}, path: pathOf("192.0.2.1:1")}
	var err error
	if s.ep, err = NewEndpoint(udp.New(s.conn), Config{Identity: newIdentity(1), Accept: s.handler,
		Peers: s.handler}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.ep.Close() })
	s.tx = newTx(s.ep.mux.NewBatch())
	s.ep.stamp(s.tx)
	s.open(client)
	return s
}

// open makes a new session, at connection id 1 of both sides.
func (s *side) open(client bool) {
	s.session = s.ep.newSession(s.handler, [16]byte{1}, newIdentity(2).Public())
	if client {
		s.session.client = &Client{ep: s.ep, session: s.session, wakeup: make(chan string, 1),
			restarted: make(chan struct{}, 1), cancel: func(error) {}}
	}
	keys := exported{toRelay: seal.Secret{1}, toClient: seal.Secret{2}}
	s.session.install(&attachment{session: s.session, local: 1, remote: 1}, &keys, s.path, time.Now())
}

// sent returns a copy of the packet that was sent last, after a flush.
func (s *side) sent() []byte {
	s.tx.batch.Flush()
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return append([]byte(nil), s.conn.last...)
}

// media returns the two forms of a frame.
func mediaFrames(ctr uint64) (short, long []byte) {
	m := wire.Media{Alias: 3, KID: 2, CTR: ctr, Ciphertext: make([]byte, 80)}
	short = wire.AppendMedia(nil, &m, true)
	m.Long = true
	return short, wire.AppendMedia(nil, &m, true)
}

// connect makes the relay know alias 3 of the client, and the client know that.
func connect(tb testing.TB) (client, relay *side) {
	client, relay = newSide(tb, true), newSide(tb, false)
	short, long := mediaFrames(0)
	client.session.SendMedia(client.tx, 3, short, long)
	relay.ep.sealed(relay.tx.batch, client.sent(), relay.path)
	client.session.SetAliasKnown(3, true)
	if relay.handler.media != 1 {
		tb.Fatal("the first packet was not accepted")
	}
	return client, relay
}

// TestMediaPathAllocatesNothing sends, receives and handles media packets.
func TestMediaPathAllocatesNothing(t *testing.T) {
	client, relay := connect(t)
	short, long := mediaFrames(1)
	p := make([]byte, 0, udp.MaxPacket)
	once := func() {
		client.session.SendMedia(client.tx, 3, short, long)
		client.tx.batch.Flush()
		p = append(p[:0], client.conn.last...)
		relay.ep.sealed(relay.tx.batch, p, relay.path)
		relay.tx.batch.Flush()
	}
	if n := testing.AllocsPerRun(2000, once); n > 0 && !raceDetector {
		t.Errorf("%v allocations a packet", n)
	}
	if relay.handler.media != 2002 {
		t.Errorf("%d packets were handled", relay.handler.media)
	}
}

func BenchmarkSendMedia(b *testing.B) {
	client, _ := connect(b)
	short, long := mediaFrames(1)
	b.ReportAllocs()
	for b.Loop() {
		client.session.SendMedia(client.tx, 3, short, long)
	}
}

// BenchmarkReceiveMedia includes the sending of the packet: subtract BenchmarkSendMedia.
func BenchmarkReceiveMedia(b *testing.B) {
	client, relay := connect(b)
	short, long := mediaFrames(1)
	p := make([]byte, 0, udp.MaxPacket)
	b.ReportAllocs()
	for b.Loop() {
		client.session.SendMedia(client.tx, 3, short, long)
		client.tx.batch.Flush()
		p = append(p[:0], client.conn.last...)
		relay.ep.sealed(relay.tx.batch, p, relay.path)
	}
}

// everyFrame is one frame of each type, none of them the last of its packet.
func everyFrame() (frames [][]byte) {
	short, long := mediaFrames(7)
	frames = append(frames, short, long)
	m := wire.Media{Alias: 2000, CTR: 9, Ciphertext: []byte{1}}
	frames = append(frames, wire.AppendMedia(nil, &m, false))
	frames = append(frames, wire.AppendMedia(nil, trunkMedia(false, 3, "lab", 4, 9), false))
	for _, t := range []wire.FrameType{wire.FramePing, wire.FramePong, wire.FrameChallenge,
		wire.FrameResponse} {
		frames = append(frames, wire.AppendEcho(nil, t, [8]byte{1}, false))
	}
	report := wire.Report{Highest: 5, Received: 4, N: 1,
		Samples: [wire.MaxSamples]wire.Sample{{CounterBack: 1, ArrivalBack: time.Second}}}
	frames = append(frames,
		wire.AppendReport(nil, &report, false),
		wire.AppendUrgent(nil, &wire.Urgent{Number: 3, Kind: wire.UrgentMembersLeft, Message: []byte("x")},
			false),
		wire.AppendUrgentAck(nil, wire.UrgentAck{Base: 2, Bitmap: 5}, false),
		wire.AppendAliasAck(nil, []wire.AliasPair{{Alias: 1, KID: 2}, {Alias: 4095, KID: 4}}, false),
		wire.AppendFrame(nil, wire.FramePadding, make([]byte, 8), true),
		wire.AppendClose(nil, wire.CloseLeft, false))
	return frames
}

// TestFramesGoOnAfterWhatIsUnknown has frames of kinds and types to come before one that is known.
func TestFramesGoOnAfterWhatIsUnknown(t *testing.T) {
	relay := newSide(t, false)
	ping := wire.AppendEcho(nil, wire.FramePing, [8]byte{1}, false)
	for name, test := range map[string]struct {
		before    []byte
		answered  bool
		malformed uint64
	}{
		"nothing":              {nil, true, 0},
		"an unknown type":      {wire.AppendFrame(nil, 31, []byte("later"), false), true, 0},
		"repair":               {[]byte{0xc0, 2, 1, 2}, true, 0},
		"an unknown code":      {[]byte{0x80 | 31, 2, 1, 2}, true, 0},
		"a ping that is short": {[]byte{0xe1, 2, 1, 2}, false, 1},
		"a length too long":    {[]byte{0xe1, 60, 1, 2}, false, 1},
	} {
		before := relay.ep.Drops().Count(drops.Malformed)
		count := relay.session.counter.Load()
		relay.session.frames(relay.tx, append(append([]byte(nil), test.before...), ping...), relay.path)
		if got := relay.session.counter.Load() > count; got != test.answered ||
			relay.ep.Drops().Count(drops.Malformed)-before != test.malformed {
			t.Errorf("%s: answered %v, %d malformed", name, got,
				relay.ep.Drops().Count(drops.Malformed)-before)
		}
	}
	var many []byte
	for range wire.MaxFrames + 1 {
		many = append(many, ping...)
	}
	count := relay.session.counter.Load()
	relay.session.frames(relay.tx, many, relay.path)
	if n := relay.session.counter.Load() - count; n != wire.MaxFrames {
		t.Errorf("%d of 65 frames were answered, the limit is 64", n)
	}
}

// FuzzFrames handles arbitrary plaintext that a peer has sealed.
func FuzzFrames(f *testing.F) {
	for _, frame := range everyFrame() {
		f.Add(frame, false)
		f.Add(frame, true)
	}
	relay := newSide(f, false)
	f.Fuzz(func(t *testing.T, p []byte, client bool) { relay.checkFrames(t, p, client, false) })
}

// FuzzPeerFrames is FuzzFrames on a peer link.
func FuzzPeerFrames(f *testing.F) {
	for _, frame := range everyFrame() {
		f.Add(frame, false)
		f.Add(frame, true)
	}
	relay := newSide(f, false)
	f.Fuzz(func(t *testing.T, p []byte, client bool) { relay.checkFrames(t, p, client, true) })
}

// checkFrames has a new session handle frames that its peer has sealed.
func (s *side) checkFrames(t *testing.T, p []byte, client, peer bool) {
	s.handler.t = t
	s.open(client)
	session := s.session
	if peer {
		session.makePeer()
	}
	session.SendUrgent(wire.UrgentMembersLeft, nil)
	session.SendUrgent(wire.UrgentMembersLeft, nil)
	s.conn.mu.Lock()
	s.conn.bytes = make(map[netip.AddrPort]int)
	s.conn.mu.Unlock()
	other := pathOf("192.0.2.9:9")
	session.frames(s.tx, p, other)
	s.tx.batch.Flush()
	if session.path.Load().Remote == other.Remote || s.conn.bytes[other.Remote] > 0 {
		t.Error("frames alone moved the session")
	}
	if q := session.Quality(); q.Loss < 0 || q.Loss > 1 || q.RTT < 0 || q.Jitter < 0 {
		t.Errorf("quality %+v", q)
	}
	if len(session.aliases.aliases) > wire.MaxFrames || session.acked.Load() > session.counter.Load() {
		t.Errorf("%d aliases, %d of %d acknowledged", len(session.aliases.aliases), session.acked.Load(),
			session.counter.Load())
	}
	session.tick(s.tx)
	s.tx.batch.Flush()
}

// FuzzSealed handles arbitrary packets of a stranger.
func FuzzSealed(f *testing.F) {
	client := newSide(f, true)
	for _, frame := range everyFrame() {
		client.session.transmit(client.tx, frame)
		f.Add(client.sent())
	}
	f.Add(wire.AppendReset(nil, 1, [16]byte{}))
	f.Add(make([]byte, 60))
	relay := newSide(f, false)
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > udp.MaxPacket {
			return
		}
		relay.handler.t = t
		relay.open(false)
		relay.conn.mu.Lock()
		relay.conn.bytes = make(map[netip.AddrPort]int)
		relay.conn.mu.Unlock()
		stranger := pathOf("192.0.2.9:9")
		relay.ep.sealed(relay.tx.batch, append([]byte(nil), p...), stranger)
		relay.tx.batch.Flush()
		if relay.session.path.Load().Remote == stranger.Remote {
			t.Error("one packet moved the session")
		}
		if drew := relay.conn.bytes[stranger.Remote]; drew > amplification*len(p) {
			t.Errorf("%d bytes drew %d", len(p), drew)
		}
	})
}
