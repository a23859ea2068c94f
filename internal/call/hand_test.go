package call

import (
	"slices"
	"testing"
	"time"
)

// hands returns how somebody was told that hands went up and down, one after the other.
func (p *person) hands() []bool {
	return toldOf(p, func(e HandChanged) bool { return e.Raised })
}

// wantHands compares what somebody was told.
func (p *person) wantHands(when string, want ...bool) {
	p.lab.t.Helper()
	if got := p.hands(); !slices.Equal(got, want) {
		p.lab.t.Errorf("%s: hands were told to be up %v, want %v", when, got, want)
	}
}

// TestHand: a hand is up for whoever is there and comes, from when it is raised until it is lowered, whatever
// its owner says meanwhile and has said before; and costs a packet every 2 s.
func TestHand(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		p := a.say(&samples{pcm: silence(4 * time.Minute)}, PublishConfig{PushToTalk: true})
		time.Sleep(time.Second)
		p.SetHand(true)
		time.Sleep(5 * time.Second)
		b.wantHands("raised by who has not talked", true)
		if n := a.room.Stats().PacketsSent; n != markers+2 {
			t.Errorf("a hand that is up for 5 s took %d packets", n)
		}
		c := l.joined("carl", "r")
		time.Sleep(handEvery + time.Second)
		c.wantHands("to who came later", true)
		p.SetTalking(true)
		time.Sleep(time.Second)
		p.SetTalking(false)
		time.Sleep(time.Second)
		b.wantHands("having talked", true)

		l.net.Block(a.addr.Addr(), l.addr.Addr(), true)
		p.SetHand(false)
		time.Sleep(20 * time.Second)
		l.net.Block(a.addr.Addr(), l.addr.Addr(), false)
		time.Sleep(5 * time.Second)
		b.wantHands("lowered without a connection", true, false)
		time.Sleep(handDownFor)
		sent := a.room.Stats().PacketsSent
		time.Sleep(10 * time.Second)
		if more := a.room.Stats().PacketsSent - sent; more != 0 {
			t.Errorf("%d packets of a hand that is down for long", more)
		}
		p.SetHand(true)
		time.Sleep(time.Second)
		p.Stop()
		time.Sleep(time.Second)
		b.wantHands("its publication has ended", true, false, true, false)

		h := b.room.hearing
		h.mu.Lock()
		h.talkers[a.room.ID()].told.hand = true
		h.mu.Unlock()
		time.Sleep(handLife)
		b.wantHands("nothing came for long", true, false, true, false, false)
	})
}

// TestHandOfWhoTalks: who talks without a pause says it beside what is said, none of which gives way.
func TestHandOfWhoTalks(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		p := a.say(&samples{pcm: tone(time.Minute)}, PublishConfig{NoDTX: true})
		time.Sleep(5 * time.Second)
		p.SetHand(true)
		time.Sleep(time.Second)
		b.wantHands("raised", true)
		c := l.joined("carl", "r")
		time.Sleep(viewEvery + time.Second)
		c.wantHands("to who came later", true)
		p.SetHand(false)
		time.Sleep(time.Second)
		b.wantHands("lowered", true, false)
		b.mix.take()
		time.Sleep(10 * time.Second)
		if ms := sounding(b.mix.take()); ms < 9990 {
			t.Errorf("heard %d of 10,000 ms", ms)
		}
		if s := b.room.Streams()[0].Stats(); s.Lost+s.Concealed+s.Late != 0 {
			t.Errorf("not all was played: %+v", s.Stats)
		}
	})
}
