package link

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// picky refuses an urgent message as long as refuse says so, and notes what must not happen.
type picky struct {
	*counting
	refuse func(body string) bool
	inside atomic.Int32

	mu    sync.Mutex     // guards what follows
	calls map[string]int // by body
	taken map[string]int
}

func newPicky(t *testing.T, refuse func(body string) bool) *picky {
	return &picky{counting: &counting{t: t}, refuse: refuse, calls: make(map[string]int),
		taken: make(map[string]int)}
}

func (p *picky) Urgent(_ *Session, _ wire.UrgentKind, body []byte) bool {
	if p.inside.Add(1) != 1 {
		p.t.Error("two urgent messages of one session at once")
	}
	defer p.inside.Add(-1)
	refused := p.refuse(string(body))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[string(body)]++
	if !refused {
		p.taken[string(body)]++
	}
	return !refused
}

// checkTaken finds what is acknowledged though it was not taken. Bodies are numbers.
func (p *picky) checkTaken(s *Session, messages uint64) {
	s.mu.Lock()
	ack := s.urgentIn.ack()
	s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := range messages {
		if ack.Has(n) && p.taken[fmt.Sprint(n)] == 0 {
			p.t.Errorf("message %d was acknowledged and not taken", n)
		}
	}
}

// TestUrgentRefusedComesAgain refuses one message three times while others go through.
func TestUrgentRefusedComesAgain(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 30 * time.Millisecond, Loss: 0.2, Seed: 1}, Config{}, func(l *lab) {
		p := l.joined()
		s := l.sessionOf(p)
		var refused atomic.Int32
		h := newPicky(t, func(body string) bool { return body == "early" && refused.Add(1) <= 3 })
		p.client.Session().handler = h
		var early atomic.Bool
		s.SendUrgentThen(wire.UrgentKey, []byte("early"), func(acked bool) { early.Store(acked) })
		for i := range 5 {
			s.SendUrgent(wire.UrgentKey, fmt.Append(nil, i))
		}
		l.eventually("three refusals", 5*time.Second, func() bool { return refused.Load() == 3 })
		if early.Load() || s.UrgentPending() == 0 {
			l.t.Error("a refused message was acknowledged")
		}
		l.eventually("all are acknowledged", 10*time.Second, func() bool { return s.UrgentPending() == 0 })
		time.Sleep(time.Second)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.calls["early"] != 4 || !early.Load() || len(h.taken) != 6 {
			l.t.Errorf("handed over %v, taken %v, done %v", h.calls, h.taken, early.Load())
		}
		for body, n := range h.taken {
			if n != 1 {
				l.t.Errorf("%q was taken %d times", body, n)
			}
		}
	})
}

// TestUrgentDuplicatesAtOnce has several goroutines receive the same messages, which are refused now and
// then.
func TestUrgentDuplicatesAtOnce(t *testing.T) {
	relay := newSide(t, false)
	s := relay.session
	h := newPicky(t, func(string) bool { return rand.IntN(3) > 0 })
	s.handler = h
	var wg sync.WaitGroup
	const messages = 50
	for range 4 {
		wg.Go(func() {
			tx := newTx(relay.ep.mux.NewBatch())
			relay.ep.stamp(tx)
			for range 40 {
				for n := range uint64(messages) {
					s.frames(tx, wire.AppendUrgent(nil,
						&wire.Urgent{Number: n, Kind: wire.UrgentKey, Message: fmt.Append(nil, n)}, true),
						relay.path)
				}
				tx.batch.Flush()
				h.checkTaken(s, messages)
			}
		})
	}
	wg.Wait()
	for body, n := range h.taken {
		if n != 1 {
			t.Errorf("message %s was taken %d times", body, n)
		}
	}
	if want := (wire.UrgentAck{Base: messages}); s.urgentIn.ack() != want || len(h.taken) != messages {
		t.Errorf("%d of %d were taken, ack %+v", len(h.taken), messages, s.urgentIn.ack())
	}
}

// TestUrgentHandlerMayEndTheSession ends it within Urgent, with messages of its own under way.
func TestUrgentHandlerMayEndTheSession(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 30 * time.Millisecond}, Config{}, func(l *lab) {
		p := l.joined()
		s := l.sessionOf(p)
		l.net.Block(relayAddr.Addr(), p.addr.Addr(), true)
		var acked, lost atomic.Int32
		for range 3 {
			s.SendUrgentThen(wire.UrgentKey, nil, func(ok bool) {
				if ok {
					acked.Add(1)
				} else {
					lost.Add(1)
				}
			})
		}
		l.net.Block(relayAddr.Addr(), p.addr.Addr(), false)
		p.client.Session().SendUrgent(wire.UrgentLeave, nil) // the sfu ends the session
		l.eventually("the session ends", 5*time.Second, s.Over)
		if acked.Load() != 0 || lost.Load() != 3 {
			l.t.Errorf("%d messages acknowledged, %d lost", acked.Load(), lost.Load())
		}
		if err := s.SendUrgentThen(wire.UrgentKey, nil,
			func(bool) { l.t.Error("done, though it failed") }); err != ErrOver {
			l.t.Errorf("a message for a session that is over: %v", err)
		}
	})
}

// TestUrgentThenARestartedRelay has a relay die before it gets a message, and another one come that knows
// nothing.
func TestUrgentThenARestartedRelay(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 30 * time.Millisecond}, Config{}, func(l *lab) {
		p := l.joined()
		var results []bool
		var mu sync.Mutex
		note := func(acked bool) {
			mu.Lock()
			defer mu.Unlock()
			results = append(results, acked)
		}
		p.client.Session().SendUrgentThen(wire.UrgentKeyWraps, []byte("a"), note)
		time.Sleep(time.Second)
		l.killRelay()
		p.client.Session().SendUrgentThen(wire.UrgentKeyWraps, []byte("b"), note)
		time.Sleep(time.Second)
		l.startRelay(Config{})
		l.eventually("attached again", 20*time.Second, func() bool { return len(p.ears.attachments()) == 2 })
		mu.Lock()
		defer mu.Unlock()
		if len(results) != 2 || !results[0] || results[1] {
			l.t.Errorf("results %v, want the first acknowledged, the second not", results)
		}
	})
}

func TestReceivedWithin(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 30 * time.Millisecond}, Config{}, func(l *lab) {
		p := l.joined()
		s := l.sessionOf(p)
		time.Sleep(30 * time.Second)
		if !s.ReceivedWithin(4 * time.Second) {
			l.t.Error("a client that is there was not heard")
		}
		l.net.Block(p.addr.Addr(), relayAddr.Addr(), true)
		time.Sleep(5 * time.Second)
		if s.ReceivedWithin(4*time.Second) || !s.ReceivedWithin(10*time.Second) {
			l.t.Error("a client that is gone was heard")
		}
		l.net.Block(p.addr.Addr(), relayAddr.Addr(), false)
	})
}
