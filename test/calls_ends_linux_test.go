package test

import (
	"bytes"
	"context"
	"net/netip"
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

// scripted is an end of a call, or a member of a room, without a codec: what it says means nothing.
type scripted struct {
	t      *testing.T
	id     *identity.Identity
	client *link.Client
	kid    wire.KID
	talks  atomic.Bool
	heard  atomic.Uint64 // packets
	ctr    uint64        // of the next packet; owned by step
}

func newPort(t *testing.T) *link.Endpoint {
	t.Helper()
	ep, err := link.NewEndpoint(must(udp.Listen("127.0.0.1:0", 1)), link.Config{
		Identity: identity.NewSeed().Identity(), Version: "scripted"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ep.Close() })
	return ep
}

func (s *scripted) dial(by *link.Endpoint, addr string, config link.ClientConfig) {
	s.t.Helper()
	relay, err := netip.ParseAddrPort(addr)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	config.Identity = s.id
	config.Resolve = func(context.Context) (netip.AddrPort, error) { return relay, nil }
	config.CheckRelay = func(identity.PublicKey) error { return nil }
	if s.client, err = by.Dial(ctx, config); err != nil {
		s.t.Fatal(err)
	}
}

// newMember returns one that has joined a room.
func newMember(t *testing.T, by *link.Endpoint, addr, room string) *scripted {
	t.Helper()
	s := &scripted{t: t, id: identity.NewSeed().Identity()}
	s.dial(by, addr, link.ClientConfig{Join: func(relay identity.PublicKey) (*wire.Join, error) {
		entry, err := wire.SignEntry(s.id, wire.MemberEntry{Room: room, Name: "scripted", HomeRelay: relay,
			Identity: s.id.Public()})
		s.kid = wire.MakeKID(wire.EntryID(entry), 0, 0)
		return &wire.Join{Room: room, Entry: entry}, err
	}})
	s.client.Start(s)
	return s
}

// step sends a packet. It returns whether there was something to say.
func (s *scripted) step() (said bool) {
	if said = s.talks.Load(); said {
		s.client.Session().SendMediaNow(0, &wire.Media{KID: s.kid, CTR: s.ctr, Ciphertext: nothing[:]})
		s.ctr++
	}
	return said
}

var nothing [80]byte

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
func (s *scripted) Urgent(*link.Session, wire.UrgentKind, []byte) bool { return true }

// scriptedLine is an end of a call.
type scriptedLine struct {
	*scripted
	began time.Time
	call  signalling.ID
	up    atomic.Pointer[time.Time]

	mu   sync.Mutex // guards what follows
	line *signalling.Line
	path wire.PathID
	told uint64 // of heard, to the line
}

func newLine(t *testing.T, by *link.Endpoint, addr string, available bool) *scriptedLine {
	t.Helper()
	s := &scriptedLine{scripted: &scripted{t: t, id: identity.NewSeed().Identity()}}
	key, stay := s.id.Public(), must(e2ee.NewStayKey())
	s.kid = wire.MakeKID(wire.MemberID(key[:6]), 0, 0)
	s.line = signalling.New(signalling.Config{Identity: s.id, StayKey: stay,
		Known: func(identity.PublicKey) bool { return true }})
	s.dial(by, addr, link.ClientConfig{Line: func(key identity.PublicKey) (*wire.Available, error) {
		if !available {
			return new(wire.Available), nil
		}
		return &wire.Available{Record: wire.SignReach(s.id, wire.Reach{StayKey: stay.Public(),
			HomeRelay: key, Sequence: 1, Expiry: time.Now().Add(wire.MaxReach).Unix()})}, nil
	}})
	s.client.Start(s)
	s.do(func(l *signalling.Line, now time.Time) { l.SessionFresh(s.client.Handshake().Relay, now) })
	return s
}

// do tells the line something, and does what follows.
func (s *scriptedLine) do(f func(l *signalling.Line, now time.Time)) {
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
func (s *scriptedLine) step() {
	said := s.scripted.step()
	s.do(func(l *signalling.Line, now time.Time) {
		if heard := s.heard.Load(); heard != s.told {
			s.told = heard
			l.MediaHeard(s.path, now)
		}
		if said {
			l.MediaSent(s.path, now)
		}
	})
}

// Opened implements link.ClientHandler.
func (s *scriptedLine) Opened(*link.Session) link.Handler { return s }

// Urgent implements link.Handler.
func (s *scriptedLine) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) bool {
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
