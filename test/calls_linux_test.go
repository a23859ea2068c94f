package test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestManyCalls: many calls at once go over a chain of three relays, and are forgotten. While measuring there
// are a thousand, and it prints how long they take to be set up, what memory a call takes at each relay, and
// what CPU a packet.
func TestManyCalls(t *testing.T) {
	t.Parallel()
	const n = 3
	calls, talk := 20, time.Second
	if measuring {
		calls, talk = 1000, 20*time.Second
	}
	straight := func(_ [2]int, addr string) string { return addr }
	u := federateBy(t, n, chain(n), "presence = \"mesh\"\n", straight, "--hello-rate", "100000",
		"--max-per-address", "100000", "--send-rate", "100000000")
	x := &exchange{t: t, u: u}
	for range calls {
		x.callers = append(x.callers, newScripted(t, u.relays[0].addr, false))
		x.called = append(x.called, newScripted(t, u.relays[n-1].addr, true))
	}
	x.all = slices.Concat(x.callers, x.called)
	var working sync.WaitGroup
	over := make(chan struct{})
	working.Go(func() { x.work(over) })
	defer working.Wait()
	defer close(over)
	u.until("the first relay knows of all", soon, func() bool {
		return !slices.ContainsFunc(x.called, func(s *scripted) bool {
			return u.relays[0].api("presence/"+s.id.Fingerprint().String(), nil) != http.StatusOK
		})
	})
	before := x.memory()
	took := x.dial()
	after, spent, packets := x.memory(), x.cpu(), x.packets()
	time.Sleep(talk)
	now, carried := x.cpu(), x.packets()
	t.Logf("%d calls were set up, half within %v, 99 %% within %v, all within %v", calls, took[calls/2],
		took[calls*99/100], took[calls-1])
	for i := range n {
		if frames := carried[i] - packets[i]; measuring && frames > 0 {
			t.Logf("relay %d: %.2f KB a call, %.1f us of CPU a packet of %.0f", i,
				(after[i]-before[i])/float64(calls)/1024, (now[i]-spent[i])*1e6/frames, frames)
		}
	}
	for _, s := range x.callers {
		s.do(func(l *signalling.Line, now time.Time) { _ = l.HangUp(s.call, now) })
	}
	for i, r := range u.relays {
		u.until(fmt.Sprintf("relay %d forgets all calls", i), soon, func() bool {
			return r.metric("call_paths") == 0
		})
	}
	for i, s := range x.all {
		if heard := s.heard.Load(); heard == 0 {
			t.Errorf("end %d heard nothing", i)
		}
	}
}

// exchange is many calls.
type exchange struct {
	t                    *testing.T
	u                    *union
	callers, called, all []*scripted
}

// work does what ends do by time: 5 packets a second each, and what is due for their calls.
func (x *exchange) work(over chan struct{}) {
	const steps = 20
	for i := 0; ; i++ {
		select {
		case <-over:
			for _, s := range x.all {
				s.ep.Close()
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
		for j := i % steps; j < len(x.all); j += steps {
			x.all[j].step()
		}
	}
}

// dial has everybody call, 30 a second: a relay answers its peers 50 queries a second. It returns how long it
// took until the caller had the answer, and the called the confirmation, sorted.
func (x *exchange) dial() (took []time.Duration) {
	x.t.Helper()
	for i, s := range x.callers {
		key := x.called[i].id.Public()
		s.do(func(l *signalling.Line, now time.Time) {
			who := signalling.Callee{Fingerprint: key.Fingerprint(), Key: key}
			var err error
			s.began = now
			if s.call, err = l.Dial(who, now); err != nil {
				x.t.Error(err)
			}
		})
		time.Sleep(time.Second / 30)
	}
	x.u.until("all calls are up", soon, func() bool {
		return !slices.ContainsFunc(x.all, func(s *scripted) bool { return s.up.Load() == nil })
	})
	for i, s := range x.callers {
		took = append(took, x.called[i].up.Load().Sub(s.began))
	}
	slices.Sort(took)
	return took
}

// memory is that of the relays' processes in bytes, cpu the time that they took in seconds, packets the
// frames of calls that they passed on.
func (x *exchange) memory() []float64 {
	return x.each(func(r *relay) float64 {
		fields := strings.Fields(procFile(x.t, r, "statm"))
		pages, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			x.t.Fatal(err)
		}
		return pages * float64(os.Getpagesize())
	})
}

func (x *exchange) cpu() []float64 {
	return x.each(func(r *relay) (seconds float64) {
		_, rest, _ := strings.Cut(procFile(x.t, r, "stat"), ") ")
		for _, field := range strings.Fields(rest)[11:13] {
			ticks, err := strconv.ParseFloat(field, 64)
			if err != nil {
				x.t.Fatal(err)
			}
			seconds += ticks / 100
		}
		return seconds
	})
}

func (x *exchange) packets() []float64 {
	return x.each(func(r *relay) float64 { return r.metric("call_frames_total") })
}

func (x *exchange) each(f func(r *relay) float64) (list []float64) {
	for _, r := range x.u.relays {
		list = append(list, f(r))
	}
	return list
}

func procFile(t *testing.T, r *relay, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", r.cmd.Process.Pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// scripted is an end of a call that says what an end says, without a codec.
type scripted struct {
	t      *testing.T
	id     *identity.Identity
	ep     *link.Endpoint
	client *link.Client
	began  time.Time
	call   signalling.ID
	kid    wire.KID
	up     atomic.Pointer[time.Time]
	talks  atomic.Bool
	heard  atomic.Uint64
	ctr    uint64 // of the next packet; owned by step

	mu   sync.Mutex // guards what follows
	line *signalling.Line
	path wire.PathID
	told uint64 // of heard, to the line
}

func newScripted(t *testing.T, addr string, available bool) *scripted {
	t.Helper()
	relay, err := netip.ParseAddrPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	mux, err := udp.Listen("127.0.0.1:0", 1)
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{t: t, id: identity.NewSeed().Identity()}
	key := s.id.Public()
	s.kid = wire.MakeKID(wire.MemberID(key[:6]), 0, 0)
	if s.ep, err = link.NewEndpoint(mux, link.Config{Identity: s.id, Version: "scripted"}); err != nil {
		t.Fatal(err)
	}
	stay := must(e2ee.NewStayKey())
	s.line = signalling.New(signalling.Config{Identity: s.id, StayKey: stay,
		Known: func(identity.PublicKey) bool { return true }})
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	s.client, err = s.ep.Dial(ctx, link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return relay, nil },
		CheckRelay: func(identity.PublicKey) error { return nil },
		Line: func(key identity.PublicKey) (*wire.Available, error) {
			if !available {
				return new(wire.Available), nil
			}
			return &wire.Available{Record: wire.SignReach(s.id, wire.Reach{StayKey: stay.Public(),
				HomeRelay: key, Sequence: 1, Expiry: time.Now().Add(wire.MaxReach).Unix()})}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.client.Start(s)
	s.do(func(l *signalling.Line, now time.Time) { l.SessionFresh(s.client.Handshake().Relay, now) })
	return s
}

// do tells the line something, and does what follows.
func (s *scripted) do(f func(l *signalling.Line, now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	f(s.line, now)
	for again := true; again; {
		again = false
		s.line.Tick(now)
		for _, e := range s.line.Drain() {
			switch e := e.(type) {
			case signalling.Send:
				if err := s.client.Session().SendUrgent(e.Kind, e.Body); err != nil {
					s.t.Errorf("an end cannot say something: %v", err)
				}
			case signalling.Incoming:
				again = s.line.Answer(e.Call, now) == nil
			case signalling.Up:
				s.path = e.Path
				e.JoinKey.Erase()
				s.up.Store(&now)
			case signalling.Media:
				s.talks.Store(e.On)
			}
		}
	}
}

// step sends a packet, and does what is due.
func (s *scripted) step() {
	if s.talks.Load() {
		s.client.Session().SendMediaNow(0, &wire.Media{KID: s.kid, CTR: s.ctr, Ciphertext: make([]byte, 80)})
		s.ctr++
	}
	s.do(func(l *signalling.Line, now time.Time) {
		if heard := s.heard.Load(); heard != s.told {
			s.told = heard
			l.MediaHeard(s.path, now)
		}
		if s.talks.Load() {
			l.MediaSent(s.path, now)
		}
	})
}

// Opened implements link.ClientHandler.
func (s *scripted) Opened(*link.Session) link.Handler { return s }

// Attached implements link.ClientHandler.
func (s *scripted) Attached(*wire.Joined, bool) {}

// Detached implements link.ClientHandler.
func (s *scripted) Detached(string) {}

// Bind implements link.Handler.
func (s *scripted) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, func(st *link.Stream, m *wire.Media, _ *link.Tx) {
		st.Seen(m.CTR)
		s.heard.Add(1)
	})
}

// AliasAcked implements link.Handler.
func (s *scripted) AliasAcked(session *link.Session, pair wire.AliasPair) {
	session.SetAliasKnown(pair.Alias, true)
}

// Urgent implements link.Handler.
func (s *scripted) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) bool {
	body = bytes.Clone(body)
	s.do(func(l *signalling.Line, now time.Time) {
		switch kind {
		case wire.UrgentRoute:
			l.RouteCame(must(wire.Parse[wire.Route](body)), now)
		case wire.UrgentCallOffer:
			l.OfferCame(must(wire.Parse[wire.CallForward](body)), now)
		case wire.UrgentCallMessage:
			l.MessageCame(must(wire.Parse[wire.CallMessage](body)), now)
		case wire.UrgentCallState:
			l.StateCame(must(wire.Parse[wire.CallState](body)), now)
		case wire.UrgentCallEnd:
			l.EndCame(must(wire.Parse[wire.CallEnd](body)), now)
		}
	})
	return true
}
