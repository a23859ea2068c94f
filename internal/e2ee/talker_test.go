package e2ee

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	suite64 = AES128CTRHMACSHA256Tag64
	suite32 = AES128CTRHMACSHA256Tag32
)

var never time.Time

// wantKey fails unless d has this epoch and these recipients, and the digest of all others.
func wantKey(t *testing.T, from *party, d *Distribution, generation, step uint8, others []*party,
	to ...*party) {
	t.Helper()
	h := header(t, d)
	if got := h.Epoch; got != generation<<4|step {
		t.Fatalf("key %d is for epoch %#02x, want %d, %d", d.Number(), got, generation, step)
	}
	hashes := []wire.EntryHash{from.hash}
	for _, p := range others {
		hashes = append(hashes, p.hash)
	}
	if h.Members != DigestMembers(hashes) {
		t.Fatalf("key %d has another member digest than that of %d members", d.Number(), len(hashes))
	}
	keys := messages(t, from, d)
	for i, p := range to {
		if keys[p.hash.Member()] == nil {
			t.Fatalf("key %d has no wrap for recipient %d", d.Number(), i)
		}
	}
	if len(keys) != len(to) {
		t.Fatalf("key %d has %d recipients, want %d", d.Number(), len(keys), len(to))
	}
}

// armed returns a talker, armed, and two listeners who have its key, of generation 0.
func armed(t *testing.T) (a, b, c *party, s *Sealer) {
	t.Helper()
	a, b, c = newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	a.sees(b, c)
	a.talker.Arm(suite64)
	s = a.stream(t, 0)
	d := a.step(t, at(0), true, never)
	wantKey(t, a, d, 0, 0, []*party{b, c}, b, c)
	deliver(t, a, d, at(0), b, c)
	wantHeard(t, s.frame(t, "first"), "first", at(0), b, c)
	return a, b, c, s
}

func TestTalkerNotArmedDoesNothing(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	a.sees(b)
	a.step(t, at(0), false, never)
	if _, err := a.talker.Stream(0); err != ErrDisarmed {
		t.Fatalf("Stream: %v, want ErrDisarmed", err)
	}
	a.talker.Wanted(b.hash.Member())
	a.talker.Delivered(1)
	a.talker.Disarm()
	a.step(t, at(1), false, never)
}

func TestJoinRatchets(t *testing.T) {
	a, b, c, s := armed(t)
	d := newParty(t, "d")
	before := s.frame(t, "before")
	a.sees(b, c, d)
	joined := s.frame(t, "not stepped in")
	wantKeyIn := a.step(t, at(5), true, never)
	wantKey(t, a, wantKeyIn, 0, 1, []*party{b, c, d}, d)
	if h := header(t, wantKeyIn); h.FirstCTR != 3 {
		t.Fatalf("first CTR %d, want 3", h.FirstCTR)
	}
	after := s.frame(t, "after")
	wantHeard(t, after, "after", at(5), b, c)
	wantUnheard(t, after, ErrNoKey, at(5), d)
	deliver(t, a, wantKeyIn, at(5), d)
	wantHeard(t, after, "after", at(5), d)
	wantUnheard(t, before, ErrEarly, at(5), d)
	wantUnheard(t, joined, ErrEarly, at(5), d)
	wantHeard(t, joined, "not stepped in", at(5), b, c)
}

func TestChangesAreCoalesced(t *testing.T) {
	a, b, c, _ := armed(t)
	d, e, f := newParty(t, "d"), newParty(t, "e"), newParty(t, "f")
	a.sees(b, c, d)
	a.step(t, at(0.3), false, at(1))
	a.sees(b, c, d, e)
	a.step(t, at(0.9), false, at(1))
	wantKey(t, a, a.step(t, at(1), true, never), 0, 1, []*party{b, c, d, e}, d, e)
	a.sees(b, c, d, e, f)
	a.sees(b, c, d, e) // it left before it was told anything
	a.step(t, at(1.5), false, never)
	a.sees(c, d, e)
	a.sees(c, e, b, d) // a flaw in the list, nobody left
	a.step(t, at(1.6), false, never)
}

func TestLeaveWaitsForDelivery(t *testing.T) {
	a, b, c, s := armed(t)
	a.sees(b)
	fresh := a.step(t, at(10), true, at(18))
	wantKey(t, a, fresh, 1, 0, []*party{b}, b)
	deliver(t, a, fresh, at(10), b)
	old := s.frame(t, "still the old key")
	wantHeard(t, old, "still the old key", at(10), b, c)

	a.talker.Delivered(fresh.Number() - 1)
	a.talker.Delivered(fresh.Number() + 1)
	a.step(t, at(11), false, at(18))
	a.talker.Delivered(fresh.Number())
	a.step(t, at(12), false, never)
	secret := s.frame(t, "without c")
	if secret.kid.Epoch() != 0x10 {
		t.Fatalf("sealed with epoch %#x", secret.kid.Epoch())
	}
	wantHeard(t, secret, "without c", at(12), b)
	wantUnheard(t, secret, ErrNoKey, at(12), c)
}

func TestLeaveIsOverAfterEightSeconds(t *testing.T) {
	a, b, c, s := armed(t)
	d := newParty(t, "d")
	a.sees(b, c, d)
	a.step(t, at(10), true, never)
	a.sees(b, d)
	a.step(t, at(10.4), false, at(11)) // the first leave
	wantKey(t, a, a.step(t, at(11), true, at(18.4)), 1, 0, []*party{b, d}, b, d)
	a.sees(b) // d has the fresh key: another one, for both leaves
	second := a.step(t, at(13), true, at(18.4))
	wantKey(t, a, second, 2, 0, []*party{b}, b)
	a.talker.Delivered(second.Number() - 1) // of the key that d has
	a.step(t, at(14), false, at(18.4))
	if f := s.frame(t, "x"); f.kid.Epoch() != 0x01 {
		t.Fatalf("sealed with epoch %#x before the 8 s were over", f.kid.Epoch())
	}
	a.step(t, at(18.4), false, never)
	if f := s.frame(t, "x"); f.kid.Epoch() != 0x20 {
		t.Fatalf("sealed with epoch %#x after 8 s", f.kid.Epoch())
	}
}

func TestStepTooLateSwitchesAtOnce(t *testing.T) {
	a, b, c, s := armed(t)
	a.sees(b, c, newParty(t, "d"))
	a.step(t, at(10), true, never)
	a.sees(b, c)
	a.step(t, at(10.5), false, at(11))
	a.step(t, at(30), true, never)
	if f := s.frame(t, "x"); f.kid.Epoch() != 0x10 {
		t.Fatalf("sealed with epoch %#x long after the leave", f.kid.Epoch())
	}
}

func TestNewcomersGetTheWaitingKey(t *testing.T) {
	a, b, c, s := armed(t)
	d := newParty(t, "d")
	a.sees(b)
	fresh := a.step(t, at(10), true, at(18))
	deliver(t, a, fresh, at(10), b)
	a.sees(b, d)
	again := a.step(t, at(11), true, at(18))
	wantKey(t, a, again, 1, 0, []*party{b, d}, d)
	if again.Number() <= fresh.Number() {
		t.Fatalf("number %d after %d", again.Number(), fresh.Number())
	}
	deliver(t, a, again, at(11), d)
	old := s.frame(t, "old key")
	wantUnheard(t, old, ErrNoKey, at(11), d)
	a.talker.Delivered(fresh.Number())
	a.step(t, at(12), false, never)
	wantHeard(t, s.frame(t, "fresh key"), "fresh key", at(12), b, d)
	wantUnheard(t, old, ErrNoKey, at(12), d)
	_ = c
}

func TestStepOverflowMakesAFreshKey(t *testing.T) {
	a, b, c, s := armed(t)
	all := []*party{b, c}
	for i := range 15 {
		all = append(all, newParty(t, "d"+string(rune('a'+i))))
		a.sees(all...)
		d := a.step(t, at(float64(10+i)), true, never)
		wantKey(t, a, d, 0, uint8(i+1), all, all[len(all)-1])
		deliver(t, a, d, at(float64(10+i)), all...)
	}
	all = append(all, newParty(t, "e"))
	wantHeard(t, s.frame(t, "step 15"), "step 15", at(30), all[:len(all)-1]...)
	a.sees(all...)
	fresh := a.step(t, at(40), true, at(48))
	wantKey(t, a, fresh, 1, 0, all, all...)
	deliver(t, a, fresh, at(40), all...)
	wantHeard(t, s.frame(t, "still step 15"), "still step 15", at(40), all[:len(all)-1]...)
	a.step(t, at(48), false, never)
	wantHeard(t, s.frame(t, "fresh"), "fresh", at(48), all...)
}

func TestWantedKeysComeAgain(t *testing.T) {
	a, b, c, s := armed(t)
	for range 100 {
		held := s.frame(t, "held")
		_ = held
	}
	held := s.frame(t, "held")
	a.talker.Wanted(b.hash.Member())
	a.talker.Wanted(b.hash.Member())
	a.talker.Wanted(newParty(t, "stranger").hash.Member())
	a.talker.Wanted(a.hash.Member())
	a.step(t, at(0.5), false, at(1))
	again := a.step(t, at(1), true, never)
	wantKey(t, a, again, 0, 0, []*party{b, c}, b)
	b.listener.Close()
	lost := newParty(t, "b") // as b, without what it had
	lost.join, lost.listener = b.join, NewListener(b.hash, b.join, testRoom, nil)
	deliver(t, a, again, at(1), lost)
	wantHeard(t, held, "held", at(1), lost) // first CTR is the key's, not the header's

	// Who asks and is new is a newcomer.
	d := newParty(t, "d")
	a.sees(b, c, d)
	a.talker.Wanted(d.hash.Member())
	a.talker.Wanted(c.hash.Member())
	wantKey(t, a, a.step(t, at(3), true, never), 0, 1, []*party{b, c, d}, c, d)

	// Who asked and left, is forgotten.
	a.talker.Wanted(d.hash.Member())
	a.sees(b, c)
	a.sees(b, c, d)
	a.step(t, at(5), false, never)
}

func TestWantedWhileAKeyWaits(t *testing.T) {
	a, b, c, s := armed(t)
	a.sees(b)
	fresh := a.step(t, at(10), true, at(18))
	a.talker.Wanted(b.hash.Member())
	wantKey(t, a, a.step(t, at(11), true, at(18)), 1, 0, []*party{b}, b)
	a.talker.Delivered(fresh.Number()) // the first header's delivery counts
	a.step(t, at(12), false, never)
	if f := s.frame(t, "x"); f.kid.Epoch() != 0x10 {
		t.Fatalf("sealed with epoch %#x", f.kid.Epoch())
	}
	_ = c
}

func TestArmingMakesUp(t *testing.T) {
	a, b, c, s := armed(t)
	a.talker.Disarm()
	if _, _, _, err := s.Seal(nil, nil); err != ErrDisarmed {
		t.Fatalf("Seal: %v, want ErrDisarmed", err)
	}
	a.sees(b)
	a.step(t, at(10), false, never)
	a.talker.Arm(suite64)
	first := s.frame(t, "first word") // before Step
	wantUnheard(t, first, ErrNoKey, at(10), b, c)
	d := a.step(t, at(10.1), true, never)
	wantKey(t, a, d, 1, 0, []*party{b}, b)
	deliver(t, a, d, at(10.1), b)
	wantHeard(t, first, "first word", at(10.1), b)
	wantUnheard(t, first, ErrNoKey, at(10.1), c)

	// Nothing happened meanwhile: nothing to make up for.
	a.talker.Disarm()
	a.talker.Arm(suite64)
	a.talker.Arm(suite64)
	a.step(t, at(20), false, never)
	// A join meanwhile: a ratchet.
	a.talker.Disarm()
	a.sees(b, c)
	a.step(t, at(30), false, never)
	a.talker.Arm(suite64)
	wantKey(t, a, a.step(t, at(30), true, never), 1, 1, []*party{b, c}, c)
}

func TestArmingIsNotPaced(t *testing.T) {
	a, b, c, _ := armed(t)
	a.talker.Disarm()
	a.sees(b)
	a.talker.Arm(suite64)
	wantKey(t, a, a.step(t, at(0.2), true, never), 1, 0, []*party{b}, b)
	a.sees(b, c)
	a.step(t, at(0.3), false, at(1.2)) // but what is not arming is
}

func TestAnotherSuiteIsAnotherKey(t *testing.T) {
	a, b, c, s := armed(t)
	a.sees(b)
	a.step(t, at(10), true, at(18)) // waits
	a.talker.Arm(suite32)
	f := s.frame(t, "short")
	if len(f.ciphertext) != len("short")+4 || f.kid.Epoch() != 0x20 {
		t.Fatalf("%d bytes, epoch %#x", len(f.ciphertext), f.kid.Epoch())
	}
	d := a.step(t, at(10), true, never)
	wantKey(t, a, d, 2, 0, []*party{b}, b)
	if header(t, d).Suite != uint8(suite32) {
		t.Fatal("the header has another suite")
	}
	deliver(t, a, d, at(10), b)
	wantHeard(t, f, "short", at(10), b)
	wantUnheard(t, f, ErrNoKey, at(10), c)
}

func TestUnknownSuiteIsTheUsualOne(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	a.sees(b)
	a.talker.Arm(Suite(9))
	if h := header(t, a.step(t, at(0), true, never)); h.Suite != uint8(suite64) {
		t.Fatalf("suite %d", h.Suite)
	}
}

func TestDisarmingUsesTheWaitingKey(t *testing.T) {
	a, b, _, s := armed(t)
	a.sees(b)
	deliver(t, a, a.step(t, at(10), true, at(18)), at(10), b)
	a.talker.Disarm()
	a.step(t, at(11), false, never)
	a.talker.Arm(suite64)
	a.step(t, at(12), false, never)
	wantHeard(t, s.frame(t, "again"), "again", at(12), b)
}

func TestAlone(t *testing.T) {
	a, b, c := newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	a.talker.Arm(suite64)
	a.step(t, at(0), false, never)
	a.sees(b) // nothing was sealed yet: the key is as good as fresh
	d := a.step(t, at(1), true, never)
	wantKey(t, a, d, 0, 0, []*party{b}, b)
	s := a.stream(t, 0)
	deliver(t, a, d, at(1), b)
	a.sees()
	a.step(t, at(5), false, never)
	alone := s.frame(t, "to nobody")
	if alone.kid.Epoch() != 0x10 {
		t.Fatalf("sealed with epoch %#x after everybody left", alone.kid.Epoch())
	}
	wantUnheard(t, alone, ErrNoKey, at(5), b)
	a.sees(c)
	d = a.step(t, at(10), true, never)
	wantKey(t, a, d, 1, 1, []*party{c}, c)
	deliver(t, a, d, at(10), c)
	wantUnheard(t, alone, ErrEarly, at(10), c)
	wantHeard(t, s.frame(t, "to c"), "to c", at(10), c)
}

// A member that is there before Step but not when a frame was sealed, is a newcomer.
func TestNewcomerBetweenArmAndStep(t *testing.T) {
	a, b, c := newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	a.sees(b)
	a.talker.Arm(suite64)
	s := a.stream(t, 0)
	f := s.frame(t, "to b")
	a.sees(b, c)
	d := a.step(t, at(0), true, at(1))
	wantKey(t, a, d, 0, 0, []*party{b, c}, b)
	deliver(t, a, d, at(0), b)
	d = a.step(t, at(1), true, never)
	wantKey(t, a, d, 0, 1, []*party{b, c}, c)
	deliver(t, a, d, at(0), c)
	wantHeard(t, f, "to b", at(1), b)
	wantUnheard(t, f, ErrEarly, at(1), c)
	wantHeard(t, s.frame(t, "to both"), "to both", at(1), b, c)
}

// Who left before the key was announced never had it: that is no reason for another one.
func TestLeaveBetweenArmAndStep(t *testing.T) {
	a, b, c := newParty(t, "a"), newParty(t, "b"), newParty(t, "c")
	a.sees(b, c)
	a.talker.Arm(suite64)
	f := a.stream(t, 0).frame(t, "to b")
	a.sees(b)
	d := a.step(t, at(0), true, never)
	wantKey(t, a, d, 0, 0, []*party{b}, b)
	deliver(t, a, d, at(0), b)
	wantHeard(t, f, "to b", at(0), b)
}

// TestLeavesWaitInTheOpening has somebody leave before somebody else is found, who was there before: the
// fresh key must not take the place of that which opens what was said.
func TestLeavesWaitInTheOpening(t *testing.T) {
	for _, ends := range []bool{false, true} {
		a, b, c, s := armed(t)
		d := newParty(t, "d")
		said := s.frame(t, "before d was found")
		a.talker.Opening(true)
		a.sees(c)
		a.step(t, at(2), false, at(6))
		a.sees(c, d)
		found := a.step(t, at(3), true, at(6))
		wantKey(t, a, found, 0, 0, []*party{c, d}, d)
		deliver(t, a, found, at(3), d)
		wantHeard(t, said, "before d was found", at(3), d)
		when := 6.
		if ends {
			a.talker.Opening(false)
			when = 4
		}
		fresh := a.step(t, at(when), true, at(10))
		wantKey(t, a, fresh, 1, 0, []*party{c, d}, c, d)
		a.step(t, at(10), false, never)
		deliver(t, a, fresh, at(10), c, d)
		last := s.frame(t, "after b left")
		wantHeard(t, last, "after b left", at(10), c, d)
		wantUnheard(t, last, ErrNoKey, at(10), b)
	}
}

func TestMembersWhoCannotGetKeys(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	bad := Recipient{Hash: wire.HashEntry([]byte("bad")), JoinKey: [32]byte{1}}
	list := []Recipient{bad, b.recipient(), a.recipient(), b.recipient()}
	a.talker.SetMembers(list)
	a.talker.Arm(suite64)
	d := a.step(t, at(0), true, never)
	wantKey(t, a, d, 0, 0, []*party{b, {hash: bad.Hash}}, b)
	a.talker.Wanted(bad.Hash.Member())
	a.step(t, at(5), false, never)
	a.sees(b)
	a.step(t, at(5), false, never) // it had nothing
}

func TestOldKeysAreErased(t *testing.T) {
	a, b, c, _ := armed(t)
	erased := func(what string, w []byte) {
		t.Helper()
		for _, x := range w {
			if x != 0 {
				t.Fatalf("%s: the key is still there", what)
			}
		}
	}
	w := *a.talker.key.w
	a.sees(b, c, newParty(t, "d"))
	a.step(t, at(10), true, never)
	erased("ratchet", w)

	w = *a.talker.key.w
	a.sees(b, c)
	a.step(t, at(20), true, at(28))
	waiting := *a.talker.waiting.w
	a.sees(b)
	a.step(t, at(21), true, at(28))
	erased("superseded", waiting)
	a.step(t, at(28), false, never)
	erased("switch", w)

	w = *a.talker.key.w
	a.sees()
	a.step(t, at(30), false, never)
	erased("alone", w)
	a.sees(b)
	a.step(t, at(40), true, never)
	a.sees(c)
	a.step(t, at(50), true, at(58))
	w, waiting = *a.talker.key.w, *a.talker.waiting.w
	a.talker.Arm(suite32)
	erased("another suite", w)
	erased("another suite, waiting", waiting)
}

// While too many headers are under way newcomers and who asks wait, but nobody who left keeps the key for it.
func TestHold(t *testing.T) {
	a, b, c, _ := armed(t)
	d := newParty(t, "d")
	a.talker.Hold(true)
	a.sees(b, c, d)
	a.talker.Wanted(b.hash.Member())
	a.step(t, at(5), false, never)
	a.talker.Hold(false)
	wantKey(t, a, a.step(t, at(6), true, never), 0, 1, []*party{b, c, d}, b, d)
	a.talker.Hold(true)
	a.sees(b, d)
	wantKey(t, a, a.step(t, at(7), true, at(15)), 1, 0, []*party{b, d}, b, d)
	a.step(t, at(15), false, never) // the fresh key is in use
	if epoch := a.stream(t, 1).frame(t, "without c").kid.Epoch(); epoch != 0x10 {
		t.Errorf("sealed with epoch %#x", epoch)
	}
}

// TestRenewedKeys: a key that was in use for long makes way for a fresh one, which all have before it is
// used; a leave in between begins the time anew.
func TestRenewedKeys(t *testing.T) {
	a, b, c, s := armed(t)
	const after = 10 * time.Minute
	a.talker.Renew(after)
	a.step(t, at(1), false, at(0).Add(after))
	due := at(0).Add(after)
	d := a.step(t, due, true, due.Add(switchAfter))
	wantKey(t, a, d, 1, 0, []*party{b, c}, b, c)
	wantHeard(t, s.frame(t, "by the old key"), "by the old key", due, b, c)
	deliver(t, a, d, due, b, c)
	a.talker.Delivered(d.Number())
	a.step(t, due.Add(time.Second), false, due.Add(after))
	wantHeard(t, s.frame(t, "by the fresh one"), "by the fresh one", due.Add(time.Second), b, c)

	left := due.Add(after / 2)
	a.sees(b)
	d = a.step(t, left, true, left.Add(switchAfter))
	wantKey(t, a, d, 2, 0, []*party{b}, b)
	a.talker.Delivered(d.Number())
	a.step(t, left.Add(time.Second), false, left.Add(after))
}
