package link

import (
	"bytes"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
)

// TestRepeats: what QUIC sends to an address goes there twice more, until the other was heard.
func TestRepeats(t *testing.T) {
	const trip = 100 * time.Millisecond
	to, other := simtest.Host(1), simtest.Host(2)
	var r repeats
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	due := func(ms int, want ...string) {
		t.Helper()
		list, _ := r.due(at(ms))
		if len(list) != len(want) {
			t.Fatalf("after %d ms %d go again, want %v", ms, len(list), want)
		}
		for i, c := range list {
			if string(c.p) != want[i] || string(c.oob) != "o" || c.to != to {
				t.Errorf("after %d ms %q to %v goes again, want %q", ms, c.p, c.to, want[i])
			}
		}
	}
	send := func(ms int, p string, to netip.AddrPort) bool { return r.sent([]byte(p), []byte("o"), to, at(ms)) }

	if send(0, "x", to) {
		t.Error("though nothing began")
	}
	if r.begin(to, repeatTrip+1, at(0)); send(0, "x", to) {
		t.Error("though the path may be a narrow one's")
	}
	if r.begin(to, trip, at(0)); !send(0, "a", to) || send(0, "x", other) || !send(20, "b", to) {
		t.Fatal("not what goes to that address is copied")
	}
	due(20)
	due(60, "a", "b")
	due(100)
	due(140, "a")
	due(150)
	due(160, "b")
	if _, more := r.due(at(200)); more {
		t.Error("there is more than twice")
	}
	send(300, "c", to)
	r.end(to)
	due(1000)
	if r.active.Load() != 0 || send(1000, "x", to) {
		t.Error("goes on though the other was heard")
	}

	r.begin(to, trip, at(2000))
	for i := range repeatMost + 1 {
		if again := send(2000, "x", to); again != (i < repeatMost) {
			t.Errorf("datagram %d is copied: %v", i, again)
		}
	}
	for _, ms := range []int{2040, 2140} {
		if list, _ := r.due(at(ms)); len(list) != repeatMost {
			t.Errorf("%d go again", len(list))
		}
	}
	if r.begin(to, trip, at(3000)); send(4001, "x", to) {
		t.Error("after a second")
	}
	if r.due(at(4001)); r.active.Load() != 0 {
		t.Error("the address is not forgotten")
	}

	for i := range repeatPaths + 1 {
		r.begin(netip.AddrPortFrom(to.Addr(), uint16(i+1)), trip, at(5000))
	}
	if n := int(r.active.Load()); n != repeatPaths {
		t.Errorf("%d addresses", n)
	}
}

// TestLostFlights loses what a client sends once its handshake is complete, and then what the relay answers,
// once: the next copy is there long before QUIC's time-out, which is three round trips and more.
func TestLostFlights(t *testing.T) {
	for _, test := range []struct {
		name      string
		lost      time.Duration // what is sent around then
		from      int           // 0: by the client
		want, end time.Duration
	}{
		{"Hello", 200 * time.Millisecond, 0, 400 * time.Millisecond, 550 * time.Millisecond},
		{"Welcome", 300 * time.Millisecond, 1, 400 * time.Millisecond, 550 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			inLab(t, simnet.Profile{Delay: 100 * time.Millisecond}, Config{}, func(l *lab) {
				p := l.person()
				from, to := p.addr.Addr(), relayAddr.Addr()
				if test.from == 1 {
					from, to = to, from
				}
				time.AfterFunc(test.lost-5*time.Millisecond, func() { l.net.Block(from, to, true) })
				time.AfterFunc(test.lost+10*time.Millisecond, func() { l.net.Block(from, to, false) })
				begin := time.Now()
				if err := p.join(time.Minute); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took <= test.want || took > test.end {
					t.Errorf("joined within %v, want %v to %v", took, test.want, test.end)
				}
			})
		})
	}
}

// TestNothingIsRepeatedInVain: on a path that loses nothing and is not slow QUIC's datagrams go once.
func TestNothingIsRepeatedInVain(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 5 * time.Millisecond}, Config{}, func(l *lab) {
		var mu sync.Mutex // guards what follows
		var seen [][]byte
		twice := 0
		l.tap(func(_, _ netip.AddrPort, p []byte, _ bool) {
			if isSealed(p) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, before := range seen {
				if bytes.Equal(before, p) {
					twice++
				}
			}
			seen = append(seen, bytes.Clone(p))
		})
		l.joined()
		time.Sleep(3 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if twice != 0 || len(seen) == 0 {
			t.Errorf("%d of %d datagrams went twice", twice, len(seen))
		}
	})
}
