package federation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// peerOf returns the link of a relay with another one, by which a test can send what it likes.
func (r *callRelay) peerOf(o *callRelay) *livePeer {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.f.live[o.id()]
}

// TestCallThirdParty: a peer and a client of a relay of the path, who know all of it but the seed, end
// nothing, say nothing in it, and hear nothing; a peer that names another relay as the source is named in the
// log.
func TestCallThirdParty(t *testing.T) {
	inCallLab(t, 4, "AB BC DB", func(l *callLab) {
		b, d := l.relays[1], l.relays[3]
		caller, called := l.relays[0].client(1), l.relays[2].client(2)
		l.leads(called, "A:B B:C D:B")
		id := l.call(caller, called, wire.PathSeed{1})
		rogue := d.peerOf(b)
		spy := b.client(3)
		for kind, m := range map[wire.UrgentKind]wire.UrgentMessage{
			wire.UrgentSessionEnd:     &wire.CallEnd{Path: id, Generation: 1},
			wire.UrgentSessionAnswer:  &wire.CallState{Path: id, Generation: 1, Code: wire.CallFailed},
			wire.UrgentSessionMessage: &wire.CallMessage{Path: id, Body: []byte("rogue")},
		} {
			rogue.link.Send(kind, wire.Append(nil, m), nil)
		}
		f := called.offers[0]
		f.Source, f.Hops, f.Generation = d.id(), 8, 2 // not signed
		rogue.link.Send(wire.UrgentSessionForward, wire.Append(nil, &f), nil)
		f.Source = l.relays[0].id()
		rogue.link.Send(wire.UrgentSessionForward, wire.Append(nil, &f), nil)
		rogue.link.Send(wire.UrgentSessionForward, []byte("garbage"), nil)
		spy.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
		spy.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("spy")})
		spy.says(wire.UrgentCallMedia, &wire.CallMedia{Path: id})
		time.Sleep(500 * time.Millisecond)

		// Media of a stream that nobody knows, and of one of the call's.
		out := &callStream{path: &callPath{id: id}, kid: caller.kid()}
		d.ep.WithTx(func(tx *link.Tx) {
			rogue.trunk.put(tx, out, &wire.Media{CTR: 7, Ciphertext: []byte("forged")}, nil, time.Now())
		})
		spy.say(0, 5)
		if x, y := l.talk(caller, called, 100, 20); x != 20 || y != 20 {
			t.Errorf("%d and %d of 20 frames came", x, y)
		}
		if n := called.heardOf(spy) + caller.heardOf(spy) + spy.heardOf(caller); n != 0 {
			t.Errorf("%d frames of or to a third party came", n)
		}
		if called.heardOf(caller) != 20 || len(called.said)+len(caller.said) != 0 || len(caller.told) != 1 ||
			len(called.told) != 0 {
			t.Errorf("%q %q %q %q", called.said, caller.said, caller.told, called.told)
		}
		if n := b.rooms.Drops.Count(drops.CallStray); n < 4 {
			t.Errorf("%d messages of who is no leg were counted", n)
		}
		for _, what := range []string{"another relay as its source", "not signed by the path's key",
			"cannot be read"} {
			if len(b.logged.Lines("a peer misbehaves", what)) != 1 {
				t.Errorf("nothing is said of %q:\n%s", what, b.logged.String())
			}
		}
	})
}

// TestCallLimits: what one end sends is bounded, and takes nothing from the other end, or from another call.
func TestCallLimits(t *testing.T) {
	inCallLab(t, 2, "AB", func(l *callLab) {
		a, b := l.relays[0], l.relays[1]
		loud, other := a.client(1), b.client(2)
		one, two := a.client(3), b.client(4)
		l.leads(other, "A:B")
		l.leads(two, "A:B")
		l.call(loud, other, wire.PathSeed{1})
		l.call(one, two, wire.PathSeed{2})
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for ctr := range 6000 {
				loud.client.Session().SendMediaNow(3, &wire.Media{KID: loud.kid(), CTR: uint64(ctr),
					Ciphertext: []byte(fmt.Sprint("frame ", ctr))})
				time.Sleep(time.Millisecond / 2)
			}
		}()
		other.say(0, 100)
		if x, y := l.talk(one, two, 0, 50); x != 50 || y != 50 {
			t.Errorf("%d and %d of 50 frames of another call came", x, y)
		}
		<-stop
		time.Sleep(200 * time.Millisecond)
		if n := loud.heardOf(other); n != 100 {
			t.Errorf("%d of 100 frames came to who is loud", n)
		}
		if n := other.heardOf(loud); n > 2100 || n < 1500 {
			t.Errorf("%d frames of a flood of 3 s came", n)
		}
		rate, packets := a.rooms.Drops.Count(drops.MemberRate), a.rooms.Drops.Count(drops.PacketRate)
		if rate+packets < 3000 {
			t.Errorf("%d and %d were counted as dropped", rate, packets)
		}
	})
}

// TestCallStreams: a direction has streams of one member, eight at a time; keys change.
func TestCallStreams(t *testing.T) {
	inCallLab(t, 2, "AB", func(l *callLab) {
		caller, called := l.relays[0].client(1), l.relays[1].client(2)
		l.leads(called, "A:B")
		id := l.call(caller, called, wire.PathSeed{1})
		say := func(kid wire.KID, alias uint16) {
			caller.client.Session().SendMediaNow(alias, &wire.Media{KID: kid, Ciphertext: []byte("x")})
			time.Sleep(50 * time.Millisecond)
		}
		heard := func(kid wire.KID) bool {
			called.mu.Lock()
			defer called.mu.Unlock()
			return len(called.heard[kid]) > 0
		}
		for i := range uint8(60) { // more than the session has aliases
			kid := wire.MakeKID(caller.kid().Member(), 1, i)
			if say(kid, uint16(i)); !heard(kid) {
				t.Errorf("key %d is not heard", i)
			}
		}
		if say(wire.MakeKID(wire.MemberID{9}, 1, 0), 100); heard(wire.MakeKID(wire.MemberID{9}, 1, 0)) {
			t.Error("another member is heard")
		}
		for _, r := range l.relays {
			p := r.f.calls.media.find(id.Room())
			if n := len(p.from[0].streams); n != callStreams {
				t.Errorf("%s: %d streams", r.name(), n)
			}
		}
	})
}

// TestCallFlood: a peer that sends messages about calls without end is slowed down, and others' calls go on.
func TestCallFlood(t *testing.T) {
	inCallLab(t, 4, "AB BC DB", func(l *callLab) {
		b, d := l.relays[1], l.relays[3]
		caller, called := l.relays[0].client(1), l.relays[2].client(2)
		l.leads(called, "A:B B:C D:B")
		id := l.call(caller, called, wire.PathSeed{1})
		rogue := d.peerOf(b)
		for i := range 8000 {
			seed := wire.PathSeed{9, byte(i), byte(i >> 8)}
			m := wire.Append(nil, &wire.CallMessage{Path: wire.PathID(seed[:16]), Body: []byte("flood")})
			rogue.link.Send(wire.UrgentSessionMessage, m, nil)
		}
		late := l.relays[0].client(5)
		seed := wire.PathSeed{5}
		start := time.Now()
		late.forward(seed, 1, called)
		late.wasTold("1 set up", 2*time.Second)
		if took := time.Since(start); took > time.Second {
			t.Errorf("another call took %v", took)
		}
		caller.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("there")})
		if x, y := l.talk(caller, called, 0, 20); x != 20 || y != 20 {
			t.Errorf("%d and %d of 20 frames came", x, y)
		}
		if strings.Join(called.said, ",") != "there" {
			t.Errorf("%q", called.said)
		}
	})
}

// quietLine is a Line that sends nothing, and counts that.
type quietLine struct {
	*link.Session
	sent int
}

func (l *quietLine) SendMedia(*link.Tx, uint16, []byte, []byte) { l.sent++ }

// TestCallMediaAllocatesNothing, for a stream that is known: to a session and to a peer, from both.
func TestCallMediaAllocatesNothing(t *testing.T) {
	inCallLab(t, 2, "AB", func(l *callLab) {
		a, b := l.relays[0], l.relays[1]
		session := a.client(1).client.Session()
		quiet := &quietLine{Session: session}
		legs := []callLeg{{peer: a.peerOf(b)}, {line: &line{to: quiet}}, {line: &line{to: quiet}}}
		for i, from := range legs {
			for j, to := range legs[1:] {
				if i == j+1 {
					to = legs[0]
				}
				p := &callPath{id: wire.PathID{byte(i), byte(j)}}
				p.legs.Store(&[2]callLeg{from, to})
				if quiet.sent = 0; to.line != nil {
					to.line.speaks.Store(&p.id)
				}
				in := p.bind(a.f, from, &wire.Media{KID: 1})
				a.ep.WithTx(func(tx *link.Tx) {
					cipher := make([]byte, 60)
					var m wire.Media
					if n := testing.AllocsPerRun(100, func() {
						m = wire.Media{KID: 1, CTR: m.CTR + 1, Ciphertext: cipher}
						in.Media(&m, tx)
					}); n != 0 {
						t.Errorf("from leg %d to leg %d: %v allocations a frame", i, j, n)
					}
					if (to.line != nil) != (quiet.sent > 100) {
						t.Errorf("from leg %d to leg %d: %d frames to a session", i, j, quiet.sent)
					}
				})
			}
		}
	})
}

// TestCallWordByMedia: a frame of the called's is its word at all relays of the path, at once: from then on
// the caller may say as much as an end may. A frame of the caller's is none.
func TestCallWordByMedia(t *testing.T) {
	inCallLab(t, 3, "AB BC", func(l *callLab) {
		caller, called := l.relays[0].client(1), l.relays[2].client(2)
		l.leads(called, "A:B B:C")
		id := l.call(caller, called, wire.PathSeed{1})
		came := func(n int) int {
			said := func() int {
				called.mu.Lock()
				defer called.mu.Unlock()
				return len(called.said)
			}
			before := said()
			for range n {
				caller.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("x")})
			}
			time.Sleep(time.Second)
			return said() - before
		}
		caller.say(0, 5)
		if n := came(10); n != 4 {
			t.Errorf("%d of 10 messages came before the called said anything", n)
		}
		if n := l.relays[0].rooms.Drops.Count(drops.CallRate); n != 6 {
			t.Errorf("%d were counted", n)
		}
		called.say(0, 1)
		time.Sleep(200 * time.Millisecond)
		if n := came(10); n != 10 {
			t.Errorf("%d of 10 messages came after a frame of the called's", n)
		}
	})
}
