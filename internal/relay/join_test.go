package relay

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

func TestJoinChecks(t *testing.T) {
	for _, test := range []struct {
		name   string
		edit   func(p *person, j *wire.Join)
		reason string
	}{
		{"another room", func(p *person, j *wire.Join) {
			j.Entry = newEntry(p.lab.t, p.id, "other",
				p.lab.key.Public())
		}, "another room"},
		{"another identity", func(p *person, j *wire.Join) {
			j.Entry = newEntry(p.lab.t, newIdentity(99), "r", p.lab.key.Public())
		}, "another identity"},
		{"another home relay", func(p *person, j *wire.Join) {
			j.Entry = newEntry(p.lab.t, p.id, "r",
				newIdentity(98).Public())
		}, "another relay"},
		{"bad signature", func(_ *person, j *wire.Join) { j.Entry[len(j.Entry)-1] ^= 1 }, "signature"},
		{"garbage", func(_ *person, j *wire.Join) { j.Entry = []byte("garbage") }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			inLab(t, Config{}, func(l *lab) {
				p := l.person()
				p.edit = test.edit
				err := p.join("r")
				if code(err) != wire.CodeEntry || !strings.Contains(err.Error(), test.reason) {
					t.Errorf("%v, want %q because of %q", err, wire.CodeEntry, test.reason)
				}
				l.eventually("the session ends", 5*time.Second,
					func() bool { return l.metric("sessions") == 0 })
				l.want("afterwards", map[string]float64{"members": 0, "rooms": 0, "joins_total": 0})
			})
		})
	}
}

func TestTakenEntry(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		a, b := l.joined("r"), l.person()
		b.edit = func(_ *person, j *wire.Join) { j.Entry = a.entry }
		if err := b.join("r"); code(err) != wire.CodeEntry {
			t.Errorf("another's entry: %v", err)
		}
		// The same person's second session with the same entry.
		twin := l.raw(a.id)
		twin.hello(1)
		twin.send(&wire.Join{Room: "r", Entry: a.entry})
		twin.wantRefused(wire.CodeEntry)
		l.want("one is in", map[string]float64{"members": 1, "joins_total": 1, "session limit": 1})
	})
}

func TestJoinAgain(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		a, b := l.joined("r"), l.joined("r")
		answer, err := a.client.Request(context.Background(), &wire.Join{Room: "r", Entry: a.entry})
		joined, ok := answer.(*wire.Joined)
		if !ok || joined.Member != a.member || joined.Members != 2 || joined.Room != "r" {
			t.Errorf("joining again: %+v, %v", answer, err)
		}
		l.want("same as before", map[string]float64{"members": 2, "joins_total": 2})
		second := &wire.Join{Room: "r", Entry: newEntry(t, a.id, "r", l.key.Public())}
		if _, err := a.client.Request(context.Background(), second); code(err) != wire.CodeProtocol {
			t.Errorf("a second member of one session: %v", err)
		}
		l.eventually("it has left", time.Second, func() bool {
			b.ears.mu.Lock()
			defer b.ears.mu.Unlock()
			return slices.Contains(b.ears.left, a.member)
		})
		l.want("one is out", map[string]float64{"members": 1, "leaves_total": 1})
	})
}

// TestTwoConnectionsJoinAtOnce wants a session to have one member, whatever its connections ask for.
func TestTwoConnectionsJoinAtOnce(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		id := newIdentity(1)
		var conns []*raw
		for range 4 {
			r := l.raw(id)
			r.hello(1)
			conns = append(conns, r)
		}
		for _, r := range conns {
			r.send(&wire.Join{Room: "r", Entry: newEntry(t, id, "r", l.key.Public())})
		}
		joined, refused := 0, 0
		for _, r := range conns {
			switch r.read().(type) {
			case *wire.Joined:
				joined++
			case *wire.Refused:
				refused++
			}
		}
		if joined != 1 {
			t.Errorf("%d joined, %d refused", joined, refused)
		}
		l.eventually("nobody stays behind", 5*time.Second, func() bool { return l.metric("members") == 0 })
		l.want("in the end", map[string]float64{"sessions": 0, "rooms": 0, "joins_total": 1,
			"leaves_total": 1})
	})
}

// TestNews wants all to be told of joins and leaves, and pages to list who is there.
func TestNews(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		a, b := l.joined("r"), l.joined("r")
		c := l.joined("another")
		l.eventually("a hears of b", time.Second, func() bool {
			a.ears.mu.Lock()
			defer a.ears.mu.Unlock()
			return slices.Contains(a.ears.joined, b.member)
		})
		answer, err := a.client.Request(context.Background(), &wire.Members{})
		page, ok := answer.(*wire.MemberPage)
		if !ok || len(page.Entries) != 2 || page.Next != nil {
			t.Fatalf("%+v, %v", answer, err)
		}
		b.client.Close()
		l.eventually("a hears that b left", time.Second, func() bool {
			a.ears.mu.Lock()
			defer a.ears.mu.Unlock()
			return slices.Contains(a.ears.left, b.member)
		})
		c.ears.mu.Lock()
		defer c.ears.mu.Unlock()
		if slices.Contains(c.ears.joined, a.member) || len(c.ears.left) > 0 {
			t.Error("told in another room")
		}
	})
}

// TestLeaveMessage leaves by the control stream.
func TestLeaveMessage(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		r := l.raw(newIdentity(1))
		r.hello(1)
		r.send(&wire.Join{Room: "r", Entry: newEntry(t, r.id, "r", l.key.Public())})
		if _, ok := r.read().(*wire.Joined); !ok {
			t.Fatal("not joined")
		}
		r.send(&wire.Leave{})
		l.eventually("it has left", time.Second, func() bool { return l.metric("sessions") == 0 })
		l.want("afterwards", map[string]float64{"members": 0, "rooms": 0, "leaves_total": 1})
	})
}

func TestControlStream(t *testing.T) {
	inLab(t, Config{ControlRate: 2}, func(l *lab) {
		early := l.raw(newIdentity(1))
		early.hello(1)
		early.send(&wire.Members{})
		early.wantRefused(wire.CodeProtocol)

		strange := l.raw(newIdentity(2))
		strange.hello(2)
		strange.send(&wire.Welcome{ConnID: 1})
		strange.wantRefused(wire.CodeProtocol)

		large := l.raw(newIdentity(3))
		large.hello(3)
		large.write([]byte{0, 1, 0, 1})
		large.wantRefused(wire.CodeProtocol)

		unknown := l.raw(newIdentity(4))
		unknown.hello(4)
		unknown.send(&wire.Join{Room: "r", Entry: newEntry(t, unknown.id, "r", l.key.Public())})
		later := `{"Teleport":{"where":[1,2,{}]}}`
		unknown.write(append([]byte{0, 0, 0, byte(len(later))}, later...))
		unknown.send(&wire.Members{})
		if _, ok := unknown.read().(*wire.Joined); !ok {
			t.Error("not joined")
		}
		if page, ok := unknown.read().(*wire.MemberPage); !ok || len(page.Entries) != 1 {
			t.Errorf("after an unknown message: %+v", page)
		}

		busy := l.raw(newIdentity(5))
		busy.hello(5)
		busy.send(&wire.Join{Room: "r", Entry: newEntry(t, busy.id, "r", l.key.Public())})
		for range 40 {
			busy.send(&wire.Members{})
		}
		busy.wantRefused(wire.CodeRate)
		if n := l.dropped(drops.ControlRate); n != 1 {
			t.Errorf("%v closed", n)
		}
	})
}
