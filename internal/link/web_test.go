package link

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

func TestBrowserAndNativeTalk(t *testing.T) {
	eachCarrier(t, Config{}, func(l *webLab, b *browser) {
		b.join()
		p := l.native()
		b.say(0, 20)
		l.eventually("the browser's media", func() bool { return len(p.ears.of(b.kid()).at) >= 18 })
		k := p.talk(5*time.Millisecond, 1100) // as large as media gets
		l.eventually("the native client's media", func() bool { return len(b.of(p.kid).at) >= 20 })
		k.stop()
		l.eventually("a report", func() bool { return b.got(wire.FrameReport) > 0 })
		dropped := l.relay.Drops().Count(drops.BrowserSize, drops.BrowserLate, drops.BrowserQueue)
		if s := l.relay.Stats(); s.WebSessions != 1 || s.WebOpen != 1 || dropped != 0 {
			l.t.Errorf("%+v, %d dropped", s, dropped)
		}
	})
}

func TestBrowserUrgentMessages(t *testing.T) {
	eachCarrier(t, Config{}, func(l *webLab, b *browser) {
		b.join()
		b.sendFrames(wire.AppendUrgent(nil, &wire.Urgent{Kind: wire.UrgentKeysWanted,
			Message: []byte("abcdef")}, true))
		l.eventually("an acknowledgement", func() bool { return b.got(wire.FrameUrgentAck) > 0 })
		if got := l.sfu.messages(); len(got) != 1 || got[0].body != "abcdef" {
			l.t.Errorf("the relay got %+v", got)
		}
		s, acked := l.sessionOf(b), make(chan bool, 1)
		if err := s.SendUrgentThen(wire.UrgentRefetch, nil, func(ok bool) { acked <- ok }); err != nil {
			l.t.Fatal(err)
		}
		l.eventually("an urgent message", func() bool { return b.got(wire.FrameUrgent) > 0 })
		b.sendFrames(wire.AppendUrgentAck(nil, wire.UrgentAck{Base: 1}, true))
		if !<-acked {
			l.t.Error("not acknowledged")
		}
	})
}

func TestBrowserLeaves(t *testing.T) {
	eachCarrier(t, Config{}, func(l *webLab, b *browser) {
		b.join()
		b.sendFrames(wire.AppendClose(nil, wire.CloseLeft, true))
		l.eventually("the end", func() bool {
			return len(l.sfu.endings()) == 1 &&
				l.relay.Stats().WebOpen == 0
		})
		<-b.gone
	})
}

// A session that never was used ends with its connection; one that was waits for the browser to come back.
func TestBrowserVanishes(t *testing.T) {
	eachCarrier(t, Config{}, func(l *webLab, b *browser) {
		b.join()
		b.close()
		l.eventually("the end", func() bool { return len(l.sfu.endings()) == 1 })
	})
	eachCarrier(t, Config{}, func(l *webLab, b *browser) {
		b.join()
		b.ping()
		l.eventually("a pong", func() bool { return b.got(wire.FramePong) > 0 })
		s := l.sessionOf(b)
		b.close()
		l.eventually("the connection's end", func() bool { return l.relay.Stats().WebOpen == 0 })
		if s.Over() || s.route.Load() != nil {
			l.t.Errorf("over %v, route %v", s.Over(), s.route.Load())
		}
	})
}

func TestWebOriginRefused(t *testing.T) {
	l := newWebLab(t, Config{})
	for name, err := range map[string]error{
		"webtransport": l.browser().openTransport("https://evil.example", l.transportURL()),
		"websocket":    l.browser().openSocket("https://evil.example"),
		"another path": l.browser().openTransport(goodOrigin, strings.TrimSuffix(l.transportURL(), "wt")),
	} {
		if err == nil {
			t.Errorf("%s: let in", name)
		}
	}
	l.eventually("nobody is pending", func() bool { return l.relay.pending.total() == 0 })
}

func TestWebHosts(t *testing.T) {
	for host, want := range map[string]string{
		"Relay.example": "relay.example:443 relay.example:80", "relay.example:8080": "relay.example:8080",
		"[::1]": "[::1]:443 [::1]:80", "[::1]:80": "[::1]:80",
	} {
		if got := RequestNames(&http.Request{Host: host}); strings.Join(got, " ") != want {
			t.Errorf("%s: %q", host, got)
		}
	}
}

func TestWebBindingRefused(t *testing.T) {
	eachCarrier(t, Config{}, func(l *webLab, b *browser) {
		b.binding[0] ^= 1
		m, err := b.hello()
		if refused := new(wire.Refused); err != nil || !errors.As(m.(error), &refused) ||
			refused.Code != wire.CodeSignature {
			l.t.Errorf("%+v, %v", m, err)
		}
		b.close()
		l.eventually("nobody is pending", func() bool { return l.relay.pending.total() == 0 })
		if n := l.sfu.live(); n != 0 {
			l.t.Errorf("%d sessions", n)
		}
	})
}

// TestWebHostNotOurs has a name that the request says, but the relay does not have.
func TestWebHostNotOurs(t *testing.T) {
	l := newWebLab(t, Config{})
	troubles := make(chan WebTrouble, 4)
	l.relay.web.config.Trouble = func(_ *http.Request, what WebTrouble) { troubles <- what }
	l.relay.web.config.Names = func(*http.Request) []string { return []string{"other.example:443"} }
	b := l.browser()
	if err := b.openSocket(goodOrigin); err != nil {
		t.Fatal(err)
	}
	if m, err := b.hello(); err != nil || !errors.Is(m.(error), &wire.Refused{Code: wire.CodeSignature}) {
		t.Errorf("%+v, %v", m, err)
	}
	if what := <-troubles; what != TroubleName {
		t.Errorf("the operator is told of trouble %d", what)
	}
}

// TestWebSocketWithoutUpgrade has a proxy that takes the header fields of this hop away and adds none: the
// operator is told, and a page that asks with POST what is wrong, which has its Origin then, can tell this
// from a refusal.
func TestWebSocketWithoutUpgrade(t *testing.T) {
	l := newWebLab(t, Config{})
	var troubles []WebTrouble
	l.relay.web.config.Trouble = func(_ *http.Request, what WebTrouble) { troubles = append(troubles, what) }
	ask := func(method, origin string) int {
		r := httptest.NewRequest(method, "/ws", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-WebSocket-Protocol", socketProtocol)
		w := httptest.NewRecorder()
		l.relay.ServeWebSocket(w, r)
		return w.Code
	}
	if got := ask(http.MethodGet, goodOrigin); got != http.StatusUpgradeRequired ||
		!slices.Equal(troubles, []WebTrouble{TroubleUpgrade}) {
		t.Errorf("the browser is answered %d, the operator told %v", got, troubles)
	}
	if got := ask(http.MethodPost, goodOrigin); got != http.StatusUpgradeRequired || len(troubles) != 1 {
		t.Errorf("a page that asks is answered %d, the operator told %v", got, troubles)
	}
	if got := ask(http.MethodPost, "https://evil.example"); got != http.StatusForbidden {
		t.Errorf("another's page that asks is answered %d", got)
	}
	l.relay.web.pending.fill()
	if got := ask(http.MethodPost, goodOrigin); got != http.StatusServiceUnavailable {
		t.Errorf("a page that asks a full relay is answered %d", got)
	}
}

func TestBrowserReplay(t *testing.T) {
	eachCarrier(t, Config{}, func(l *webLab, b *browser) {
		b.join()
		b.ping()
		b.ping()
		l.eventually("pongs", func() bool { return b.got(wire.FramePong) == 2 })
		b.counter = 1
		b.ping()
		l.eventually("a replay", func() bool { return l.relay.Drops().Count(drops.Replayed) == 1 })
		if err := b.packets.send([]byte{1, 2, 3}); err != nil {
			l.t.Fatal(err)
		}
		l.eventually("nonsense", func() bool { return l.relay.Drops().Count(drops.BadHeader) == 1 })
		b.ping()
		l.eventually("another pong", func() bool { return b.got(wire.FramePong) == 3 })
	})
}

func TestBrowserSwitchesCarrier(t *testing.T) {
	l := newWebLab(t, Config{})
	first := l.browser()
	if err := first.openTransport(goodOrigin, l.transportURL()); err != nil {
		t.Fatal(err)
	}
	first.join()
	p := l.native()
	first.say(0, 5)
	l.eventually("media by WebTransport", func() bool { return len(p.ears.of(first.kid()).at) == 5 })

	second := first.again()
	if err := second.openSocket(goodOrigin); err != nil {
		t.Fatal(err)
	}
	second.join()
	if second.welcome.Incarnation != first.welcome.Incarnation {
		t.Error("another session")
	}
	k := p.talk(5*time.Millisecond, 80)
	defer k.stop()
	l.eventually("media by the one with the newest packet",
		func() bool { return len(first.of(p.kid).at) > 5 })
	second.say(5, 5)
	l.eventually("media by WebSocket", func() bool {
		return len(second.of(p.kid).at) > 5 &&
			len(p.ears.of(first.kid()).at) == 10
	})

	// A packet that was overtaken changes nothing.
	first.counter = 3
	first.ping()
	s := l.sessionOf(first)
	l.eventually("a replay", func() bool { return l.relay.Drops().Count(drops.Replayed) == 1 })
	if out := s.out.Load(); out.web.queue.patience != socketPatience {
		t.Error("an old packet moved the session back")
	}

	// Without the WebSocket the relay goes on with what is left.
	second.close()
	heard := len(first.of(p.kid).at)
	l.eventually("media by WebTransport again", func() bool { return len(first.of(p.kid).at) > heard+5 })
	if len(l.sfu.endings()) != 0 || l.sfu.live() != 2 {
		t.Errorf("%d live, ended %+v", l.sfu.live(), l.sfu.endings())
	}
}

// TestNativeSessionOfABrowser has one session with sealed packets and a browser's connection.
func TestNativeSessionOfABrowser(t *testing.T) {
	l := newWebLab(t, Config{})
	p, talker := l.native(), l.native()
	b := l.browser()
	b.id, b.session, b.counter = p.id, p.client.id, 1000
	if err := b.openSocket(goodOrigin); err != nil {
		t.Fatal(err)
	}
	b.join()
	if s := p.client.Session(); b.welcome.Incarnation != s.incarnation {
		t.Error("another session")
	}
	b.ping()
	// before that it has the other's aliases
	l.eventually("a pong", func() bool { return b.got(wire.FramePong) == 1 })
	k := talker.talk(5*time.Millisecond, 80)
	defer k.stop()
	l.eventually("media to the browser", func() bool { return len(b.of(talker.kid).at) > 5 })
	b.close()
	heard := len(p.ears.of(talker.kid).at)
	l.eventually("sealed media", func() bool { return len(p.ears.of(talker.kid).at) > heard+5 })
}

func TestSupersededBrowserIsClosed(t *testing.T) {
	l := newWebLab(t, Config{})
	first := l.browser()
	if err := first.openTransport(goodOrigin, l.transportURL()); err != nil {
		t.Fatal(err)
	}
	first.join()
	first.ping()
	l.eventually("a pong", func() bool { return first.got(wire.FramePong) == 1 })
	second := first.again()
	if err := second.openSocket(goodOrigin); err != nil {
		t.Fatal(err)
	}
	second.join()
	second.ping()
	l.eventually("a pong", func() bool { return second.got(wire.FramePong) == 1 })
	s := l.sessionOf(first)
	s.mu.Lock()
	gone := s.attachments.expire(time.Now().Add(retireAfter + time.Second))
	s.mu.Unlock()
	s.drop(superseded, gone...)
	<-first.gone
	if n := attachmentsOf(s); n != 1 {
		t.Errorf("%d attachments", n)
	}
}

func TestWebHelloRate(t *testing.T) {
	l := newWebLab(t, Config{HelloRate: 0.1}) // a burst of two
	var codes []wire.Code
	for range 3 {
		b := l.browser()
		if err := b.openSocket(goodOrigin); err != nil {
			t.Fatal(err)
		}
		m, err := b.hello()
		if err != nil {
			t.Fatal(err)
		}
		if refused, ok := m.(*wire.Refused); ok {
			codes = append(codes, refused.Code)
		}
	}
	if !slices.Equal(codes, []wire.Code{wire.CodeRate}) {
		t.Errorf("refused %v", codes)
	}
}

func TestWebHandshakesAreBounded(t *testing.T) {
	l := newWebLab(t, Config{MaxHandshakes: handshakeShare}) // one of each address
	b := l.browser()
	if err := b.openSocket(goodOrigin); err != nil {
		t.Fatal(err)
	}
	if err := l.browser().openSocket(goodOrigin); err == nil {
		t.Error("two handshakes of one address at once")
	}
	b.join()
	if err := l.browser().openSocket(goodOrigin); err != nil {
		t.Errorf("after the first said Hello: %v", err)
	}
}

func TestWebControlLimits(t *testing.T) {
	eachCarrier(t, Config{ControlRate: 0.1}, func(l *webLab, b *browser) {
		b.join()
		for range 5 {
			_ = b.control.write(&wire.Members{})
		}
		l.eventually("the limit", func() bool { return l.relay.Drops().Count(drops.ControlRate) == 1 })
	})
	eachCarrier(t, Config{MaxMessage: 4096}, func(l *webLab, b *browser) {
		b.join()
		long := &wire.MemberPage{}
		for range 20 {
			long.Entries = append(long.Entries, make([]byte, wire.MaxEntry))
		}
		_ = b.control.write(long)
		<-b.gone
	})
}

func TestWebSubprotocol(t *testing.T) {
	l := newWebLab(t, Config{})
	conn, response, err := websocket.Dial(t.Context(), l.http.URL+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {goodOrigin}},
	})
	if err == nil {
		conn.CloseNow()
		t.Fatal("let in")
	}
	if response.StatusCode != http.StatusBadRequest {
		t.Error(response.Status)
	}
}

func TestWithoutWebNobodyGetsIn(t *testing.T) {
	relay := newSide(t, false)
	if relay.ep.WebCertificates() != nil {
		t.Error("there are certificates")
	}
}

func TestCloseEndsBrowsers(t *testing.T) {
	l := newWebLab(t, Config{})
	var all []*browser
	for _, open := range carriers {
		joined, silent := l.browser(), l.browser()
		if err := errors.Join(open(joined), open(silent)); err != nil {
			t.Fatal(err)
		}
		joined.join()
		all = append(all, joined)
	}
	if err := l.relay.Close(); err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		<-b.gone
		if b.got(wire.FrameClose) == 0 {
			t.Error("a browser was not told")
		}
	}
	if n := l.relay.Stats().WebOpen; n != 0 {
		t.Errorf("%d connections are open", n)
	}
	if err := l.browser().openSocket(goodOrigin); err == nil {
		b := l.browser()
		if err := b.openSocket(goodOrigin); err == nil {
			if _, err := b.control.read(); err == nil {
				t.Error("greeted after Close")
			}
		}
	}
}

// TestDeafBrowser takes nothing from TCP: what the relay keeps for it is bounded, and nobody waits for it.
func TestDeafBrowser(t *testing.T) {
	l := newWebLab(t, Config{})
	b := l.browser()
	conn, err := b.dialSocket(goodOrigin, smallBuffer)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	b.control, b.binding = &deaf{wsClient{conn: conn}}, []byte(strings.TrimPrefix(l.http.URL, "http://"))
	if m, err := b.hello(); err != nil {
		t.Fatal(m, err)
	}
	s := l.relay.Sessions()[0]
	media := wire.Media{Long: true, Alias: 1, KID: 2, Ciphertext: make([]byte, 1000)}
	frames := wire.AppendMedia(nil, &media, true)
	l.eventually("drops", func() bool {
		l.relay.WithTx(func(tx *Tx) {
			for range 10 { // slowly, so that the writer is not just late
				s.SendMedia(tx, 1, frames, frames)
			}
		})
		return l.relay.Drops().Count(drops.BrowserQueue) > 500
	})
	time.Sleep(socketPatience)
	for l.relay.Drops().Count(drops.BrowserLate) == 0 { // once there is room, what waited too long goes
		if _, _, err := conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.End(wire.CloseShuttingDown)
	conn.CloseNow()
	l.eventually("the connection's end", func() bool { return l.relay.Stats().WebOpen == 0 })
}

// deaf reads a message only when it is asked to.
type deaf struct{ wsClient }

func (c *deaf) read() (wire.Message, error) {
	_, p, err := c.conn.Read(context.Background())
	if err != nil {
		return nil, err
	}
	return wire.ParseMessage(p)
}

// smallBuffer makes TCP take little that nobody reads.
var smallBuffer = &http.Client{Transport: &http.Transport{
	DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(8 << 10)
		}
		return conn, err
	},
}}
