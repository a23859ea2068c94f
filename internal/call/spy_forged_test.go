package call

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/internal/wire"
)

// forgery is a relay's attempt to make anna believe a key that another did not make for her.
type forgery struct {
	name string
	// forge makes something of a talker's genuine key for anna. The relay knows w.
	forge func(f *forged) []byte
}

// forged is what the relay has for it.
type forged struct {
	t         testing.TB
	a, talker *person
	other     wire.MemberID // somebody else
	key       wire.Key      // the talker's for anna
	body      []byte        // the same
	w         []byte        // the relay's own
}

var forgeries = []forgery{
	{name: "another wrap", forge: func(f *forged) []byte {
		a := f.a.room.keeper
		f.key.Wrap = wrapUp(f.t, a.joinKey.Public(), f.talker.room.keeper.self, f.key.Key.Signed, a.self, f.w)
		return wire.Append(nil, &f.key)
	}},
	{name: "signed by another", forge: func(f *forged) []byte {
		a := f.a.room.keeper
		talker := e2ee.NewTalker(newIdentity(200), f.talker.room.keeper.self, "r", nil)
		talker.Arm(e2ee.AES128CTRHMACSHA256Tag64)
		talker.SetMembers([]e2ee.Recipient{{Hash: a.self, JoinKey: a.joinKey.Public()}})
		var body []byte
		for i := range f.key.Key.Number + 5 { // until its number is high enough
			talker.Wanted(f.a.room.ID())
			if d, _ := talker.Step(time.Now().Add(time.Duration(i) * 2 * time.Second)); d != nil {
				body = handedOn(f.t, f.talker.room.ID(), d)[f.a.room.ID()]
			}
		}
		return body
	}},
	{name: "altered epoch", forge: func(f *forged) []byte { return altered(f, 6+5) }},
	{name: "altered number", forge: func(f *forged) []byte { return altered(f, 6+2) }},
	{name: "altered digest", forge: func(f *forged) []byte { return altered(f, 6+len(f.key.Key.Signed)-1) }},
	{name: "altered signature",
		forge: func(f *forged) []byte { return altered(f, 6+len(f.key.Key.Signed)+10) }},
	{name: "altered wrap", forge: func(f *forged) []byte { return altered(f, len(f.body)-1) }},
	{name: "in another's name", forge: func(f *forged) []byte {
		f.key.Sender = f.other
		return wire.Append(nil, &f.key)
	}},
}

// altered flips a bit of the genuine message.
func altered(f *forged, i int) []byte {
	b := slices.Clone(f.body)
	b[i] ^= 0x10
	return b
}

// TestForgedKeys wants nothing to be heard under a key that the named talker did not make for the listener,
// people to be warned, and the talkers to be heard all the while. A talker each is attacked in one of the
// ways.
func TestForgedKeys(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		talkers := make([]*person, len(forgeries))
		for i := range forgeries {
			talkers[i] = l.joined(fmt.Sprint("talker ", i), "r")
			talkers[i].say(&drone{hz: carls}, PublishConfig{PushToTalk: true})
		}
		b.hum(berts)
		time.Sleep(3 * time.Second)
		for i, talker := range talkers {
			named := talker
			if forgeries[i].name == "in another's name" {
				named = l.joined("zoe", "r")
				time.Sleep(2 * time.Second)
			}
			tryForgery(s, forgeries[i], a, talker, named)
		}
		s.set(hooks{})
		for i, talker := range talkers {
			talker.room.publication.SetTalking(true)
			time.Sleep(300 * time.Millisecond)
			if ms := a.hears(carls, 200*time.Millisecond); ms < 150 {
				t.Errorf("%s: after it the talker was heard for %d of 200 ms", forgeries[i].name, ms)
			}
			talker.room.publication.SetTalking(false)
			time.Sleep(300 * time.Millisecond)
		}
		a.mustHear("after forgeries", berts, 500*time.Millisecond)
		b.mustNotWarn()
	})
}

// tryForgery forges keys of a talker's, and speaks in the name of whom they are said to be of.
func tryForgery(s *spy, test forgery, a, talker, named *person) {
	t := s.lab.t
	w := make([]byte, 16)
	rand.Read(w)
	var tries atomic.Int64
	s.set(hooks{down: func(to *tapped, m message) []message {
		if key, err := wire.Parse[wire.Key](m.body); m.kind == wire.UrgentKey && err == nil &&
			to == s.of(a) && key.Sender == talker.room.ID() {
			tries.Add(1)
			f := &forged{t: t, a: a, talker: talker, other: named.room.ID(), key: key, body: m.body, w: w}
			return []message{{m.kind, test.forge(f)}, m} // the genuine one comes after it, maybe
		}
		return []message{m}
	}})
	// The relay claims that anna lacks the key.
	s.of(talker).tell(wire.UrgentKeysWanted, wire.AppendKeysWanted(nil, a.room.ID()))
	time.Sleep(500 * time.Millisecond)
	a.mu.Lock()
	warned := slices.ContainsFunc(a.events, func(e Event) bool {
		warning, ok := e.(Warning)
		return ok && warning.Code == WarnKey && warning.Member.ID == named.room.ID()
	})
	a.mu.Unlock()
	if tries.Load() != 1 || !warned {
		t.Errorf("%s: %d keys were forged, want 1; anna was warned: %v", test.name, tries.Load(), warned)
	}
	a.mix.take()
	s.sayForged(a, named.room.ID(), w)
	time.Sleep(300 * time.Millisecond)
	pcm := a.mix.take()
	if ms, _ := humming(pcm, forge); ms > 0 {
		t.Errorf("%s: %d ms of a forgery were heard", test.name, ms)
	}
	if ms, _ := humming(pcm, berts); ms < 620 {
		t.Errorf("%s: bert was heard for %d of 700 ms beside a forgery", test.name, ms)
	}
}

// sayForged sends a person 400 ms of a tone in another's name, under every epoch that a key of the relay's
// may stand for.
func (s *spy) sayForged(to *person, from wire.MemberID, w []byte) {
	codec, err := opus.NewEncoder(opus.Config{})
	if err != nil {
		s.lab.t.Fatal(err)
	}
	var keys []*e2ee.Key
	for epoch := range uint8(32) {
		key, err := e2ee.NewKey(e2ee.AES128CTRHMACSHA256Tag64, uint64(wire.MakeKID(from, 200, epoch)), w)
		if err != nil {
			s.lab.t.Fatal(err)
		}
		keys = append(keys, key)
	}
	source := &drone{hz: forge}
	frame, packet := make([]float32, audio.SampleRate/50), make([]byte, opus.MaxFrameBytes)
	for i := range 20 {
		if _, err := source.ReadFrame(s.lab.t.Context(), frame); err != nil {
			s.lab.t.Fatal(err)
		}
		n, _, err := codec.Encode(packet, frame)
		if err != nil {
			s.lab.t.Fatal(err)
		}
		payload := wire.AppendPayload(nil, timestamp(int64(i*len(frame))), packet[:n])
		for epoch, key := range keys {
			m := wire.Media{KID: wire.MakeKID(from, 200, uint8(epoch)), CTR: 1<<40 + uint64(i),
				Ciphertext: key.Seal(nil, 1<<40+uint64(i), payload)}
			s.of(to).SendMediaNow(uint16(4000+epoch), &m)
		}
	}
}

// TestSwappedWraps has the relay give everybody the wrap of somebody else.
func TestSwappedWraps(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b, c, d := l.joined("anna", "r"), l.joined("bert", "r"), l.joined("carl", "r"),
			l.joined("dora", "r")
		b.hum(berts)
		time.Sleep(2 * time.Second)
		var swapped atomic.Int64
		s.set(hooks{up: func(_ *tapped, m message) []message {
			if wraps, err := wire.ParseKeyWraps(m.body); m.kind == wire.UrgentKeyWraps && err == nil &&
				wraps.Len() > 1 {
				swapped.Add(1)
				m.body = swapWraps(wraps)
			}
			return []message{m}
		}})
		d.leave()
		a.mix.take()
		time.Sleep(4 * time.Second)
		if swapped.Load() == 0 || len(a.warned(WarnKey)) == 0 || len(c.warned(WarnKey)) == 0 {
			t.Errorf("%d messages swapped, anna: %q, carl: %q", swapped.Load(), a.log(), c.log())
		}
		s.set(hooks{})
		time.Sleep(4 * time.Second)
		a.mustHear("after the attack", berts, time.Second)
		c.mustHear("after the attack", berts, time.Second)
		b.mustNotWarn()
	})
}

func swapWraps(wraps wire.KeyWraps) []byte {
	_, last := wraps.Wrap(wraps.Len() - 1)
	body := wire.AppendKeyWraps(nil, wraps.Number, len(last))
	for i := range wraps.Len() {
		to, wrap := wraps.Wrap(i)
		body = wire.AppendWrap(body, to, last)
		last = wrap
	}
	return body
}

// TestReplayedKeys has the relay send every key of a long talk again, to its recipient and to another, in the
// midst of it.
func TestReplayedKeys(t *testing.T) {
	inSpied(t, func(l *lab, s *spy) {
		a, b, c := l.joined("anna", "r"), l.joined("bert", "r"), l.joined("carl", "r")
		b.hum(berts)
		for range 6 {
			g := l.ghost(newIdentity(2), "bert", "r", nil)
			s.haunt(g, s.all()...)
			time.Sleep(1200 * time.Millisecond)
			s.lay(g, s.all()...)
			time.Sleep(1200 * time.Millisecond)
		}
		id := a.room.ID()
		old := s.notes.sent(wire.UrgentKey, false, &id, time.Time{})
		frames := s.notes.framesOf(b, time.Time{}, time.Now().Add(-time.Second))
		if len(old) < 6 {
			t.Fatalf("%d keys", len(old))
		}
		for _, m := range old {
			s.of(a).tell(m.kind, m.body)
			s.of(c).tell(m.kind, m.body)
			a.mustHear("while keys are replayed", berts, 200*time.Millisecond)
		}
		received := a.room.Heard()[0].Stats().Received
		for i, f := range frames {
			s.of(a).SendMediaNow(uint16(4000+i%50), &f.Media)
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(time.Second)
		now := a.room.Heard()[0].Stats().Received
		if new := uint64(len(frames)*2/20 + 50 + 10); now-received > new {
			t.Errorf("%d frames were taken while %d old ones were replayed, want %d new ones", now-received,
				len(frames), new)
		}
		a.mustHear("after replays", berts, time.Second)
		c.mustHear("after replays", berts, time.Second)
		a.mustNotWarn()
		c.mustNotWarn()
	})
}
