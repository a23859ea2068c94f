package room

import (
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// keyMessage is the n-th key of a talker for a recipient, as its home makes it.
func keyMessage(talker *guest, n uint32, to *guest) []byte {
	return wire.Append(nil, &wire.Key{Sender: talker.ID, Key: signedKey(n), Wrap: wrap(n, to.ID)})
}

// results is how often a key was said to be acknowledged.
type results int

// pass has a key passed on, and returns whether it was taken and what becomes of it.
func (g *guest) pass(n uint32, to *guest, at float64) (taken bool, got *results) {
	got = new(results)
	return g.PassKey(keyMessage(g, n, to), to.ID, func() { *got++ }, seconds(at)), got
}

// want wants so many acknowledgements so far.
func (r *results) want(t testing.TB, what string, want results) {
	t.Helper()
	if *r != want {
		t.Errorf("%s: acknowledged %d times, want %d", what, *r, want)
	}
}

// TestPassKey wants a remote talker's key at a local recipient once, after who the talker is.
func TestPassKey(t *testing.T) {
	h := newHouse(t)
	talker := h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a := h.join("r")
	taken, first := talker.pass(1, a, 0)
	if !taken {
		t.Fatal("not taken")
	}
	a.ears.mu.Lock()
	if kind := a.ears.news[0].kind; kind != wire.UrgentMembersJoined {
		t.Errorf("first a %v", kind)
	}
	body := a.ears.news[1].body
	a.ears.mu.Unlock()
	if !slices.Equal(body, keyMessage(talker, 1, a)) {
		t.Errorf("the key became %x", body)
	}
	a.wantTold(t, "does not know the talker", plus(talker), keyOf(talker, 1))
	_, second := talker.pass(1, a, 0.1)
	a.wantTold(t, "a repeat")
	first.want(t, "not acknowledged", 0)
	second.want(t, "not acknowledged", 0)
	a.ears.ack(true)
	first.want(t, "acknowledged", 1)
	second.want(t, "of a repeat under way the first says it", 0)
	_, third := talker.pass(1, a, 0.2)
	third.want(t, "a repeat of what was acknowledged", 1)
	a.wantTold(t, "a late repeat")
	talker.pass(2, a, 1)
	a.wantTold(t, "another key", keyOf(talker, 2))
	talker.wantTold(t, "its home tells it")
	h.wantKeys("in the end", keyStats{Passed: 2, Introduced: 1})
}

// TestPassKeyKeepsNothingOfTheMessage wants the buffer that a message came in to be free again at once.
func TestPassKeyKeepsNothingOfTheMessage(t *testing.T) {
	h := newHouse(t)
	a, talker := h.join("r"), h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	msg := keyMessage(talker, 1, a)
	talker.PassKey(msg, a.ID, func() {}, epoch)
	clear(msg)
	a.wantTold(t, "after the buffer was used again", keyOf(talker, 1))
}

func TestPassKeyToWhomItIsNot(t *testing.T) {
	h := newHouse(t)
	talker, other, a := h.joinRemote("r", homeB), h.joinRemote("r", homeC), h.join("r")
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	left := h.join("r")
	left.Leave(epoch)
	for _, test := range []struct {
		name   string
		talker *guest
		key    []byte
		to     wire.MemberID
	}{
		{"a remote recipient", talker, keyMessage(talker, 1, other), other.ID},
		{"nobody", talker, keyMessage(talker, 1, a), wire.MemberID{1}},
		{"who has left", talker, keyMessage(talker, 1, left), left.ID},
		{"another's key", talker, keyMessage(other, 1, a), a.ID},
		{"a local talker's key", a, keyMessage(a, 1, left), left.ID},
		{"garbage", talker, []byte("garbage"), a.ID},
		{"nothing", talker, nil, a.ID},
	} {
		var got results
		if !test.talker.PassKey(test.key, test.to, func() { got++ }, epoch) {
			t.Errorf("%s: it comes again", test.name)
		}
		got.want(t, test.name, 0)
	}
	b := h.join("r")
	_, got := b.pass(1, a, 0)
	got.want(t, "between local members", 0)
	talker.Leave(epoch)
	_, got = talker.pass(1, a, 0)
	got.want(t, "of who has left", 0)
	for _, g := range []*guest{a, other} {
		g.wantTold(t, "no keys")
	}
	if passed, dropped := h.rooms.Keys.Passed.Load(), h.rooms.Drops.Count(drops.KeyUnusable); passed != 0 ||
		dropped != 9 {
		t.Errorf("%d passed, %d dropped", passed, dropped)
	}
}

// TestPassKeyLinkFull wants a key to come again for a while, and nobody to wait for ever.
func TestPassKeyLinkFull(t *testing.T) {
	h := newHouse(t)
	a, talker := h.join("r"), h.joinRemote("r", homeB)
	a.ears.full.Store(true)
	taken, got := talker.pass(1, a, 0)
	if taken {
		t.Error("taken by a full link")
	}
	a.ears.full.Store(false)
	taken, again := talker.pass(1, a, 0.1)
	if !taken {
		t.Error("not taken by a free link")
	}
	a.wantTold(t, "free", plus(talker), keyOf(talker, 1))
	a.ears.ack(true)
	got.want(t, "not taken", 0)
	again.want(t, "taken", 1)

	a.ears.full.Store(true)
	talker.pass(2, a, 1)
	taken, got = talker.pass(2, a, 5.1)
	if !taken {
		t.Error("a key comes again for ever")
	}
	got.want(t, "full for long", 0)
	a.ears.gone.Store(true)
	taken, got = talker.pass(3, a, 6)
	if !taken {
		t.Error("a key for who is silent comes again")
	}
	got.want(t, "full and silent", 0)
	if n := h.rooms.Drops.Count(drops.KeyUnusable); n != 2 {
		t.Errorf("%d dropped", n)
	}
}

func TestPassKeyWhenSessionsEnd(t *testing.T) {
	h := newHouse(t)
	a, talker := h.join("r"), h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	_, first := talker.pass(1, a, 0)
	a.ears.ack(false)
	first.want(t, "ended", 0)
	_, again := talker.pass(1, a, 0)
	a.wantTold(t, "twice, for it has not come", keyOf(talker, 1), keyOf(talker, 1))
	a.Leave(epoch)
	if k := talker.keys.remote[0]; len(k.pending) != 0 || len(k.passed) != 0 {
		t.Errorf("kept of who has left: %+v", k)
	}
	b := h.join("r") // in a's slot
	_, other := talker.pass(1, b, 0)
	a.ears.ack(false)
	again.want(t, "left and ended", 0)
	other.want(t, "another, in the same slot", 0)
	talker.pass(1, b, 0)
	b.wantTold(t, "once, though a's session has ended since", plus(talker), keyOf(talker, 1))
	talker.Leave(epoch)
	b.ears.ack(true)
	other.want(t, "the talker has left meanwhile", 1)
}

// TestPassKeyBounds wants a peer that repeats keys, or makes up many, to cost little and to keep no true key
// out.
func TestPassKeyBounds(t *testing.T) {
	h := newHouse(t)
	a, talker := h.join("r"), h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	for range 100 {
		if taken, _ := talker.pass(1, a, 0); !taken {
			t.Fatal("a repeat comes again")
		}
	}
	a.wantTold(t, "100 repeats", keyOf(talker, 1))
	a.ears.ack(true)
	taken := 0
	for i := range uint32(1000) {
		if ok, _ := talker.pass(1<<31+i, a, 0); ok {
			taken++
		}
	}
	if taken != remoteKeyBurst-1 {
		t.Errorf("%d keys at once", taken)
	}
	if len(a.ears.told(t)) != taken {
		t.Error("not as many were sent as were taken")
	}
	for i := range uint32(100) {
		if ok, _ := talker.pass(1<<30+i, a, float64(i)+1); !ok {
			t.Error("later ones are not taken")
		}
	}
	if ok, _ := talker.pass(2, a, 102); !ok || !slices.Contains(a.ears.told(t), keyOf(talker, 2)) {
		t.Error("higher numbers keep lower ones out")
	}
	if n := len(talker.keys.remote); n != maxRemoteKeys {
		t.Errorf("%d keys are remembered", n)
	}
}

// TestPassKeyDoneAtOnce wants a link to be free to call back before it returns.
func TestPassKeyDoneAtOnce(t *testing.T) {
	h := newHouse(t)
	m, err := h.rooms.Join("r", entry(1000), Origin{}, new(deaf), epoch)
	if err != nil {
		t.Fatal(err)
	}
	a, talker := &guest{Member: m}, h.joinRemote("r", homeB)
	var got results
	nested := func() {
		got++
		talker.PassKey(keyMessage(talker, 1, a), a.ID, func() { got++ }, epoch)
	}
	talker.PassKey(keyMessage(talker, 1, a), a.ID, nested, epoch)
	got.want(t, "calls back into the room", 2)
}

// passWrap is pass with a wrap that somebody made up.
func (g *guest) passWrap(n uint32, wrap []byte, to *guest, at float64) (taken bool, got *results) {
	got = new(results)
	key := wire.Append(nil, &wire.Key{Sender: g.ID, Key: signedKey(n), Wrap: wrap})
	return g.PassKey(key, to.ID, func() { *got++ }, seconds(at)), got
}

// TestPassKeyMadeUp wants a made-up message with a key's number not to keep the true one out, before it is
// acknowledged or after.
func TestPassKeyMadeUp(t *testing.T) {
	for _, acked := range []bool{false, true} {
		h := newHouse(t)
		a, talker := h.join("r"), h.joinRemote("r", homeB)
		h.rooms.Flush(epoch)
		a.ears.quiet(t)
		_, first := talker.passWrap(1, wrap(20, a.ID), a, 0)
		a.ears.quiet(t)
		if acked {
			a.ears.ack(true)
			first.want(t, "the made-up one is acknowledged", 1)
		}
		taken, got := talker.pass(1, a, 0.1)
		if !taken {
			t.Error("the true key is not taken")
		}
		got.want(t, "the true key is under way", 0)
		a.wantTold(t, "the true key", keyOf(talker, 1))
		_, again := talker.pass(1, a, 0.2)
		a.wantTold(t, "a repeat of the true key")
		a.ears.ack(true)
		got.want(t, "the true key is acknowledged", 1)
		again.want(t, "its repeat says nothing of its own", 0)
		_, again = talker.pass(1, a, 0.3)
		again.want(t, "a later repeat", 1)
		a.wantTold(t, "a later repeat")
	}
}

// TestPassKeyManyMadeUp wants made-up messages with one number to be bounded, and the true one to come all
// the same.
func TestPassKeyManyMadeUp(t *testing.T) {
	h := newHouse(t)
	a, b, talker := h.join("r"), h.join("r"), h.joinRemote("r", homeB)
	h.rooms.Flush(epoch)
	a.ears.quiet(t)
	b.ears.quiet(t)
	sent := 0
	for i := range uint32(200) {
		if taken, _ := talker.passWrap(1, wrap(20+i, a.ID), a, 0); taken {
			sent++
		}
	}
	if sent != 1+variantBurst || len(a.ears.told(t)) != sent {
		t.Errorf("%d made-up messages were sent at once, want %d", sent, 1+variantBurst)
	}
	if n := len(talker.keys.remote[0].pending[a.keys.slot]); n != maxVariants {
		t.Errorf("%d messages are remembered", n)
	}
	if taken, _ := talker.pass(1, b, 0); !taken {
		t.Error("another recipient gets no key")
	}
	if taken, _ := talker.pass(1, a, 1); !taken || !slices.Contains(a.ears.told(t), keyOf(talker, 1)) {
		t.Error("the true key does not come a second later")
	}
	a.ears.ack(true)
	if n := len(talker.keys.remote[0].pending); n != 1 { // b's
		t.Errorf("%d recipients are waited for", n)
	}
}
