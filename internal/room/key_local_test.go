package room

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// signedKey returns the n-th key of a talker, as long as real ones. Rooms understand its number alone.
func signedKey(n uint32) wire.SignedKey {
	k := wire.SignedKey{KeyHeader: wire.KeyHeader{Suite: 2, Number: n, Epoch: uint8(n),
		FirstCTR: uint64(n) * 100}}
	k.Signed = wire.AppendKeyHeader(nil, &k.KeyHeader)
	k.Signature = bytes.Repeat([]byte{byte(n)}, identity.SignatureSize)
	return k
}

// announce has the talker announce a key, and reports whether the room took it.
func (g *guest) announce(n, recipients uint32, at float64) bool {
	msg := wire.SenderKey{Recipients: recipients, Key: signedKey(n)}
	return g.SenderKey(wire.Append(nil, &msg), seconds(at))
}

// wrap is what a recipient's wrap of a key looks like here.
func wrap(n uint32, to wire.MemberID) []byte {
	return bytes.Repeat([]byte{byte(n), to[0], to[1], to[2]}, wire.WrapFresh/4)
}

// wrapFor has the talker send wraps of a key in one message, and reports whether the room took it.
func (g *guest) wrapFor(n uint32, at float64, to ...*guest) bool {
	msg := wire.AppendKeyWraps(nil, n, wire.WrapFresh)
	for _, r := range to {
		msg = wire.AppendWrap(msg, r.ID, wrap(n, r.ID))
	}
	return g.KeyWraps(msg, seconds(at))
}

// asks has a member ask for keys.
func (g *guest) asks(at float64, talkers ...*guest) {
	var ids []wire.MemberID
	for _, t := range talkers {
		ids = append(ids, t.ID)
	}
	g.KeysWanted(wire.AppendKeysWanted(nil, ids...), seconds(at))
}

// keyWord is what told says of a message about keys.
func keyWord(t testing.TB, u urgent) string {
	t.Helper()
	switch u.kind {
	case wire.UrgentKey:
		k, err := wire.Parse[wire.Key](u.body)
		if err != nil {
			t.Error(err)
		}
		want := signedKey(k.Key.Number)
		if !bytes.Equal(k.Key.Signed, want.Signed) || !bytes.Equal(k.Key.Signature, want.Signature) {
			t.Error("a key was changed")
		}
		return fmt.Sprintf("key %v %d", k.Sender, k.Key.Number)
	case wire.UrgentKeysWanted:
		ids, err := wire.ParseKeysWanted(u.body)
		if err != nil {
			t.Error(err)
		}
		slices.SortFunc(ids, wire.MemberID.Compare)
		return fmt.Sprintf("wanted by %v", ids)
	case wire.UrgentKeyDelivered:
		n, err := wire.Parse[wire.KeyDelivered](u.body)
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprintf("delivered %d", n.Number)
	}
	return u.kind.String()
}

func keyOf(g *guest, n uint32) string { return fmt.Sprintf("key %v %d", g.ID, n) }

func wantedBy(list ...*guest) string {
	var ids []wire.MemberID
	for _, g := range list {
		ids = append(ids, g.ID)
	}
	slices.SortFunc(ids, wire.MemberID.Compare)
	return fmt.Sprintf("wanted by %v", ids)
}

// acquainted returns n members of a room who were told of each other one after the other, as they joined.
func (h *house) acquainted(n int) []*guest {
	h.t.Helper()
	var list []*guest
	for range n {
		list = append(list, h.join("r"))
		h.rooms.Flush(epoch)
	}
	for _, g := range list {
		g.ears.quiet(h.t)
	}
	return list
}

// keyStats are what was counted of keys.
type keyStats struct{ Keys, Passed, Introduced, Delivered, Dropped, Limited uint64 }

func (h *house) wantKeys(what string, want keyStats) {
	h.t.Helper()
	k, d := &h.rooms.Keys, h.rooms.Drops
	got := keyStats{
		k.Announced.Load(), k.Passed.Load(), k.Introduced.Load(), k.Delivered.Load(),
		d.Count(drops.KeyUnusable), d.Count(drops.KeyRate),
	}
	if got != want {
		h.t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

// TestKeyIsPassedOn has the second of three talk: the first knows it, the third has to be told who it is.
func TestKeyIsPassedOn(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(3)
	a, talker, c := list[0], list[1], list[2]
	if !talker.announce(1, 2, 0) || !talker.wrapFor(1, 0, a, c) {
		t.Fatal("not taken")
	}
	c.ears.mu.Lock()
	if first := c.ears.news[0].kind; first != wire.UrgentMembersJoined {
		t.Errorf("first a %v", first)
	}
	last := c.ears.news[len(c.ears.news)-1].body
	c.ears.mu.Unlock()
	if k, err := wire.Parse[wire.Key](last); err != nil || !bytes.Equal(k.Wrap, wrap(1, c.ID)) {
		t.Errorf("c got the wrap %x, %v", k.Wrap, err)
	}
	a.wantTold(t, "who joined before", keyOf(talker, 1))
	c.wantTold(t, "who joined after", plus(talker), keyOf(talker, 1))

	a.ears.ack(true)
	h.rooms.Flush(seconds(1))
	talker.wantTold(t, "one has it")
	c.ears.ack(true)
	talker.wantTold(t, "both have it", "delivered 1")

	talker.announce(2, 2, 1)
	talker.wrapFor(2, 1, a, c)
	a.wantTold(t, "again", keyOf(talker, 2))
	c.wantTold(t, "introduced before", keyOf(talker, 2))
	h.wantKeys("in the end", keyStats{Keys: 2, Passed: 4, Introduced: 1, Delivered: 1})
}

// TestIntroducedAfterRefetch wants an entry for who was told to fetch the list instead, and for who was told
// late.
func TestIntroducedAfterRefetch(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.join("r")
	h.rooms.Flush(epoch)
	b.ears.full.Store(true)
	crowd := h.joinMany("r", manyChanges+1)
	c := crowd[0]
	h.rooms.Flush(seconds(2))
	b.ears.full.Store(false)
	a.ears.quiet(t)
	if !c.announce(1, 2, 2) || !c.wrapFor(1, 2, a, b) {
		t.Fatal("not taken")
	}
	a.wantTold(t, "was to fetch the list", plus(c), keyOf(c, 1))
	b.ears.quiet(t)
	late := h.join("r")
	h.rooms.Flush(seconds(4)) // b is told to fetch the list, and of nobody
	b.ears.quiet(t)
	if !late.announce(1, 1, 4) || !late.wrapFor(1, 4, b) {
		t.Fatal("not taken")
	}
	b.wantTold(t, "was behind", plus(late), keyOf(late, 1))
}

func TestWrapsBeforeTheirKey(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(2)
	a, b := list[0], list[1]
	if a.wrapFor(7, 0, b) {
		t.Error("wraps of a key that has not come were taken")
	}
	b.wantTold(t, "no key")
	a.announce(7, 1, 0)
	if a.wrapFor(6, 0, b) || a.wrapFor(8, 0, b) {
		t.Error("wraps of other keys that have not come were taken")
	}
	if !a.wrapFor(7, 0, b) {
		t.Error("not taken")
	}
	b.wantTold(t, "key and wrap", plus(a), keyOf(a, 7))
}

func TestOldKeysGo(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(2)
	b, a := list[0], list[1] // b was told of a
	for _, n := range []uint32{2, 5, 3, 4} {
		a.announce(n, 1, 0)
	}
	if a.wrapFor(6, 0, b) {
		t.Error("a newer key's wraps were taken")
	}
	if !a.wrapFor(1, 0, b) || !a.announce(1, 1, 0) {
		t.Error("what is too old was not taken and dropped")
	}
	a.wrapFor(2, 0, b)
	b.wantTold(t, "the newest four", keyOf(a, 2))
	a.announce(6, 1, 0)
	if !a.wrapFor(2, 0, b) || !a.wrapFor(3, 0, b) {
		t.Error("not taken")
	}
	b.wantTold(t, "2 is old now", keyOf(a, 3))
	if !a.announce(6, 99, 0) {
		t.Error("a key that is there was not taken and dropped")
	}
	b.ears.ack(true)
	a.wantTold(t, "2 was passed while it was new", "delivered 2", "delivered 3")
}

func TestKeyRate(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(2)
	a, n := list[0], uint32(0)
	for range 20 {
		if !a.announce(n+1, 1, 0) {
			break
		}
		n++
	}
	if n != keyBurst {
		t.Errorf("%d keys at once, want %d", n, keyBurst)
	}
	if a.announce(n+1, 1, 0.4) || !a.announce(n+1, 1, 0.6) || a.announce(n+2, 1, 0.7) ||
		!a.announce(n+2, 1, 1.1) {
		t.Error("later not two a second")
	}
	if got := h.rooms.Drops.Count(drops.KeyRate); got != 3 {
		t.Errorf("%d put off", got)
	}
}

// TestHostileWraps wants no more to come of many wraps than one key for each member.
func TestHostileWraps(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(3)
	victim, b, mallory := list[0], list[1], list[2]
	stranger := h.join("another")
	mallory.announce(1, 1<<32-1, 0)
	for range 10_000 {
		mallory.wrapFor(1, 0, victim, mallory, stranger)
	}
	mallory.wrapFor(1, 0, victim, victim, victim)
	victim.wantTold(t, "10,000 wraps", keyOf(mallory, 1))
	stranger.wantTold(t, "of another room")
	mallory.wantTold(t, "its own wraps")
	b.wantTold(t, "no wraps")
	victim.ears.ack(true)
	h.rooms.Flush(seconds(5))
	mallory.wantTold(t, "there are more recipients")
	for _, garbage := range [][]byte{nil, {1}, bytes.Repeat([]byte{255}, wire.MaxUrgent)} {
		if !mallory.SenderKey(garbage, epoch) || !mallory.KeyWraps(garbage, epoch) ||
			!mallory.KeysWanted(garbage, epoch) {
			t.Errorf("%d bytes of garbage come again", len(garbage))
		}
	}
	if k := mallory.keys.newest[0]; len(k.left) > 0 || len(k.passed) > 1 {
		t.Errorf("remembered: %+v", k)
	}
}

// TestDelivered goes through the ways in which a recipient is done.
func TestDelivered(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func(a, b, c *guest)
		want bool
	}{
		{"nothing", func(_, _, _ *guest) {}, false},
		{"acknowledged", func(a, b, c *guest) { a.wrapFor(1, 0, b, c); b.ears.ack(true); c.ears.ack(true) },
			true},
		{"one of two", func(a, b, c *guest) { a.wrapFor(1, 0, b, c); b.ears.ack(true) }, false},
		{"one wrap has not come", func(a, b, _ *guest) { a.wrapFor(1, 0, b); b.ears.ack(true) }, false},
		{"left before", func(a, b, c *guest) { c.Leave(epoch); a.wrapFor(1, 0, b, c); b.ears.ack(true) },
			true},
		{"left after", func(a, b, c *guest) { a.wrapFor(1, 0, b, c); b.ears.ack(true); c.Leave(epoch) },
			true},
		{"session ended", func(a, b, c *guest) { a.wrapFor(1, 0, b, c); b.ears.ack(true); c.ears.ack(false) },
			true},
		{"left, then ended", func(a, b, c *guest) {
			a.wrapFor(1, 0, b,
				c)
			b.Leave(epoch)
			b.ears.ack(false)
			c.ears.ack(true)
		}, true},
		{"silent", func(a, b, c *guest) { a.wrapFor(1, 0, b, c); b.ears.ack(true); c.ears.gone.Store(true) },
			true},
		{"silent and full", func(a, b, c *guest) {
			c.ears.gone.Store(true)
			c.ears.full.Store(true)
			a.wrapFor(1, 0, b, c)
			b.ears.ack(true)
		}, true},
		{"full for long", func(a, b, c *guest) {
			c.ears.full.Store(true)
			a.wrapFor(1, 0, b, c)
			a.wrapFor(1, 4.1, b, c)
			b.ears.ack(true)
		}, true},
		{"full", func(a, b, c *guest) {
			c.ears.full.Store(true)
			a.wrapFor(1, 0, b, c)
			a.wrapFor(1, 3.9, b, c)
			b.ears.ack(true)
		}, false},
		{"full, then not", func(a, b, c *guest) {
			c.ears.full.Store(true)
			a.wrapFor(1, 0, b, c)
			c.ears.full.Store(false)
			a.wrapFor(1, 0.1, b, c)
			b.ears.ack(true)
			c.ears.ack(true)
		}, true},
		{"left between two tries", func(a, b, c *guest) {
			c.ears.full.Store(true)
			a.wrapFor(1, 0, b, c)
			b.Leave(epoch)
			a.wrapFor(1, 0.1, b, c)
			c.ears.full.Store(false)
			a.wrapFor(1, 0.2, b, c)
		}, false}, // c has not acknowledged
		{"the same twice", func(a, b, _ *guest) {
			a.wrapFor(1, 0, b, b)
			a.wrapFor(1, 0,
				b)
			b.ears.ack(true)
		}, false},
	} {
		h := newHouse(t)
		list := h.acquainted(3)
		b, c, a := list[0], list[1], list[2]
		a.announce(1, 2, 0)
		test.f(a, b, c)
		h.rooms.Flush(seconds(1))
		a.ears.mu.Lock()
		told := slices.ContainsFunc(a.ears.news,
			func(u urgent) bool { return u.kind == wire.UrgentKeyDelivered })
		a.ears.mu.Unlock()
		if told != test.want {
			t.Errorf("%s: delivered %v", test.name, told)
		}
		h.rooms.Flush(seconds(100))
		if h.rooms.Flush(seconds(100)) {
			t.Errorf("%s: something is left for ever", test.name)
		}
	}
}

// TestDeliveredWithoutAcknowledgement wants nobody to be waited for longer than 4 s after the key was passed
// to it, though it is heard of.
func TestDeliveredWithoutAcknowledgement(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(5)
	b, c, d, e, a := list[0], list[1], list[2], list[3], list[4]
	a.announce(1, 4, 0)
	a.wrapFor(1, 0, b)
	a.wrapFor(1, 0.1, c)
	a.wrapFor(1, 2, d)
	d.ears.ack(true)
	h.rooms.Flush(seconds(4.2))
	a.wantTold(t, "one wrap has not come")
	a.wrapFor(1, 4.3, e)
	for _, at := range []float64{4.4, 8.2} {
		if !h.rooms.Flush(seconds(at)) {
			t.Error("nothing is left to be done")
		}
		a.wantTold(t, "the last one has time")
	}
	h.rooms.Flush(seconds(8.4))
	a.wantTold(t, "who does not acknowledge is given up", "delivered 1")
	b.ears.ack(true)
	e.ears.ack(true)
	if h.rooms.Flush(seconds(8.5)) {
		t.Error("something is left to be done")
	}
	a.wantTold(t, "late acknowledgements")

	// The next key waits for nobody longer because of the one before.
	a.announce(2, 4, 9)
	a.wrapFor(2, 9, b, c, d, e)
	b.ears.ack(true)
	d.ears.ack(true)
	h.rooms.Flush(seconds(12.9))
	a.wantTold(t, "c and e have not acknowledged")
	h.rooms.Flush(seconds(13.1))
	a.wantTold(t, "4 s", "delivered 2")
}

// TestWaiting wants who left to be forgotten in every batch: the slot may be another's soon.
func TestWaiting(t *testing.T) {
	var w waiting
	for i := range 100 {
		w.add(i, seconds(float64(i)*0.1))
	}
	if len(w) != 20 {
		t.Errorf("%d batches in 10 s", len(w))
	}
	if !w.remove(3) || w.remove(3) || w.remove(100) {
		t.Error("not removed once")
	}
	w.add(3, seconds(10))
	w.expire(seconds(5.9))
	if all := w.all(); all.has(54) || !all.has(55) || !all.has(99) || !all.has(3) {
		t.Errorf("left: %x", all)
	}
	w.removeAll(w.all())
	if !w.empty() {
		t.Error("not empty")
	}
	if w.expire(seconds(0)); len(w) != 0 {
		t.Errorf("%d empty batches", len(w))
	}
}

// TestLeftBetweenTriesIsCountedOnce wants the wrap for who left while the message was put off not to count
// twice.
func TestLeftBetweenTriesIsCountedOnce(t *testing.T) {
	h := newHouse(t)
	list := h.acquainted(4)
	b, c, d, a := list[0], list[1], list[2], list[3]
	a.announce(1, 3, 0)
	c.ears.full.Store(true)
	if a.wrapFor(1, 0, b, c) {
		t.Fatal("taken though c's link is full")
	}
	b.wantTold(t, "at the first try", keyOf(a, 1))
	b.Leave(epoch)
	c.ears.full.Store(false)
	if !a.wrapFor(1, 0.1, b, c) {
		t.Fatal("not taken")
	}
	c.ears.ack(true)
	h.rooms.Flush(seconds(1))
	a.wantTold(t, "d's has not come", minus(b))
	a.wrapFor(1, 1, d)
	d.ears.ack(true)
	a.wantTold(t, "all", "delivered 1")
}

func TestNoRecipients(t *testing.T) {
	h := newHouse(t)
	a := h.acquainted(1)[0]
	a.announce(1, 0, 0)
	a.wantTold(t, "for nobody", "delivered 1")
	a.ears.full.Store(true)
	a.announce(2, 0, 0)
	if !h.rooms.Flush(seconds(0.1)) {
		t.Error("it is forgotten that the sender must be told")
	}
	a.ears.full.Store(false)
	if h.rooms.Flush(seconds(0.2)) {
		t.Error("something is left")
	}
	a.wantTold(t, "late", "delivered 2")
}

// TestSoon wants Flush to be asked for when time alone may bring something about.
func TestSoon(t *testing.T) {
	h := newHouse(t)
	calls := 0
	h.rooms.Soon = func() { calls++ }
	list := h.acquainted(2)
	b, a := list[0], list[1]
	a.announce(1, 1, 0)
	a.wrapFor(1, 0, b)
	if calls != 1 {
		t.Errorf("%d calls for a key that waits", calls)
	}
	if !h.rooms.Flush(seconds(0.1)) {
		t.Error("nothing is left")
	}
	b.ears.ack(true)
	if h.rooms.Flush(seconds(0.2)) {
		t.Error("something is left")
	}
	b.asks(0.3, a)
	if calls != 2 {
		t.Errorf("%d calls with a request", calls)
	}
}
