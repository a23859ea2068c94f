package link

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

var relayAddr = simtest.Relay(1)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a relay and its clients on a simulated network, in virtual time.
//
//	person (Endpoint, Client, ears) ── simnet ── Endpoint, sfu
type lab struct {
	t     testing.TB
	net   *simnet.Network
	key   *identity.Identity // the relay's
	conn  *simnet.Conn       // the relay's
	relay *Endpoint
	sfu   *sfu
	hosts int

	mu   sync.Mutex // guards taps
	taps []simnet.TapFunc
}

// inLab runs f in virtual time, with a relay of config up and profile p on every path.
func inLab(t *testing.T, p simnet.Profile, config Config, f func(l *lab)) {
	t.Helper()
	simtest.Run(t, p, func(t *testing.T, n *simnet.Network) {
		l := &lab{t: t, net: n, key: newIdentity(200), sfu: newSFU()}
		n.SetTap(func(from, to netip.AddrPort, payload []byte, delivered bool) {
			l.mu.Lock()
			taps := l.taps
			l.mu.Unlock()
			for _, tap := range taps {
				tap(from, to, payload, delivered)
			}
		})
		l.startRelay(config)
		t.Cleanup(func() { l.relay.Close() })
		f(l)
	})
}

// newIdentity returns one of 256 identities.
func newIdentity(n byte) *identity.Identity { return simtest.Identity(n) }

// tap makes f see every packet too.
func (l *lab) tap(f simnet.TapFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taps = append(l.taps[:len(l.taps):len(l.taps)], f)
}

// startRelay starts a relay that knows nothing, at the address of the one before it.
func (l *lab) startRelay(config Config) {
	l.t.Helper()
	l.sfu = newSFU()
	config.Identity, config.Version, config.Accept = l.key, "test relay", l.sfu
	l.conn, l.relay = l.endpoint(relayAddr, config)
}

// killRelay ends the relay without a word to anyone.
func (l *lab) killRelay() {
	l.conn.Close()
	l.relay.Close()
}

func (l *lab) endpoint(addr netip.AddrPort, config Config) (*simnet.Conn, *Endpoint) {
	l.t.Helper()
	conn := simtest.Listen(l.t, l.net, addr)
	ep, err := NewEndpoint(udp.New(conn), config)
	if err != nil {
		l.t.Fatal(err)
	}
	return conn, ep
}

// person is somebody with a client.
type person struct {
	lab    *lab
	id     *identity.Identity
	addr   netip.AddrPort
	conn   *simnet.Conn
	ep     *Endpoint
	client *Client
	ears   *ears
	config ClientConfig
	kid    wire.KID
	ctr    atomic.Uint64 // of the next media frame
}

// person returns somebody with an endpoint on a host of their own, who has not joined yet.
func (l *lab) person() *person {
	l.t.Helper()
	p := l.someone()
	p.addr = simtest.Host(l.hosts)
	p.conn, p.ep = l.endpoint(p.addr, Config{Identity: p.id, Version: "test client"})
	l.t.Cleanup(func() { p.ep.Close() })
	return p
}

// someone returns somebody without an endpoint.
func (l *lab) someone() *person {
	l.hosts++
	p := &person{lab: l, id: newIdentity(byte(l.hosts)), ears: newEars()}
	p.kid = wire.MakeKID(wire.MemberID{5: byte(l.hosts)}, 0, 0)
	p.config = ClientConfig{
		Resolve:    resolveTo(relayAddr),
		Name:       fmt.Sprintf("person %d", l.hosts),
		CheckRelay: checkKey(l.key.Public()),
		Join: func(relay identity.PublicKey) (*wire.Join, error) {
			entry, err := wire.SignEntry(p.id, wire.MemberEntry{Room: "lab", HomeRelay: relay})
			return &wire.Join{Room: "lab", Entry: entry}, err
		},
	}
	return p
}

func resolveTo(addr netip.AddrPort) func(context.Context) (netip.AddrPort, error) {
	return func(context.Context) (netip.AddrPort, error) { return addr, nil }
}

func checkKey(want identity.PublicKey) func(identity.PublicKey) error {
	return func(got identity.PublicKey) error {
		if got != want {
			return &wrongRelayError{got}
		}
		return nil
	}
}

type wrongRelayError struct{ got identity.PublicKey }

func (e *wrongRelayError) Error() string { return "the relay has another key" }

// join dials with a limit in virtual time.
func (p *person) join(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	p.client, err = startedClient(ctx, p.ep, p.config, p.ears)
	return err
}

// startedClient returns a client that is attached, which h is told as if it were not the first time.
func startedClient(ctx context.Context, ep *Endpoint, config ClientConfig, h ClientHandler) (*Client, error) {
	c, err := ep.Dial(ctx, config)
	if err != nil {
		return nil, err
	}
	c.Start(h)
	h.Attached(c.Handshake().Joined, true)
	return c, nil
}

// joined returns somebody who has joined.
func (l *lab) joined() *person {
	l.t.Helper()
	p := l.person()
	if err := p.join(time.Minute); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// talker sends media frames at a steady rate.
type talker struct {
	kid  wire.KID
	quit chan struct{}
	wg   sync.WaitGroup
	mu   sync.Mutex           // guards sent
	sent map[uint64]time.Time // by CTR
}

// talk sends a frame with size bytes of ciphertext every so often, until stop.
func (p *person) talk(every time.Duration, size int) *talker {
	k := &talker{kid: p.kid, quit: make(chan struct{}), sent: make(map[uint64]time.Time)}
	ciphertext := make([]byte, size)
	k.wg.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			k.mu.Lock()
			ctr := p.ctr.Add(1) - 1
			k.sent[ctr] = time.Now()
			k.mu.Unlock()
			p.client.Session().SendMediaNow(3, &wire.Media{KID: k.kid, CTR: ctr, Ciphertext: ciphertext})
			select {
			case <-k.quit:
				return
			case <-ticker.C:
			}
		}
	})
	return k
}

func (k *talker) stop() {
	close(k.quit)
	k.wg.Wait()
}

// talkFor talks at 50 packets a second, and waits for what is still under way.
func (p *person) talkFor(d time.Duration, size int) *talker {
	k := p.talk(20*time.Millisecond, size)
	time.Sleep(d)
	k.stop()
	time.Sleep(3 * time.Second)
	return k
}

// sessionOf returns somebody's session at the relay.
func (l *lab) sessionOf(p *person) *Session {
	l.t.Helper()
	for _, s := range l.sfu.sessions() {
		if s.Identity() == p.id.Public() {
			return s
		}
	}
	l.t.Fatalf("%s has no session at the relay", p.config.Name)
	return nil
}

// attachmentsOf returns how many attachments a session has.
func attachmentsOf(s *Session) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.attachments)
}

// idsOf returns how many connection ids an endpoint has given out.
func idsOf(ep *Endpoint) int {
	ep.mu.RLock()
	defer ep.mu.RUnlock()
	return len(ep.conns)
}

// dropConnection ends somebody's QUIC connection as if it had died.
func (p *person) dropConnection() {
	p.client.mu.Lock()
	conn := p.client.current.conn
	p.client.mu.Unlock()
	conn.CloseWithError(quicEnded, "test")
}

// eventually waits until ok, for at most limit of virtual time, and returns how long it took.
func (l *lab) eventually(what string, limit time.Duration, ok func() bool) time.Duration {
	l.t.Helper()
	return simtest.Eventually(l.t, what, limit, ok)
}

// isSealed tells sealed packets from QUIC.
func isSealed(p []byte) bool { return len(p) > 0 && p[0] < 0x40 }

func refusedCode(err error) wire.Code {
	if r := new(wire.Refused); errors.As(err, &r) {
		return r.Code
	}
	return ""
}
