package relay

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// mediaOverhead is what a frame has on the wire beside its ciphertext.
const mediaOverhead = 49

// talk has people send for a time, each a packet of its size every so often.
func talk(seconds int, talkers ...*talker) {
	for range seconds * 500 {
		for _, t := range talkers {
			if t.ticks++; t.ticks%t.every == 0 {
				t.say()
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	time.Sleep(time.Second)
}

// talker is a person who talks: a frame of size bytes every so many 2 ms.
type talker struct {
	person      *person
	size, every int
	alias       uint16
	ticks       int
	sent        uint64
}

// loud sends as many frames as are allowed, as large as may be; quiet is speech at 24 kbit/s.
func loud(p *person) *talker  { return &talker{person: p, size: wire.MaxCiphertext, every: 1} }
func quiet(p *person) *talker { return &talker{person: p, size: 70, every: 10} }

// full sends a member's whole rate in large frames.
func full(p *person) *talker { return &talker{person: p, size: wire.MaxCiphertext, every: 17} }

// at returns somebody who is in the room, at an address.
func (l *lab) at(addr string) *person {
	l.t.Helper()
	p := l.person(netip.MustParseAddrPort(addr))
	if err := p.join("r"); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// TestFloodOfBytes wants one who sends 4.5 Mbit/s to have no more than a member's rate passed on, and nothing
// of a quiet one to be lost.
func TestFloodOfBytes(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		flood, speech, listener := loud(l.joined("r")), quiet(l.joined("r")), l.joined("r")
		talk(10, flood, speech)
		bytes := listener.ears.heard(flood.person.kid(0)) * (wire.MaxCiphertext + mediaOverhead)
		if most := 10*256_000/8 + 256_000/8/2 + 1200; bytes > most || bytes < 9*256_000/8 {
			t.Errorf("%d bytes of the flood reached a listener, of %d sent; want %d at most", bytes,
				flood.sent*(wire.MaxCiphertext+mediaOverhead), most)
		}
		if n := listener.ears.heard(speech.person.kid(0)); n != int(speech.sent) {
			t.Errorf("%d of %d frames of the quiet one arrived", n, speech.sent)
		}
	})
}

// TestFloodsAndOneQuiet wants a quiet one to lose nothing to many who send all that they may, wherever they
// come from, and a listener to get no more than the room's rate.
func TestFloodsAndOneQuiet(t *testing.T) {
	for name, addr := range map[string]func(i int) string{
		"many addresses":   func(i int) string { return fmt.Sprintf("10.0.9.%d:1000", i+1) },
		"one address":      func(i int) string { return fmt.Sprintf("10.0.9.1:%d", 1000+i) },
		"its own address":  func(i int) string { return fmt.Sprintf("10.0.8.1:%d", 1000+i) },
		"one IPv6 network": func(i int) string { return fmt.Sprintf("[2001:db8:1:2::%x]:1000", i+1) },
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, Config{HelloRate: 1000}, func(l *lab) {
				if strings.HasPrefix(addr(0), "[") {
					l.second("[2001:db8::1]:4433")
				}
				speech, listener := quiet(l.at(strings.Replace(addr(200), "10.0.9.", "10.0.8.", 1))),
					l.at(addr(201))
				if strings.HasPrefix(name, "many") {
					speech.person = l.at("10.0.7.1:1")
				}
				talkers := []*talker{speech}
				for i := range 30 {
					talkers = append(talkers, full(l.at(addr(i))))
				}
				talk(10, talkers...)
				if n := listener.ears.heard(speech.person.kid(0)); n != int(speech.sent) {
					t.Errorf("%d of %d frames of the quiet one arrived", n, speech.sent)
				}
				bytes := 0
				for _, flood := range talkers[1:] {
					bytes += listener.ears.heard(flood.person.kid(0)) * (wire.MaxCiphertext + mediaOverhead)
				}
				if most := 13 * 250_000; bytes > most || bytes < 9*250_000 {
					t.Errorf("%d bytes of the floods reached a listener, want %d at most", bytes, most)
				}
				if l.dropped(drops.RoomRate) == 0 {
					t.Error("nothing is counted")
				}
			})
		})
	}
}

// TestTalkerIsTold wants who sends too much to be told so, and when it is over, and nobody else; and the log
// to name it.
func TestTalkerIsTold(t *testing.T) {
	var logged logText
	inLab(t, Config{Log: slog.New(slog.NewTextHandler(&logged, nil))}, func(l *lab) {
		flood, speech := loud(l.joined("r")), quiet(l.joined("r"))
		var mu sync.Mutex // guards told
		told := make(map[*person][]wire.MediaDropped)
		for _, p := range []*person{flood.person, speech.person} {
			p.ears.mu.Lock()
			p.ears.news = func(kind wire.UrgentKind, body []byte) {
				if kind == wire.UrgentMediaDropped {
					m, err := wire.Parse[wire.MediaDropped](body)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					told[p] = append(told[p], m)
					mu.Unlock()
				}
			}
			p.ears.mu.Unlock()
		}
		talk(12, flood, speech)
		time.Sleep(5 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if n := len(told[speech.person]); n != 0 {
			t.Errorf("the quiet one was told %v", told[speech.person])
		}
		got := told[flood.person]
		if len(got) != 4 { // at once, after 5 and 10 s, and at the end
			t.Fatalf("told %+v", got)
		}
		for i, m := range got[:3] {
			if m.Reason != wire.DropMemberRate || m.Dropped < 5 || i > 0 &&
				(m.Dropped < 2000 || m.Sent < 2400 || m.Sent > 2600) {
				t.Errorf("message %d: %+v", i, m)
			}
		}
		if got[3] != (wire.MediaDropped{}) {
			t.Errorf("at the end: %+v", got[3])
		}
		for _, want := range []string{"members send more media than is passed on", "room=r",
			flood.person.member.String(), flood.person.addr.Addr().String()} {
			if !strings.Contains(logged.String(), want) {
				t.Errorf("the log does not have %q:\n%s", want, logged.String())
			}
		}
		if n := strings.Count(logged.String(), "level=WARN"); n > 3 {
			t.Errorf("%d warnings in 17 s:\n%s", n, logged.String())
		}
		mu.Unlock()
		talk(3, speech)
		mu.Lock()
		if len(told[flood.person]) != 4 || len(told[speech.person]) != 0 {
			t.Errorf("told afterwards: %+v", told)
		}
	})
}

// TestPeerFloodOfBytes has a peer's members send more than a room passes on. Those of other relays lose
// nothing, nor does anybody at the next relay, to which all of it comes by one link.
func TestPeerFloodOfBytes(t *testing.T) {
	besiege(t, func(s *siege) {
		const members = 60
		s.rogue.linked(s.victim)
		own := s.home(s.rogue.key)
		entries := own.entries(globalRoom, members)
		s.rogue.brings(own, globalRoom, entries, s.rogue.id())
		s.eventually("it has members", 5*time.Second,
			func() bool { return s.victim.metric("remote_members") == members+1 })
		time.Sleep(time.Second)
		for ctr := range 300 { // 30 a second of each
			for i, entry := range entries {
				s.rogue.packet(wire.AppendMedia(nil, &wire.Media{
					Tagged: true, Long: true, Alias: uint16(i), Room: wire.HashRoom(globalRoom),
					KID: wire.MakeKID(wire.EntryID(entry), 0, 0),
					CTR: uint64(ctr), Ciphertext: make([]byte, 1000),
				}, true), 1)
			}
			time.Sleep(33 * time.Millisecond)
		}
		heard := 0
		for _, entry := range entries {
			heard += s.c.ears.heard(wire.MakeKID(wire.EntryID(entry), 0, 0))
		}
		if most := 12 * 62_500 / 1049; heard == 0 || heard > most {
			t.Errorf("%d of its frames reached a member of the next relay, want %d at most", heard, most)
		}
		if s.victim.logged.lines("level=WARN", "a peer sends too much", "peer=rogue",
			"bytes of media a second of one room") != 1 {
			t.Errorf("A's log does not name the peer once:\n%s", s.victim.logged.String())
		}
		s.honest.quiet("under attack", "A")
		s.blamed = true
	})
}

// TestNarrowListener wants a listener whose path carries 10 kbit/s to hear the quiet one of 16 kbit/s, beside
// floods, as well as the path allows, and soon after these began; whether it was there before them or joins
// in their middle.
func TestNarrowListener(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("joins late %v", late), func(t *testing.T) {
			inLab(t, Config{}, func(l *lab) {
				narrow := l.person()
				path := simnet.Profile{Delay: 150 * time.Millisecond, Rate: 10_000, Queue: 4000}
				if err := l.net.SetPath(relayAddr.Addr(), narrow.addr.Addr(), path); err != nil {
					t.Fatal(err)
				}
				speech := &talker{person: l.joined("r"), size: 71, every: 30} // 120 bytes each 60 ms
				talkers := []*talker{speech}
				for i := range 4 { // small packets take the places of other small ones in the queue
					talkers = append(talkers, &talker{person: l.joined("r"),
						size: []int{71, 71, 71, wire.MaxCiphertext}[i], every: []int{2, 2, 2, 17}[i]})
				}
				if late {
					talk(5, talkers...)
				}
				if err := narrow.join("r"); err != nil {
					t.Fatal(err)
				}
				if !late {
					talk(10, speech)
				}
				talk(20, talkers...)
				before, sent := narrow.ears.heard(speech.person.kid(0)), speech.sent
				talk(30, talkers...)
				heard := float64(narrow.ears.heard(speech.person.kid(0))-before) * 120 * 8 / 30
				if heard < 6000 {
					t.Errorf("%.0f bit/s of the quiet one's %d reached a listener of 10 kbit/s", heard,
						(speech.sent-sent)*120*8/30)
				}
				if l.dropped(drops.ListenerPath) == 0 {
					t.Error("nothing is counted")
				}
			})
		})
	}
}

// TestLossyListener wants nothing to be kept back from a listener whose path loses and jitters a lot and is
// wide.
func TestLossyListener(t *testing.T) {
	for _, loss := range []float64{.1, .3, .6} {
		inLab(t, Config{}, func(l *lab) {
			lossy := l.person()
			path := simnet.Profile{Delay: 200 * time.Millisecond, Jitter: 100 * time.Millisecond, Loss: loss,
				Seed: 7}
			for _, err := range []error{
				l.net.SetPath(relayAddr.Addr(), lossy.addr.Addr(), path),
				l.net.SetPath(lossy.addr.Addr(), relayAddr.Addr(), path), lossy.join("r"),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			speech, other := quiet(l.joined("r")), quiet(l.joined("r"))
			talk(60, speech)
			talk(60, speech, other)
			// The path becomes longer all at once, as when a phone changes to another cell.
			path.Delay = 350 * time.Millisecond
			if err := l.net.SetPath(relayAddr.Addr(), lossy.addr.Addr(), path); err != nil {
				t.Fatal(err)
			}
			talk(60, speech)
			if n := l.dropped(drops.ListenerPath); n != 0 {
				t.Errorf("at %v loss %v packets were kept back", loss, n)
			}
		})
	}
}
