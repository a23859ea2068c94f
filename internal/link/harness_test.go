package link

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/wire"
)

var relayAddr = netip.MustParseAddrPort("10.0.0.1:4433")

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
	synctest.Test(t, func(t *testing.T) {
		n, err := simnet.NewNetwork(p)
		if err != nil {
			t.Fatal(err)
		}
		l := &lab{t: t, net: n, key: newIdentity(200), sfu: newSFU()}
		n.SetTap(func(from, to netip.AddrPort, payload []byte, delivered bool) {
			l.mu.Lock()
			taps := l.taps
			l.mu.Unlock()
			for _, tap := range taps {
				tap(from, to, payload, delivered)
			}
		})
		t.Cleanup(func() { n.Close() })
		l.startRelay(config)
		t.Cleanup(func() { l.relay.Close() })
		f(l)
	})
}

// newIdentity returns one of 256 identities.
func newIdentity(n byte) *identity.Identity {
	var seed [identity.SeedSize]byte
	for i := range seed {
		seed[i] = n
	}
	return identity.SeedFromBytes(seed).Identity()
}

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
	conn, err := l.net.Listen(addr)
	if err != nil {
		l.t.Fatal(err)
	}
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
	p.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(l.hosts)}), 5000)
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
		Handler: p.ears,
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
	p.client, err = p.ep.Dial(ctx, p.config)
	return err
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

// heard is what arrived of one stream.
type heard struct {
	at    map[uint64]time.Time // by CTR
	twice int
	times []time.Time
}

// recorder notes the media that arrived. It is safe for concurrent use.
type recorder struct {
	mu      sync.Mutex // guards streams
	streams map[wire.KID]*heard
}

func (r *recorder) note(kid wire.KID, ctr uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.streams[kid]
	if h == nil {
		h = &heard{at: make(map[uint64]time.Time)}
		r.streams[kid] = h
	}
	if _, ok := h.at[ctr]; ok {
		h.twice++
		return
	}
	h.at[ctr] = time.Now()
	h.times = append(h.times, time.Now())
}

// of returns a copy of what was heard of a stream.
func (r *recorder) of(kid wire.KID) heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.streams[kid]
	if h == nil {
		return heard{}
	}
	c := heard{at: make(map[uint64]time.Time, len(h.at)), twice: h.twice, times: append([]time.Time(nil), h.times...)}
	for ctr, at := range h.at {
		c.at[ctr] = at
	}
	return c
}

// firstAfter returns when the stream was first heard after a time, zero if never.
func (h heard) firstAfter(t time.Time) time.Time {
	for _, at := range h.times {
		if at.After(t) {
			return at
		}
	}
	return time.Time{}
}

// longestPause returns the longest time between two arrivals, and when it began.
func (h heard) longestPause() (longest time.Duration, from time.Time) {
	for i := 1; i < len(h.times); i++ {
		if d := h.times[i].Sub(h.times[i-1]); d > longest {
			longest, from = d, h.times[i-1]
		}
	}
	return longest, from
}

// message is an urgent message that arrived.
type message struct {
	kind wire.UrgentKind
	body string
	at   time.Time
}

// ears is the ClientHandler of a person.
type ears struct {
	recorder
	mu       sync.Mutex // guards what follows
	urgent   []message
	attached []attached
	detached []string
}

type attached struct {
	at    time.Time
	fresh bool
}

func newEars() *ears { return &ears{recorder: recorder{streams: make(map[wire.KID]*heard)}} }

func (e *ears) Bind(_ *Session, kid wire.KID) *Stream { return &Stream{KID: kid} }

func (e *ears) Media(_ *Session, st *Stream, m *wire.Media, _ *Tx) {
	st.Seen(m.CTR)
	e.note(m.KID, m.CTR)
}

func (e *ears) AliasAcked(s *Session, pair wire.AliasPair) { s.SetAliasKnown(pair.Alias, true) }

func (e *ears) Urgent(_ *Session, kind wire.UrgentKind, body []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.urgent = append(e.urgent, message{kind, string(body), time.Now()})
}

func (e *ears) Attached(_ *Session, _ *wire.Joined, fresh bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attached = append(e.attached, attached{time.Now(), fresh})
}

func (e *ears) Detached(cause string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.detached = append(e.detached, cause)
}

func (e *ears) attachments() []attached {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]attached(nil), e.attached...)
}

func (e *ears) messages() []message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]message(nil), e.urgent...)
}

// sfu is an Acceptor that forwards all media to all other sessions.
type sfu struct {
	recorder
	refuse atomic.Pointer[wire.Refused] // what Join is answered with, if not nil
	list   atomic.Pointer[[]*Session]   // of those who joined
	only   atomic.Pointer[Session]      // if not nil, nobody else gets media
	onJoin atomic.Pointer[func()]       // called before Join is answered

	mu       sync.Mutex // guards what follows
	kids     []wire.KID // by alias
	accepted []*Session
	ended    []ending
	urgent   []message
}

type ending struct {
	s    *Session
	code wire.CloseCode
	at   time.Time
}

func newSFU() *sfu {
	s := &sfu{recorder: recorder{streams: make(map[wire.KID]*heard)}}
	s.list.Store(new([]*Session))
	return s
}

func (f *sfu) Accept(s *Session, _ netip.Addr) *wire.Refused {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted = append(f.accepted, s)
	return nil
}

func (f *sfu) Ended(s *Session, code wire.CloseCode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, ending{s, code, time.Now()})
	var rest []*Session
	for _, other := range *f.list.Load() {
		if other != s {
			rest = append(rest, other)
		}
	}
	f.list.Store(&rest)
}

func (f *sfu) Control(s *Session, m wire.Message) wire.Message {
	switch m := m.(type) {
	case *wire.Join:
		return f.join(s, m)
	case *wire.Members:
		return &wire.MemberPage{}
	}
	return nil
}

func (f *sfu) join(s *Session, m *wire.Join) wire.Message {
	if f := f.onJoin.Load(); f != nil {
		(*f)()
	}
	if refused := f.refuse.Load(); refused != nil {
		return refused
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := append([]*Session(nil), *f.list.Load()...)
	known := false
	for _, other := range list {
		known = known || other == s
	}
	if !known {
		list = append(list, s)
	}
	f.list.Store(&list)
	return &wire.Joined{Room: m.Room, Member: wire.EntryID(m.Entry), Members: uint32(len(list))}
}

// Bind gives each KID one alias, the same to all receivers.
func (f *sfu) Bind(_ *Session, kid wire.KID) *Stream {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, k := range f.kids {
		if k == kid {
			return &Stream{KID: kid, Owner: uint16(i)}
		}
	}
	f.kids = append(f.kids, kid)
	return &Stream{KID: kid, Owner: uint16(len(f.kids) - 1)}
}

func (f *sfu) Media(s *Session, st *Stream, m *wire.Media, tx *Tx) {
	st.Seen(m.CTR)
	f.note(m.KID, m.CTR)
	f.forward(s, st, m, tx)
}

func (f *sfu) forward(s *Session, st *Stream, m *wire.Media, tx *Tx) {
	out := *m
	out.Alias = st.Owner.(uint16)
	out.Long = false
	tx.Short = wire.AppendMedia(tx.Short[:0], &out, true)
	out.Long = true
	tx.Long = wire.AppendMedia(tx.Long[:0], &out, true)
	only := f.only.Load()
	for _, other := range *f.list.Load() {
		if other != s && (only == nil || only == other) {
			other.SendMedia(tx, out.Alias, tx.Short, tx.Long)
		}
	}
}

func (f *sfu) AliasAcked(s *Session, pair wire.AliasPair) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if int(pair.Alias) < len(f.kids) && f.kids[pair.Alias] == pair.KID {
		s.SetAliasKnown(pair.Alias, true)
	}
}

func (f *sfu) Urgent(s *Session, kind wire.UrgentKind, body []byte) {
	f.mu.Lock()
	f.urgent = append(f.urgent, message{kind, string(body), time.Now()})
	f.mu.Unlock()
	if kind == wire.UrgentLeave {
		s.End(wire.CloseLeft)
	}
}

func (f *sfu) messages() []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]message(nil), f.urgent...)
}

// sessions returns those that joined and have not ended.
func (f *sfu) sessions() []*Session { return *f.list.Load() }

func (f *sfu) endings() []ending {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]ending(nil), f.ended...)
}

// live returns how many accepted sessions have not ended, joined or not.
func (f *sfu) live() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.accepted) - len(f.ended)
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
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			l.t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

// isSealed tells sealed packets from QUIC.
func isSealed(p []byte) bool { return len(p) > 0 && p[0] < 0x40 }

func refusedCode(err error) wire.Code {
	if r := new(wire.Refused); errors.As(err, &r) {
		return r.Code
	}
	return ""
}
