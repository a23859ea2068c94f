package relay

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// stalled has somebody talk whose network holds packets back for so long, and then lets all of them through
// at once; others talk meanwhile.
func stalled(held *talker, hold time.Duration, rounds int, others ...*talker) {
	n := int(hold / (2 * time.Millisecond))
	for range rounds {
		waiting := 0
		for range n {
			for _, o := range others {
				if o.ticks++; o.ticks%o.every == 0 {
					o.say()
				}
			}
			if held.ticks++; held.ticks%held.every == 0 {
				waiting++
			}
			time.Sleep(2 * time.Millisecond)
		}
		for range waiting {
			held.say()
		}
	}
	time.Sleep(time.Second)
}

// say sends the next frame.
func (t *talker) say() {
	t.person.client.Session().SendMediaNow(t.alias, &wire.Media{KID: t.person.kid(0), CTR: t.sent,
		Ciphertext: make([]byte, t.size)})
	t.sent++
}

// TestStalledTalker wants somebody whose network holds a second of speech back, and then lets it through at
// once, to lose nothing, whatever others do: its jitter buffer has adapted to that.
func TestStalledTalker(t *testing.T) {
	for _, test := range []struct {
		name   string
		size   int
		floods int
		addr   func(i int) string
	}{
		{"alone", 70, 0, nil},
		{"alone, 64 kbit/s, the most of our clients", 180, 0, nil},
		{"beside floods of many addresses", 70, 30,
			func(i int) string { return fmt.Sprintf("10.0.9.%d:1000", i+1) }},
		{"beside floods of its own address", 70, 30,
			func(i int) string { return fmt.Sprintf("10.0.8.1:%d", 1000+i) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inLab(t, Config{HelloRate: 1000}, func(l *lab) {
				speech, listener := &talker{person: l.at("10.0.8.1:2000"), size: test.size, every: 10},
					l.at("10.0.7.1:1")
				var floods []*talker
				for i := range test.floods {
					floods = append(floods, full(l.at(test.addr(i))))
				}
				stalled(speech, time.Second, 10, floods...)
				if n := listener.ears.heard(speech.person.kid(0)); n != int(speech.sent) {
					t.Errorf("%d of %d frames arrived", n, speech.sent)
				}
			})
		})
	}
}

// TestCountsOfToldTalker wants what a talker is told to be of the time since frames began to be dropped: not
// of the hour before, in which nothing was.
func TestCountsOfToldTalker(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		speech := quiet(l.joined("r"))
		l.joined("r")
		var mu sync.Mutex // guards told
		var told []wire.MediaDropped
		news := func(kind wire.UrgentKind, body []byte) {
			mu.Lock()
			defer mu.Unlock()
			if m, err := wire.Parse[wire.MediaDropped](body); kind == wire.UrgentMediaDropped && err == nil &&
				m.Reason != wire.DropNone {
				told = append(told, m)
			}
		}
		speech.person.ears.mu.Lock()
		speech.person.ears.news = news
		speech.person.ears.mu.Unlock()
		for range 2 {
			talk(60, speech) // 3000 frames
			flood := loud(speech.person)
			flood.sent = speech.sent
			talk(1, flood) // 500
			speech.sent = flood.sent
		}
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(told) == 0 {
			t.Fatal("nothing was told")
		}
		for _, m := range told {
			if m.Sent > 1000 {
				t.Errorf("%d of %d frames are said to be dropped, in a second of 500", m.Dropped, m.Sent)
			}
		}
	})
}
