package call

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
)

// A packet with media of the default settings is told by its size, in bytes of UDP payload: 24 kbit/s and 20
// ms are 60 bytes of Opus; around them sealed header 6, tag 12, frame 1, CTR 2, SFrame tag 8, timestamp 2. A
// long frame has alias 1, KID 8 and CTR 1 to 4 instead of CTR 2. Reports are smaller, member entries larger.
const (
	codecBytes   = 60
	shortBytes   = codecBytes + 31
	longBytes    = shortBytes + 8
	longestBytes = shortBytes + 11
)

func isMedia(b []byte) bool {
	return len(b) > 0 && b[0] < 0x40 && (len(b) == shortBytes || len(b) >= longBytes &&
		len(b) <= longestBytes)
}

// hop counts what goes from one host to another.
type hop struct {
	from, to netip.Addr
	delay    time.Duration // of all packets that pass

	mu    sync.Mutex // guards what follows
	all   passage
	last  time.Time // when one with media passed
	media []fate
}

// fate is what became of a packet with media. A tap is told of it when it is lost or when it has passed, so
// that later ones which are lost are told of before it.
type fate struct {
	sent   time.Time
	passed bool
}

// passage is what went over a hop.
type passage struct {
	sent, passed uint64 // packets with media
	// bytes of those that were sent, and of all sealed packets, with IP and UDP headers
	media, bytes int
	pause        time.Duration // the longest between two with media that passed
	run          int           // the most that were lost in a row
}

// watch counts on some hops from now on.
func (l *lab) watch(hops ...*hop) {
	l.net.SetTap(func(from, to netip.AddrPort, b []byte, delivered bool) {
		for _, h := range hops {
			if from.Addr() == h.from && to.Addr() == h.to && len(b) > 0 && b[0] < 0x40 {
				h.note(b, delivered)
			}
		}
	})
}

func (h *hop) note(b []byte, delivered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all.bytes += len(b) + simnet.HeaderBytes
	if !isMedia(b) {
		return
	}
	h.all.sent++
	h.all.media += len(b) + simnet.HeaderBytes
	if !delivered {
		h.media = append(h.media, fate{sent: time.Now()})
		return
	}
	h.media = append(h.media, fate{time.Now().Add(-h.delay), true})
	h.all.passed++
	if !h.last.IsZero() {
		h.all.pause = max(h.all.pause, time.Since(h.last))
	}
	h.last = time.Now()
}

// seen returns what went over the hop so far.
func (h *hop) seen() passage {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.SortStableFunc(h.media, func(a, b fate) int { return a.sent.Compare(b.sent) })
	seen, run := h.all, 0
	for _, packet := range h.media {
		run++
		if packet.passed {
			run = 0
		}
		seen.run = max(seen.run, run)
	}
	return seen
}

// up and down are the hops between somebody and the relay.
func (p *person) up() *hop   { return &hop{from: p.addr.Addr(), to: p.lab.addr.Addr()} }
func (p *person) down() *hop { return &hop{from: p.lab.addr.Addr(), to: p.addr.Addr()} }

// TestHeavyLoss: at 60 % loss and 300 ms round trip all that the channel passes is received, and there is no
// pause but those that the channel makes.
func TestHeavyLoss(t *testing.T) {
	length := 20 * time.Second
	if measuring {
		length = 10 * time.Minute
	}
	inLab(t, func(l *lab) {
		b, a := l.joined("bert", "r"), l.person("anna")
		l.setPaths(bad(0), a)
		first, last := a.up(), b.down()
		first.delay = bad(0).Delay
		l.watch(first, last)
		for a.join("r") != nil {
			time.Sleep(time.Second) // nothing came through for 30 s
		}
		at := time.Now()
		pub := a.say(&samples{pcm: tone(length)}, PublishConfig{NoDTX: true})
		l.eventually("the first packet", 4*time.Second, func() bool { return a.room.Stats().PacketsSent > 0 })
		opening := time.Since(at)
		if err := pub.Err(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		s, sent, up, down := b.stats("anna"), a.room.Stats().PacketsSent, first.seen(), last.seen()
		t.Logf("%d of %d packets came, the first %v after the microphone was opened; longest pause %v, %d "+
			"lost in a row; %+v",
			s.Received, sent, opening, down.pause, up.run, s.Stats)
		// Nothing is said before it is known who is there, for at most 3 s: then there is a frame.
		if opening > 3*time.Second+2*20*time.Millisecond || sent < uint64(length/(20*time.Millisecond)*9/10) {
			t.Errorf("the talker sent %d packets, the first after %v", sent, opening)
		}
		if s.Received != up.passed || s.Forged != 0 {
			t.Errorf("%d packets came, the channel passed %d of %d: %+v", s.Received, up.passed, up.sent, s)
		}
		if limit := time.Duration(up.run+1)*20*time.Millisecond + 20*time.Millisecond; down.pause > limit {
			t.Errorf("the longest pause is %v, want at most %v", down.pause, limit)
		}
	})
}

// TestLossBothWays: at 20 % loss and 800 ms round trip two people hear each other as far as the channel lets
// them.
func TestLossBothWays(t *testing.T) {
	length := 20 * time.Second
	if measuring {
		length = 2 * time.Minute
	}
	inLab(t, func(l *lab) {
		a, b := l.person("anna"), l.person("bert")
		l.setPaths(simnet.Profile{Loss: 0.2, Delay: 400 * time.Millisecond, Seed: 2}, a, b)
		for _, p := range []*person{a, b} {
			for p.join("r") != nil {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(5 * time.Second) // until they know of each other
		hops := []*hop{a.up(), b.down(), b.up(), a.down()}
		l.watch(hops...)
		for _, p := range []*person{a, b} {
			p.say(&samples{pcm: tone(length)}, PublishConfig{NoDTX: true})
		}
		time.Sleep(length + 3*time.Second)
		for i, way := range []struct{ talker, ear *person }{{a, b}, {b, a}} {
			name := way.talker.client.config.Name
			s, up, down := way.ear.stats(name), hops[2*i].seen(), hops[2*i+1].seen()
			t.Logf("%s: %d of %d packets came; passed %d of %d and %d of %d", name, s.Received,
				way.talker.room.Stats().PacketsSent,
				up.passed, up.sent, down.passed, down.sent)
			if down.sent != up.passed || s.Received != down.passed || s.Forged != 0 {
				t.Errorf("%s: %d packets came, the channels passed %d and %d: %+v", name, s.Received,
					up.passed, down.passed, s)
			}
		}
	})
}

// TestBytesOnTheWire: beside the codec's bytes a media packet costs at most 60, headers of IP and UDP
// included, and listening costs at most a twentieth of what is heard.
func TestBytesOnTheWire(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		a.say(&samples{pcm: tone(10 * time.Second)}, PublishConfig{NoDTX: true})
		time.Sleep(2 * time.Second) // joining is over
		before, hops := a.room.Stats(), []*hop{a.up(), b.down(), b.up()}
		l.watch(hops...)
		time.Sleep(8500 * time.Millisecond)
		s, up, down, back := a.room.Stats(), hops[0].seen(), hops[1].seen(), hops[2].seen()
		sent := s.PacketsSent - before.PacketsSent
		if want := codecBytes * s.PacketsSent; s.PayloadBytesSent != want {
			t.Errorf("%d packets hold %d codec bytes, want %d", s.PacketsSent, s.PayloadBytesSent, want)
		}
		if up.sent < sent-2 || up.sent > sent+2 || sent < 390 { // the path has some
			t.Errorf("%d packets with media are on the wire, %d are counted", up.sent, sent)
		}
		overhead := float64(up.media)/float64(up.sent) - codecBytes
		t.Logf("beside the codec's %d bytes a media packet has %.2f; with everything else that is sent, %.2f",
			codecBytes, overhead,
			float64(up.bytes)/float64(up.sent)-codecBytes)
		if overhead > 60 {
			t.Errorf("a media packet has %.2f bytes beside the codec's, want at most 60", overhead)
		}
		share := float64(back.bytes) / float64(down.bytes)
		t.Logf("a listener sends %.2f %% of the bytes that it receives", 100*share)
		if share > 0.05 {
			t.Errorf("a listener sends %.2f %% of the bytes that it receives, want at most 5 %%", 100*share)
		}
	})
}

// TestNewAddress: talk goes on when somebody gets another address, and when the path is dead one way for a
// while.
func TestNewAddress(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		a.hum(annas)
		b.hum(berts)
		time.Sleep(time.Second)
		for i, p := range []*person{a, b, a, b} {
			p.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 3, byte(i)}), 6000)
			if err := p.conn.Rebind(p.addr); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			mustHearEachOther("after a change of address", a, b)
		}
		for _, h := range []*hop{a.up(), a.down()} {
			l.net.Block(h.from, h.to, true)
			time.Sleep(5 * time.Second)
			l.net.Block(h.from, h.to, false)
			time.Sleep(3 * time.Second)
			mustHearEachOther(fmt.Sprintf("after 5 s of silence from %v", h.from), a, b)
		}
		for _, p := range []*person{a, b} {
			if n := len(p.room.Heard()); n != 1 {
				t.Errorf("%d streams were heard, want 1: nobody should have joined again", n)
			}
			if news := p.news(); slices.Contains(news, "attached restarted=true") {
				t.Errorf("somebody is in the room anew: %q", news)
			}
		}
	})
}

// TestRelayDies: when the relay is killed and started again, everybody is back and heard without doing
// anything, and somebody new hears all and is heard.
func TestRelayDies(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		a.hum(annas)
		b.hum(berts)
		time.Sleep(2 * time.Second)
		l.kill()
		time.Sleep(time.Second)
		l.startRelay()
		c := l.joined("carl", "r")
		c.hum(carls)
		time.Sleep(3 * time.Second)
		for _, p := range []*person{a, b, c} {
			p.mix.take()
		}
		time.Sleep(time.Second)
		for _, way := range []struct {
			ear   *person
			tones []float64
		}{{a, []float64{berts, carls}}, {b, []float64{annas, carls}}, {c, []float64{annas, berts}}} {
			pcm := way.ear.mix.take()
			for _, hz := range way.tones {
				if ms, _ := humming(pcm, hz); ms < 900 {
					t.Errorf("%s heard %s for %d of 1000 ms", way.ear.client.config.Name, nameOfTone[hz], ms)
				}
			}
			for _, st := range way.ear.room.Heard() {
				if s := st.Stats(); s.Forged > 0 {
					t.Errorf("%d frames of %s did not decrypt", s.Forged, st.Member().Name)
				}
			}
		}
		for _, p := range []*person{a, b} {
			if news := p.news(); !slices.Contains(news, "attached restarted=true") {
				t.Errorf("the relay's restart was not noticed: %q", news)
			}
		}
	})
}

// TestMemberDies: whose client is killed and started again is another member with the same identity, hears
// and is heard.
func TestMemberDies(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.joined("anna", "r")
		a.hum(annas)
		id := newIdentity(90)
		first := l.device("bert", id)
		if err := first.join("r"); err != nil {
			t.Fatal(err)
		}
		first.hum(berts)
		time.Sleep(2 * time.Second)
		mustHearEachOther("before", a, first)
		l.net.Partition(first.addr.Addr(), relayAddr.Addr(), true)
		again := l.device("bert", id)
		if err := again.join("r"); err != nil {
			t.Fatal(err)
		}
		if again.room.ID() == first.room.ID() {
			t.Error("the same member id for another stay")
		}
		again.hum(berts)
		time.Sleep(3 * time.Second)
		mustHearEachOther("after the return", a, again)
		a.mustNotWarn()
		again.mustNotWarn()
	})
}
