package federation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestCallOverChain: a call over five relays is set up, spoken over by media and messages both ways, hung up,
// and forgotten everywhere within a second.
func TestCallOverChain(t *testing.T) {
	inCallLab(t, 5, "AB BC CD DE", func(l *callLab) {
		caller, called := l.relays[0].client(1), l.relays[4].client(2)
		l.leads(called, "A:B B:C C:D D:E")
		id := l.call(caller, called, wire.PathSeed{1})
		if len(called.offers) != 1 || !called.offers[0].Verify() || called.offers[0].Path() != id ||
			string(called.offers[0].Offer) != "sealed offer" {
			t.Fatalf("%+v", called.offers)
		}
		caller.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("there")})
		called.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("here")})
		if a, b := l.talk(caller, called, 0, 50); a != 50 || b != 50 {
			t.Errorf("%d and %d of 50 frames came", a, b)
		}
		if !slices.Equal(called.said, []string{"there"}) || !slices.Equal(caller.said, []string{"here"}) {
			t.Errorf("%q and %q", called.said, caller.said)
		}
		for _, r := range l.relays {
			c := r.f.Calls()
			if c.SetUp != 1 || c.Frames != 100 || c.Open != 1 {
				t.Errorf("%s: %+v", r.name(), c)
			}
		}
		if h := l.relays[4].f.Calls().Hops; h[5] != 1 {
			t.Errorf("%v", h)
		}
		called.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
		caller.wasTold("end 1 hung up", time.Second)
		l.empty(time.Second)
		if a, b := l.talk(caller, called, 100, 5); a != 0 || b != 0 {
			t.Errorf("%d and %d frames came after the end", a, b)
		}
		r := l.analyze()
		if got := callWays(r); !slices.Equal(got, []string{"1 ABCDE hung up"}) || r.Calls[0].Hops != 5 ||
			r.Calls[0].SetUpMS < 80 || r.Calls[0].SetUpMS > 500 {
			t.Errorf("%q, %+v", got, r.Calls)
		}
		links := 0
		for _, hop := range r.Hops { // four links, two directions, by half of the path's id
			if hop.Kind == eventlog.HopLink && hop.Sent == 50 && hop.Arrived == 50 &&
				hop.Room == "#"+id.Room().String() {
				links++
			}
		}
		if links != 8 {
			t.Errorf("%d hops over links: %+v", links, r.Hops)
		}
	})
}

// TestCallMediaSaidEarly: an end may say that its media is of a path before that is set up, or with the
// forward.
func TestCallMediaSaidEarly(t *testing.T) {
	inCallLab(t, 2, "AB", func(l *callLab) {
		caller, called := l.relays[0].client(1), l.relays[1].client(2)
		l.leads(called, "A:B")
		seed := wire.PathSeed{1}
		for _, c := range []*callClient{caller, called} {
			c.says(wire.UrgentCallMedia, &wire.CallMedia{Path: wire.PathIDOf(seed.Key())})
		}
		caller.forward(seed, 1, called)
		caller.wasTold("1 set up", time.Second)
		time.Sleep(100 * time.Millisecond)
		if a, b := l.talk(caller, called, 0, 20); a != 20 || b != 20 {
			t.Errorf("%d and %d of 20 frames came", a, b)
		}
	})
}

// TestCallAtOneRelay: both ends are at the same relay.
func TestCallAtOneRelay(t *testing.T) {
	inCallLab(t, 1, "", func(l *callLab) {
		caller, called := l.relays[0].client(1), l.relays[0].client(2)
		l.call(caller, called, wire.PathSeed{1})
		if a, b := l.talk(caller, called, 0, 50); a != 50 || b != 50 {
			t.Errorf("%d and %d of 50 frames came", a, b)
		}
		called.client.Close()
		caller.wasTold("end 1 failed", 5*time.Second)
		l.empty(time.Second)
	})
}

// TestCallHomeRestarts: the called's relay is killed and returns without memory. The called's session is a
// new one, which shows that it is an end of the path; the caller is told that the path failed, and asks for
// it anew. There is no second offer. The same with the caller's relay.
func TestCallHomeRestarts(t *testing.T) {
	for _, killed := range []int{2, 0} {
		inCallLab(t, 3, "AB BC", func(l *callLab) {
			caller, called := l.relays[0].client(1), l.relays[2].client(2)
			l.leads(called, "A:B B:C")
			seed := wire.PathSeed{1}
			id := l.call(caller, called, seed)
			l.talk(caller, called, 0, 10)
			l.relays[killed].kill()
			time.Sleep(2 * time.Second)
			l.relays[killed].up()
			away, other := called, caller
			if killed == 0 {
				away, other = caller, called
			}
			other.wasTold("end 1 failed", 30*time.Second)
			l.eventually("links are up again", 30*time.Second, func() bool {
				return l.relays[1].f.Totals().PeersUp == 2
			})
			for _, c := range []*callClient{called, other} {
				p := &wire.CallProof{Generation: 1, Expiry: uint64(time.Now().Add(time.Minute).Unix())}
				p.Sign(seed, c.relay.key.Public(), c.key.Public())
				c.says(wire.UrgentCallMedia, &wire.CallMedia{Path: id, Proof: p})
			}
			time.Sleep(200 * time.Millisecond)
			caller.forward(seed, 2, called)
			caller.wasTold("2 set up", 2*time.Second)
			away.says(wire.UrgentCallMedia, &wire.CallMedia{Path: id})
			time.Sleep(200 * time.Millisecond)
			if a, b := l.talk(caller, called, 100, 20); a != 20 || b != 20 {
				t.Errorf("relay %d: %d and %d of 20 frames came", killed, a, b)
			}
			if len(called.offers) != 1 {
				t.Errorf("relay %d: %d offers", killed, len(called.offers))
			}
		})
	}
}

// TestCallWords: a relay passes a peer's forwards on only between those of whom its operator says mesh, and
// takes none from one of whom it says none.
func TestCallWords(t *testing.T) {
	inCallLab(t, 3, "AB BC", func(l *callLab) {
		b, c := l.relays[1], l.relays[2]
		caller, near, far := l.relays[0].client(1), b.client(2), c.client(3)
		l.leads(near, "A:B")
		l.leads(far, "A:B B:C")
		for i, tc := range []struct {
			ofA, ofC  presence.Word
			near, far string
		}{
			{presence.Mesh, presence.Mesh, "set up", "set up"},
			{presence.Peer, presence.Mesh, "set up", "no route"},
			{presence.Mesh, presence.Peer, "set up", "no route"},
			{presence.None, presence.Mesh, "no route", "no route"},
		} {
			b.peers[0].Presence, b.peers[1].Presence = tc.ofA, tc.ofC
			b.f.Configure(Config{Peers: b.peers, IsGlobal: func(string) bool { return false }})
			time.Sleep(100 * time.Millisecond)
			generation := uint64(i + 1)
			for j, to := range []*callClient{near, far} {
				seed := wire.PathSeed{byte(i), byte(j)}
				id := caller.forward(seed, generation, to)
				caller.wasTold(fmt.Sprint(generation, " ", []string{tc.near, tc.far}[j]), 2*time.Second)
				caller.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: generation})
				time.Sleep(100 * time.Millisecond)
				caller.mu.Lock()
				caller.told = nil
				caller.mu.Unlock()
			}
		}
	})
}

// TestCallRelayKilled: in a ring a relay of the path is killed; who has heard nothing for 2 s asks for
// another way, and frames come again within 5 s. When the links are noticed to be down, that changes nothing.
func TestCallRelayKilled(t *testing.T) {
	inCallLab(t, 5, "AB BC CD DE EA", func(l *callLab) {
		caller, called := l.relays[0].client(1), l.relays[2].client(2)
		l.leads(called, "A:BE E:D D:C B:C")
		seed := wire.PathSeed{1}
		l.call(caller, called, seed)
		if a, b := l.talk(caller, called, 0, 20); a != 20 || b != 20 {
			t.Fatalf("%d and %d of 20 frames came", a, b)
		}
		l.relays[1].kill()
		start := time.Now()
		if a, b := l.talk(caller, called, 100, 90); a != 0 || b != 0 { // 1.8 s, and 0.2 s
			t.Errorf("%d and %d frames came over a relay that is dead", a, b)
		}
		id := caller.forward(seed, 2, called)
		caller.wasTold("2 set up", 2*time.Second)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if a, b := l.talk(caller, called, 200, 50); a != 50 || b != 50 {
			t.Errorf("%d and %d of 50 frames came by the other way", a, b)
		}
		time.Sleep(20 * time.Second) // the links with the dead one are over
		if a, b := l.talk(caller, called, 300, 50); a != 50 || b != 50 {
			t.Errorf("%d and %d of 50 frames came", a, b)
		}
		caller.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 2})
		called.wasTold("end 2 hung up", time.Second)
		l.relays[1].up()
		l.empty(time.Second)
		if got := callWays(l.analyze()); !slices.Equal(got, []string{"1 ABC failed", "2 AEDC hung up"}) {
			t.Errorf("%q", got)
		}
	})
}

// TestCallMediaChosen: a session with two calls, of which one is held, gets the frames of that which its own
// belong to, and of no other.
func TestCallMediaChosen(t *testing.T) {
	inCallLab(t, 1, "", func(l *callLab) {
		r := l.relays[0]
		first, second, called := r.client(1), r.client(2), r.client(3)
		held := l.call(first, called, wire.PathSeed{1})
		l.call(second, called, wire.PathSeed{2})
		first.say(0, 10)
		second.say(0, 10)
		time.Sleep(time.Second)
		if a, b := called.heardOf(first), called.heardOf(second); a != 0 || b != 10 {
			t.Errorf("%d frames of the held call came, and %d of 10 of the other", a, b)
		}
		called.says(wire.UrgentCallMedia, &wire.CallMedia{Path: held})
		time.Sleep(time.Second)
		first.say(10, 10)
		second.say(10, 10)
		time.Sleep(time.Second)
		if a, b := called.heardOf(first), called.heardOf(second); a != 10 || b != 10 {
			t.Errorf("after the change: %d and %d frames, want 10 of each", a, b)
		}
	})
}
