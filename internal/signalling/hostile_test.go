package signalling

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// taped is a world whose relays keep all that goes over them.
func taped(t *testing.T, names ...string) (w *world, sent map[wire.UrgentKind][]Send) {
	w, sent = newWorld(t, 1, names...), map[wire.UrgentKind][]Send{}
	w.tap = func(_ *person, s Send) { sent[s.Kind] = append(sent[s.Kind], s) }
	return w, sent
}

// Everything that relays have seen comes again, in every order and at any time: nothing follows.
func TestReplays(t *testing.T) {
	w, sent := taped(t, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	replay := func(when string) {
		t.Helper()
		before := []int{len(all[Incoming](bob)), len(all[Up](bob)), len(all[Up](ann)), len(all[Ended](ann)),
			len(all[Ended](bob)), len(all[Held](bob)), len(all[Silent](ann)), len(all[Missed](bob))}
		for _, p := range []*person{ann, bob} {
			p.do(func() {
				for _, s := range sent[wire.UrgentCallForward] {
					p.line.OfferCame(must(wire.Parse[wire.CallForward](s.Body)), w.now)
				}
				for _, s := range sent[wire.UrgentCallMessage] {
					p.line.MessageCame(must(wire.Parse[wire.CallMessage](s.Body)), w.now)
				}
			})
		}
		w.run(time.Second)
		after := []int{len(all[Incoming](bob)), len(all[Up](bob)), len(all[Up](ann)), len(all[Ended](ann)),
			len(all[Ended](bob)), len(all[Held](bob)), len(all[Silent](ann)), len(all[Missed](bob))}
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%s: something came of a replay: %v, %v%s", when, before, after, w.log())
		}
	}
	at := ann.dial(bob)
	w.until("it rings", func() bool { return len(all[Incoming](bob)) == 1 })
	replay("ringing")
	bob.act(func(now time.Time) error { return bob.line.Answer(last[Incoming](bob).Call, now) })
	w.until("up", func() bool { return ann.line.State(at) == Open && len(all[Up](bob)) == 1 })
	replay("up")
	ann.act(func(now time.Time) error { return ann.line.Hold(at, now) })
	w.run(time.Second)
	ann.act(func(now time.Time) error { return ann.line.Unhold(at, now) })
	w.run(time.Second)
	replay("held and not")
	ann.act(func(now time.Time) error { return ann.line.HangUp(at, now) })
	w.run(time.Second)
	replay("over")
	w.run(time.Minute)
	replay("forgotten")
	second, _ := w.talk(ann, bob)
	replay("in the next call")
	if ann.line.State(second) != Open {
		t.Error("an old hang-up ended a new call")
	}
	for _, want := range []error{e2ee.ErrReplayed, ErrSeen, e2ee.ErrCallMessage, ErrRole} {
		found := false
		for _, r := range append(all[Refused](bob), all[Refused](ann)...) {
			found = found || errors.Is(r.Why, want)
		}
		if !found && want != ErrRole && want != e2ee.ErrCallMessage {
			t.Errorf("%v was never the reason", want)
		}
	}
}

// An offer that came is refused, also with another generation, to another device, late, or for others.
func TestForwardRefused(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	var m wire.CallForward
	w.tap = func(_ *person, s Send) {
		if s.Kind == wire.UrgentCallForward {
			m = must(wire.Parse[wire.CallForward](s.Body))
		}
	}
	bob.away = true // no forward arrives
	c := ann.line
	ann.do(func() {
		if _, err := c.Dial(Callee{Fingerprint: bob.id.Fingerprint()}, w.now); err != nil {
			t.Fatal(err)
		}
		record := wire.SignReach(bob.id, wire.Reach{StayKey: bob.stay.Public(), Expiry: w.now.Unix() + 300})
		c.RouteCame(wire.Route{Target: bob.id.Fingerprint(), Located: wire.Located{
			Found: wire.FoundDevice, Of: 1, Record: record}}, w.now)
	})
	for name, tc := range map[string]struct {
		change func(m *wire.CallForward)
		want   error
	}{
		"another generation": {func(m *wire.CallForward) { m.Generation++ }, ErrForward},
		"another device":     {func(m *wire.CallForward) { m.Device[0]++ }, ErrForward},
		"another target":     {func(m *wire.CallForward) { m.Target = ann.id.Fingerprint() }, ErrForward},
		"another expiry":     {func(m *wire.CallForward) { m.Expiry++ }, ErrForward},
		"expired":            {func(m *wire.CallForward) { m.Expiry = uint64(w.now.Unix() - 121) }, ErrForward},
		"far ahead":          {func(m *wire.CallForward) { m.Expiry = uint64(w.now.Unix() + 181) }, ErrForward},
		"for ever":           {func(m *wire.CallForward) { m.Expiry = 1<<64 - 1 }, ErrForward},
		"another offer":      {func(m *wire.CallForward) { m.Offer = m.Offer[:len(m.Offer)-1] }, ErrForward},
		"of another path":    {func(m *wire.CallForward) { m.Sign(wire.NewPathSeed()) }, e2ee.ErrOfferSealed},
		"without an offer": {func(m *wire.CallForward) { m.Offer = nil; m.Sign(wire.NewPathSeed()) },
			e2ee.ErrOfferSealed},
	} {
		changed := m
		tc.change(&changed)
		bob.do(func() { bob.line.OfferCame(changed, w.now) })
		if got := last[Refused](bob).Why; got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
		bob.got = nil
	}
	late, stranger := m, wire.NewPathSeed()
	for range 2 { // whoever made it, a clock is off
		late.Expiry = uint64(w.now.Unix() + 181)
		late.Sign(stranger)
		bob.do(func() { bob.line.OfferCame(late, w.now) })
		if last[Refused](bob).Why != ErrForward || len(all[ClockOff](bob)) != 1 {
			t.Errorf("the user is told %d times that a clock is off", len(all[ClockOff](bob)))
		}
	}
	bob.do(func() { bob.line.OfferCame(m, w.now) })
	if len(all[Incoming](bob)) != 1 {
		t.Fatal("the true one does not ring")
	}
	bob.do(func() { bob.line.OfferCame(m, w.now) })
	if last[Refused](bob).Why != ErrSeen || len(all[Incoming](bob)) != 1 {
		t.Error("it rings again")
	}
}

// Records of others, old ones and broken ones are skipped; the true one is called.
func TestRecordRefused(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob", "mal")
	ann, bob, mal := w.person("ann"), w.person("bob"), w.person("mal")
	w.delay = time.Second
	id := ann.dial(bob)
	route := func(record []byte) {
		ann.do(func() {
			ann.line.RouteCame(wire.Route{Target: bob.id.Fingerprint(), Located: wire.Located{
				Found: wire.FoundDevice, Of: 1, Record: record}}, w.now)
		})
	}
	good := wire.Reach{StayKey: bob.stay.Public(), Expiry: w.now.Unix() + 300}
	route(wire.SignReach(mal.id, good))
	old := good
	old.Expiry = w.now.Unix() - 200
	route(wire.SignReach(bob.id, old))
	broken := wire.SignReach(bob.id, good)
	broken[40] ^= 1
	route(broken)
	route(wire.SignReach(bob.id, wire.Reach{Expiry: good.Expiry})) // a stay key that is open to everybody
	if len(all[Refused](ann)) != 4 || ann.sends[wire.UrgentCallForward] > 0 {
		t.Fatalf("%d forwards%s", ann.sends[wire.UrgentCallForward], w.log())
	}
	w.until("the true one rings", func() bool { return len(all[Incoming](bob)) == 1 })
	if ann.line.State(id) == Over {
		t.Error("false records ended the call")
	}
	// A call by a known key takes no other key with that fingerprint.
	if _, err := ann.line.Dial(Callee{bob.id.Fingerprint(), mal.id.Public()}, w.now); err != ErrWho {
		t.Error(err)
	}
}

// Somebody on the way, or in another call, cannot end a call; relays can only part its ends.
func TestForeignHangUp(t *testing.T) {
	w, sent := taped(t, "ann", "bob", "mal", "cem")
	ann, bob, mal := w.person("ann"), w.person("bob"), w.person("mal")
	ann.talks, bob.talks = true, true
	at, to := w.talk(ann, bob)
	path := last[Up](ann).Path
	theirs, _ := w.talk(mal, w.person("cem"))
	sent[wire.UrgentCallMessage] = nil
	mal.act(func(now time.Time) error { return mal.line.HangUp(theirs, now) })
	hangUp := must(wire.Parse[wire.CallMessage](sent[wire.UrgentCallMessage][0].Body))
	for _, body := range [][]byte{hangUp.Body, {0}, make([]byte, 40)} {
		for _, p := range []*person{ann, bob} {
			p.do(func() { p.line.MessageCame(wire.CallMessage{Path: path, Body: body}, w.now) })
			if last[Refused](p).Why != e2ee.ErrCallMessage {
				t.Errorf("%x: %v", body, last[Refused](p).Why)
			}
		}
	}
	for _, reason := range []wire.EndReason{wire.EndHungUp, wire.EndFailed, wire.EndIdle, wire.EndReplaced,
		wire.EndTooMany, 99} {
		for _, p := range []*person{ann, bob} {
			end := wire.CallEnd{Path: path, Generation: w.routes[path].generation, Reason: reason}
			p.do(func() { p.line.EndCame(end, w.now) })
		}
		w.run(3 * time.Second)
	}
	if ann.line.State(at) != Open || bob.line.State(to) != Open || last[Silent](ann).Silent {
		t.Errorf("relays ended the call%s", w.log())
	}
}

// An end that says what is the other's to say, or what does not fit, is ignored.
func TestWrongRole(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	at := ann.dial(bob)
	w.until("it rings", func() bool { return len(all[Incoming](bob)) == 1 })
	to := last[Incoming](bob).Call
	c, d := ann.line.call(at).paths[0], bob.line.call(to).chosen
	say := func(p *path, signals ...*wire.Signal) {
		for _, s := range signals {
			p.call.line.effects = nil
			p.say(s, w.now)
			for _, e := range p.call.line.Drain() {
				if p == c {
					ann.effect(e)
				} else {
					bob.effect(e)
				}
			}
			w.run(200 * time.Millisecond)
		}
	}
	say(c, &wire.Signal{Type: wire.SignalAnswer, Entry: []byte{1}}, &wire.Signal{Type: wire.SignalDecline},
		&wire.Signal{Type: wire.SignalConfirm}, &wire.Signal{Type: wire.SignalHold},
		&wire.Signal{Type: wire.SignalTransferAck, Accepted: true}, &wire.Signal{Type: wire.SignalConsent},
		&wire.Signal{Type: wire.SignalAnswer}, &wire.Signal{Type: 99}) // not well made; of a later version
	if r := all[Refused](bob); bob.line.State(to) != Alerting || len(r) != 4 || r[2].Why != ErrChosen ||
		!errors.Is(r[3].Why, wire.ErrInvalid) {
		t.Errorf("%v%s", bob.line.State(to), w.log())
	}
	entry := ann.line.call(at).entry
	say(d, &wire.Signal{Type: wire.SignalCancel}, &wire.Signal{Type: wire.SignalConfirm},
		&wire.Signal{Type: wire.SignalElsewhere}, &wire.Signal{Type: wire.SignalAnswer, Entry: entry},
		&wire.Signal{Type: wire.SignalAnswer, Entry: []byte{1}}, &wire.Signal{Type: wire.SignalHold})
	if ann.line.State(at) != Ringing {
		t.Errorf("%v%s", ann.line.State(at), w.log())
	}
	refused := map[error]bool{}
	for _, r := range all[Refused](ann) {
		refused[r.Why] = true
	}
	if !refused[ErrRole] || !refused[ErrAnswer] {
		t.Errorf("%v", refused)
	}
	bob.act(func(now time.Time) error { return bob.line.Answer(to, now) })
	w.until("up", func() bool { return ann.line.State(at) == Open && bob.line.State(to) == Open })
}

// stranger is a caller whom nobody knows, made by hand.
type stranger struct {
	id *identity.Identity
}

func (s stranger) offer(t testing.TB, bob *person, now time.Time) wire.CallForward {
	o := &e2ee.Offer{Nonce: wire.NewCallNonce(), Seed: wire.NewPathSeed(), Secret: e2ee.NewSecret()}
	call := wire.CallIDOf(s.id.Public(), bob.id.Public(), o.Nonce)
	e := wire.MemberEntry{Room: call.Room(), Identity: s.id.Public()}
	proof := o.Secret.Proof(e.Room, e.Proved())
	e.Proof = &proof
	var err error
	if o.Entry, err = wire.SignCallEntry(s.id, e); err != nil {
		t.Fatal(err)
	}
	sealed, _, err := e2ee.SealOffer(bob.stay.Public(), o, now)
	if err != nil {
		t.Fatal(err)
	}
	m := wire.CallForward{Generation: 1, Expiry: uint64(now.Unix() + 45), Target: bob.id.Fingerprint(),
		Device: (&wire.Reach{StayKey: bob.stay.Public()}).Device(), Hops: 1, Offer: sealed}
	m.Sign(o.Seed)
	return m
}

// A million offers: garbage, replays and strangers take bounded memory and tell the user little; a contact
// rings beside them, and what it said before cannot be replayed.
func TestFlood(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	first := stranger{ann.id}.offer(t, bob, w.now) // of a contact
	bob.do(func() { bob.line.OfferCame(first, w.now) })
	if len(all[Incoming](bob)) != 1 {
		t.Fatal("a contact does not ring")
	}
	bob.act(func(now time.Time) error { return bob.line.HangUp(last[Incoming](bob).Call, now) })
	w.run(time.Minute)

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var strangers []wire.CallForward
	for i := range 200 {
		strangers = append(strangers, stranger{testIdentity(fmt.Sprint("stranger ", i))}.offer(t, bob, w.now))
	}
	for i := range 1_000_000 {
		m := wire.CallForward{Generation: 1, Expiry: uint64(w.now.Unix() + 45)}
		m.Key[0], m.Key[1], m.Key[2] = byte(i), byte(i>>8), byte(i>>16)
		if i%5000 == 0 {
			m = strangers[i/5000]
		}
		bob.line.OfferCame(m, w.now)
		if i%1000 == 0 {
			w.now = w.now.Add(100 * time.Millisecond)
			bob.do(func() {})
		}
		bob.line.effects = nil
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
	if n := len(bob.line.calls) + len(bob.line.paths); n > 0 {
		t.Errorf("%d calls and paths of strangers", n)
	}
	w.run(time.Minute)
	bob.do(func() { bob.line.OfferCame(first, w.now) })
	if len(all[Incoming](bob)) != 1 {
		t.Error("a contact's old offer rings again")
	}
	bob.do(func() { bob.line.OfferCame(stranger{ann.id}.offer(t, bob, w.now), w.now) })
	if len(all[Incoming](bob)) != 2 {
		t.Error("a contact does not ring any more")
	}
	told, more := all[Stranger](bob), 0
	for _, s := range told {
		more += s.More
	}
	if len(told) < 2 || len(told) > 20 || len(told)+more < 150 {
		t.Errorf("the user was told of %d strangers, and of %d more", len(told), more)
	}
}

// What is remembered of offers is bounded, and the newest 1024 of contacts are always there.
func TestSeenBounded(t *testing.T) {
	s := newSeenOffers()
	id := func(kind byte, i int) [16]byte { return [16]byte{kind, byte(i), byte(i >> 8), byte(i >> 16)} }
	for i := range maxSeen {
		s.add(true, id(1, i), id(2, i))
	}
	for i := range 1_000_000 {
		s.add(false, id(3, i), id(4, i))
	}
	for i := range maxSeen {
		if !s.has(id(1, i)) || !s.has(id(2, i)) {
			t.Fatal("strangers push out contacts")
		}
	}
	if n := len(s.strange.has); n != 2*maxSeen || len(s.strange.ring) != 2*maxSeen {
		t.Errorf("%d are remembered", n)
	}
	if !s.has(id(3, 999_999)) || s.has(id(3, 999_999-maxSeen)) {
		t.Error("not the newest are remembered")
	}
}

// A contact that calls without end rings ten times a minute.
func TestContactFlood(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	for range 50 {
		bob.do(func() { bob.line.OfferCame(stranger{ann.id}.offer(t, bob, w.now), w.now) })
		w.run(100 * time.Millisecond)
	}
	if n := len(all[Incoming](bob)); n != personCalls {
		t.Errorf("it rang %d times", n)
	}
	if n := len(bob.line.calls); n != 1 {
		t.Errorf("%d calls", n)
	}
	w.run(2 * time.Minute)
	if len(bob.line.calls) > 0 || len(bob.line.paths) > 0 {
		t.Errorf("%d calls, %d paths", len(bob.line.calls), len(bob.line.paths))
	}
}

// A contact that calls without end makes no room for offers of others to be replayed, and takes nobody's
// place.
func TestContactFloodOfMany(t *testing.T) {
	w := newWorld(t, 1, "ann", "bob")
	ann, bob := w.person("ann"), w.person("bob")
	var floods []stranger
	for i := range 7 {
		id := testIdentity(fmt.Sprint("contact ", i))
		bob.known[id.Public()] = true
		floods = append(floods, stranger{id})
	}
	rings := func(m wire.CallForward) bool {
		before := len(bob.got)
		bob.do(func() { bob.line.OfferCame(m, w.now) })
		for _, e := range bob.got[before:] {
			switch e := e.(type) {
			case Incoming:
				return e.Person == ann.id.Public()
			case Missed:
				return e.Person == ann.id.Public()
			}
		}
		return false
	}
	old := stranger{ann.id}.offer(t, bob, w.now)
	if !rings(old) {
		t.Fatal("a contact does not ring")
	}
	for range 2*maxSeen/len(floods) + 1 {
		for _, f := range floods {
			bob.do(func() { bob.line.OfferCame(f.offer(t, bob, w.now), w.now) })
		}
		w.run(700 * time.Millisecond / 10)
	}
	if rings(old) {
		t.Error("an old offer rings again")
	}
	if !rings(stranger{ann.id}.offer(t, bob, w.now)) {
		t.Error("seven contacts take all calls of a minute")
	}
}

// The calls of a minute are shared by those who make them, and bounded.
func TestCallsShared(t *testing.T) {
	s, now := newSeenOffers(), epoch
	count := func(person byte, tries int) (n int) {
		for range tries {
			if s.allowPerson(identity.PublicKey{person}, now) {
				n++
			}
		}
		return n
	}
	for i := range 7 {
		if n := count(byte(i), 100); n != personCalls && i < 6 {
			t.Errorf("%d of %d", n, i)
		}
	}
	if n := count(7, 100); n != sharedCalls/8 {
		t.Errorf("the eighth has %d calls", n)
	}
	total := len(s.calls)
	for i := 8; i < 256; i++ {
		total += count(byte(i), 2)
	}
	if n := count(100, 1); n > 0 || total != maxMinute || len(s.calls) != maxMinute {
		t.Errorf("%d calls in a minute", total)
	}
	now = now.Add(time.Minute)
	if n := count(0, 100); n != personCalls || len(s.calls) != n {
		t.Errorf("%d a minute later", n)
	}
}
