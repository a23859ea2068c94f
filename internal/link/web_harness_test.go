package link

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/quic-go/webtransport-go"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

const goodOrigin = "https://pages.example"

// webLab is a relay on loopback that browsers may attach to, in real time: TCP knows no other.
type webLab struct {
	t     testing.TB
	key   *identity.Identity // the relay's
	relay *Endpoint
	sfu   *sfu
	http  *httptest.Server // /ws
	hosts int
}

func newWebLab(t testing.TB, config Config) *webLab {
	t.Helper()
	l := &webLab{t: t, key: newIdentity(200), sfu: newSFU()}
	mux, err := udp.Listen("127.0.0.1:0", 1)
	if err != nil {
		t.Fatal(err)
	}
	config.Identity, config.Version, config.Accept = l.key, "test relay", l.sfu
	config.Web = &WebConfig{
		CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == goodOrigin },
		Names: func(*http.Request) []string {
			return []string{strings.TrimPrefix(l.http.URL, "http://")}
		},
		Trouble: func(*http.Request, WebTrouble) {},
	}
	if l.relay, err = NewEndpoint(mux, config); err != nil {
		t.Fatal(err)
	}
	l.http = httptest.NewServer(http.HandlerFunc(l.relay.ServeWebSocket))
	t.Cleanup(l.http.Close)
	t.Cleanup(func() { l.relay.Close() })
	return l
}

// browser is a client of the protocol of section 8, with nothing but what a test needs.
type browser struct {
	lab     *webLab
	id      *identity.Identity
	session [16]byte
	control webControl
	packets webPackets
	binding []byte
	close   func()

	welcome *wire.Welcome
	counter uint64
	recorder
	gone chan struct{} // closed when no more packets come

	mu     sync.Mutex // guards what follows
	frames []wire.Frame
}

type webControl interface {
	write(m wire.Message) error
	read() (wire.Message, error)
}

type webPackets interface {
	send(p []byte) error
	receive() ([]byte, error)
}

func (l *webLab) browser() *browser {
	l.hosts++
	b := &browser{lab: l, id: newIdentity(byte(l.hosts))}
	rand.Read(b.session[:])
	return b
}

// again returns a browser with the same session and the counters that follow.
func (b *browser) again() *browser {
	return &browser{lab: b.lab, id: b.id, session: b.session, counter: b.counter}
}

func (b *browser) kid() wire.KID { return wire.MakeKID(wire.MemberID{5: b.id.Public()[0]}, 0, 0) }

// wtClient is the client's end of WebTransport.
type wtClient struct {
	session *webtransport.Session
	stream  *webtransport.Stream
}

func (c *wtClient) write(m wire.Message) error  { return writeMessage(c.stream, m) }
func (c *wtClient) read() (wire.Message, error) { return wire.ReadMessage(c.stream) }
func (c *wtClient) send(p []byte) error         { return c.session.SendDatagram(p) }
func (c *wtClient) receive() ([]byte, error)    { return c.session.ReceiveDatagram(c.session.Context()) }

func (l *webLab) transportURL() string {
	return "https://" + l.relay.LocalAddr().String() + transportPath
}

// openTransport connects without a word.
func (b *browser) openTransport(origin, url string) error {
	var shown [32]byte
	d := &webtransport.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true,
		NextProtos:         []string{"h3"},
		VerifyConnection: func(state tls.ConnectionState) error {
			shown = sha256.Sum256(state.PeerCertificates[0].Raw)
			return nil
		},
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, session, err := d.Dial(ctx, url, http.Header{"Origin": {origin}})
	if err != nil {
		return err
	}
	b.close = func() { session.CloseWithError(0, ""); <-session.Context().Done() }
	b.lab.t.Cleanup(b.close)
	stream, err := session.AcceptStream(ctx)
	if err != nil {
		return err
	}
	c := &wtClient{session, stream}
	b.control, b.packets, b.binding = c, c, shown[:]
	return nil
}

// wsClient is the client's end of a WebSocket.
type wsClient struct {
	conn    *websocket.Conn
	texts   chan []byte
	packets chan []byte
}

func (c *wsClient) loop() {
	defer close(c.texts)
	defer close(c.packets)
	for {
		kind, p, err := c.conn.Read(context.Background())
		switch {
		case err != nil:
			return
		case kind == websocket.MessageText:
			c.texts <- p
		default:
			select {
			case c.packets <- p:
			default:
			}
		}
	}
}

func (c *wsClient) write(m wire.Message) error {
	p, err := wire.AppendMessage(nil, m)
	if err != nil {
		return err
	}
	return c.conn.Write(context.Background(), websocket.MessageText, p[4:])
}

func (c *wsClient) read() (wire.Message, error) {
	p, ok := <-c.texts
	if !ok {
		return nil, errors.New("closed")
	}
	return wire.ParseMessage(p)
}

func (c *wsClient) send(p []byte) error {
	return c.conn.Write(context.Background(), websocket.MessageBinary, p)
}

func (c *wsClient) receive() ([]byte, error) {
	p, ok := <-c.packets
	if !ok {
		return nil, errors.New("closed")
	}
	return p, nil
}

func (b *browser) dialSocket(origin string, client *http.Client) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, b.lab.http.URL+"/ws", &websocket.DialOptions{
		HTTPClient:   client,
		Subprotocols: []string{"wzp"},
		HTTPHeader:   http.Header{"Origin": {origin}},
	})
	return conn, err
}

// openSocket connects without a word.
func (b *browser) openSocket(origin string) error {
	conn, err := b.dialSocket(origin, nil)
	if err != nil {
		return err
	}
	conn.SetReadLimit(1 << 17)
	c := &wsClient{conn: conn, texts: make(chan []byte, 16), packets: make(chan []byte, 1024)}
	done := make(chan struct{})
	go func() { defer close(done); c.loop() }()
	b.close = func() { conn.CloseNow(); <-done }
	b.lab.t.Cleanup(b.close)
	b.control, b.packets = c, c
	b.binding = []byte(strings.TrimPrefix(b.lab.http.URL, "http://"))
	return nil
}

// hello reads the Greeting, says Hello and returns the answer.
func (b *browser) hello() (wire.Message, error) {
	m, err := b.control.read()
	if err != nil {
		return nil, err
	}
	greeting, ok := m.(*wire.Greeting)
	if !ok || greeting.Relay != b.lab.key.Public() {
		return nil, errors.New("no greeting")
	}
	value := wire.WebHelloValue(greeting.Challenge, b.binding)
	hello := &wire.Hello{Name: "browser", Client: "test", Session: b.session, ConnID: 1}
	hello.Sign(b.id, value[:], greeting.Relay)
	if err := b.control.write(hello); err != nil {
		return nil, err
	}
	if m, err = b.control.read(); err != nil {
		return nil, err
	}
	if welcome, ok := m.(*wire.Welcome); ok && (welcome.Signature == nil || !identity.Verify(
		greeting.Relay, "web welcome", welcome.Signature[:], value[:], b.session[:], hello.Identity[:])) {
		return nil, errors.New("the relay did not prove its key")
	}
	return m, nil
}

// join says Hello and Join, and begins to receive.
func (b *browser) join() {
	b.lab.t.Helper()
	m, err := b.hello()
	if err != nil {
		b.lab.t.Fatal(err)
	}
	var ok bool
	if b.welcome, ok = m.(*wire.Welcome); !ok {
		b.lab.t.Fatalf("%+v instead of a Welcome", m)
	}
	entry, err := wire.SignEntry(b.id, wire.MemberEntry{Room: "lab", HomeRelay: b.lab.key.Public()})
	if err != nil {
		b.lab.t.Fatal(err)
	}
	if err := b.control.write(&wire.Join{Room: "lab", Entry: entry}); err != nil {
		b.lab.t.Fatal(err)
	}
	if m, err := b.control.read(); err != nil {
		b.lab.t.Fatal(err)
	} else if _, ok := m.(*wire.Joined); !ok {
		b.lab.t.Fatalf("%+v instead of Joined", m)
	}
	b.streams, b.gone = make(map[wire.KID]*heard), make(chan struct{})
	go b.listen()
}

// listen notes what comes.
func (b *browser) listen() {
	defer close(b.gone)
	aliases := make(map[uint16]wire.KID)
	for {
		p, err := b.packets.receive()
		if err != nil {
			return
		}
		_, rest, err := wire.ParseWebPacket(p)
		for err == nil && len(rest) > 0 {
			var f wire.Frame
			if f, rest, err = wire.NextFrame(rest); err != nil {
				break
			}
			if m, e := wire.ParseMedia(f); f.IsMedia() && e == nil {
				if m.Long {
					aliases[m.Alias] = m.KID
				}
				b.note(aliases[m.Alias], m.CTR)
			}
			b.mu.Lock()
			b.frames = append(b.frames, f)
			b.mu.Unlock()
		}
	}
}

// got counts frames of a type.
func (b *browser) got(t wire.FrameType) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.frames {
		if f.Kind == wire.KindTyped && f.Type == t {
			n++
		}
	}
	return n
}

// sendFrames sends a packet with the next counter.
func (b *browser) sendFrames(frames []byte) {
	b.lab.t.Helper()
	if err := b.packets.send(wire.AppendWebPacket(nil, b.counter, frames)); err != nil {
		b.lab.t.Fatal(err)
	}
	b.counter++
}

// say sends media frames, in the long form.
func (b *browser) say(from, n uint64) {
	for ctr := from; ctr < from+n; ctr++ {
		m := wire.Media{Long: true, Alias: 2, KID: b.kid(), CTR: ctr, Ciphertext: make([]byte, 80)}
		b.sendFrames(wire.AppendMedia(nil, &m, true))
	}
}

func (b *browser) ping() {
	b.sendFrames(wire.AppendEcho(nil, wire.FramePing, [8]byte{1}, true))
}

// native returns a client that speaks QUIC and sealed packets.
func (l *webLab) native() *person {
	l.t.Helper()
	helper := &lab{t: l.t, key: l.key, hosts: 100 + l.hosts}
	l.hosts++
	p := helper.someone()
	mux, err := udp.Listen("127.0.0.1:0", 1)
	if err != nil {
		l.t.Fatal(err)
	}
	if p.ep, err = NewEndpoint(mux, Config{Identity: p.id, Version: "test client"}); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { p.ep.Close() })
	p.config.Resolve = resolveTo(netip.MustParseAddrPort(l.relay.LocalAddr().String()))
	if err := p.join(time.Minute); err != nil {
		l.t.Fatal(err)
	}
	return p
}

func (l *webLab) sessionOf(b *browser) *Session {
	l.t.Helper()
	for _, s := range l.sfu.sessions() {
		if s.Identity() == b.id.Public() {
			return s
		}
	}
	l.t.Fatal("the browser has no session")
	return nil
}

// eventually waits until ok.
func (l *webLab) eventually(what string, ok func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: does not come", what)
		}
	}
}

// carriers opens a browser's connection in each of the two ways.
var carriers = map[string]func(b *browser) error{
	"webtransport": func(b *browser) error { return b.openTransport(goodOrigin, b.lab.transportURL()) },
	"websocket":    func(b *browser) error { return b.openSocket(goodOrigin) },
}

// eachCarrier runs f with a relay and a browser that is connected.
func eachCarrier(t *testing.T, config Config, f func(l *webLab, b *browser)) {
	for name, open := range carriers {
		t.Run(name, func(t *testing.T) {
			l := newWebLab(t, config)
			b := l.browser()
			if err := open(b); err != nil {
				t.Fatal(err)
			}
			f(l, b)
		})
	}
}
