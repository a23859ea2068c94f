package relay

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// callEnd is one end of a call, by hand: what its relay says of paths.
type callEnd struct {
	*caller
	mu   sync.Mutex // guards what follows
	told []string
}

// end makes a line one end of calls.
func (c *caller) end() *callEnd {
	e := &callEnd{caller: c}
	c.ears.mu.Lock()
	defer c.ears.mu.Unlock()
	c.ears.news = func(kind wire.UrgentKind, body []byte) {
		text, err := "", error(nil)
		switch kind {
		case wire.UrgentCallOffer:
			text = "offer"
		case wire.UrgentCallState:
			var m wire.CallState
			m, err = wire.Parse[wire.CallState](body)
			text = fmt.Sprint(m.Generation, " ", m.Code)
		case wire.UrgentCallMessage:
			var m wire.CallMessage
			m, err = wire.Parse[wire.CallMessage](body)
			text = fmt.Sprint("message ", string(m.Body))
		case wire.UrgentCallEnd:
			var m wire.CallEnd
			m, err = wire.Parse[wire.CallEnd](body)
			text = fmt.Sprint("end ", m.Generation, " ", m.Reason)
		}
		if err != nil {
			c.lab.t.Error(err)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.told = append(e.told, text)
	}
	return e
}

func (e *callEnd) says(kind wire.UrgentKind, m wire.UrgentMessage) {
	e.lab.t.Helper()
	if err := e.client.Session().SendUrgent(kind, wire.Append(nil, m)); err != nil {
		e.lab.t.Fatal(err)
	}
}

// forward asks for a path to another end.
func (e *callEnd) forward(seed wire.PathSeed, generation uint64, to *callEnd) wire.PathID {
	e.lab.t.Helper()
	reach, err := wire.ParseReach(to.record)
	if err != nil {
		e.lab.t.Fatal(err)
	}
	f := &wire.CallForward{Generation: generation, Expiry: uint64(time.Now().Add(time.Minute).Unix()),
		Target: to.id.Fingerprint(), Device: reach.Device(), Hops: wire.MaxHops, Offer: []byte("sealed")}
	f.Sign(seed)
	e.says(wire.UrgentCallForward, f)
	return f.Path()
}

// wasTold waits until the end was told something.
func (e *callEnd) wasTold(what string, limit time.Duration) {
	e.lab.t.Helper()
	e.lab.eventually("told "+what, limit, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.Contains(e.told, what)
	})
}

// bothTalk has both ends send 20 frames, and wants them all to come.
func bothTalk(what string, first int, ends ...*callEnd) {
	var wg sync.WaitGroup
	kid := func(e *callEnd) wire.KID {
		key := e.id.Public()
		return wire.MakeKID(wire.MemberID(key[:6]), 0, 0)
	}
	before := []int{ends[0].ears.heard(kid(ends[1])), ends[1].ears.heard(kid(ends[0]))}
	for _, e := range ends {
		wg.Go(func() {
			for i := range 20 {
				e.say(kid(e), 0, first+i, 1)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	time.Sleep(200 * time.Millisecond)
	for i, e := range ends {
		if n := e.ears.heard(kid(ends[1-i])) - before[i]; n != 20 {
			e.lab.t.Errorf("%s: end %d heard %d of 20 frames", what, i, n)
		}
	}
}

// TestCall is a call between clients of two relays of a ring of five, that know of each other by presence
// alone: by the shorter way, and by the longer one when the relay on the way is not heard of any more.
func TestCall(t *testing.T) {
	inMesh(t, func(m *mesh) {
		for range 5 {
			m.node()
		}
		for i := range 5 {
			m.nodes[i].knows(m.nodes[(i+1)%5])
		}
		for _, n := range m.nodes {
			for i := range n.peers {
				n.peers[i].Presence = presence.Mesh
			}
			n.up()
		}
		for i := range 5 {
			m.linked(m.nodes[i], m.nodes[(i+1)%5])
		}
		a, b, c := m.nodes[0], m.nodes[1], m.nodes[2]
		called, calling := c.line(true).end(), a.line(false).end()
		time.Sleep(2 * time.Second)

		seed := wire.PathSeed{1}
		id := calling.forward(seed, 1, called)
		calling.wasTold("1 set up", time.Second)
		called.wasTold("offer", time.Second)
		for _, e := range []*callEnd{calling, called} {
			e.says(wire.UrgentCallMedia, &wire.CallMedia{Path: id})
		}
		called.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("ringing")})
		calling.wasTold("message ringing", time.Second)
		bothTalk("by B", 0, calling, called)
		if n := b.metric("call_frames_total"); n != 40 {
			t.Errorf("%v frames went by B", n)
		}
		if n := c.labelledMetric("call_relays_total", "relays", "3"); n != 1 {
			t.Errorf("%v calls over three relays came to C", n)
		}

		m.cut(a, b, true)
		m.cut(b, c, true)
		cut := time.Now()
		time.Sleep(2 * time.Second) // the caller hears nothing for so long
		calling.forward(seed, 2, called)
		calling.wasTold("2 set up", 2*time.Second)
		if took := time.Since(cut); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
		bothTalk("by E and D", 100, calling, called)
		time.Sleep(20 * time.Second)
		bothTalk("when B was missed", 200, calling, called)

		calling.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 2})
		called.wasTold("end 2 hung up", time.Second)
		m.eventually("all is forgotten but at B, which nobody can tell", time.Second, func() bool {
			left := 0.0
			for _, n := range []*node{a, c, m.nodes[3], m.nodes[4]} {
				left += n.metric("call_paths") + n.metric("call_paths_asked")
			}
			return left == 0
		})
		called.mu.Lock()
		defer called.mu.Unlock()
		if n := len(called.told); n != 2 {
			t.Errorf("the called was told %q", called.told)
		}
	})
}
