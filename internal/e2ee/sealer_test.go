package e2ee

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

func TestStreamNumbersAreUsedOnce(t *testing.T) {
	a, _, _, s := armed(t)
	if _, err := a.talker.Stream(0); err == nil || !strings.Contains(err.Error(), "take another") {
		t.Fatalf("Stream of an open number: %v", err)
	}
	s.Close()
	s.Close()
	if _, err := a.talker.Stream(0); err == nil {
		t.Fatal("Stream of a closed number: no error")
	}
	if _, _, _, err := s.Seal(nil, nil); err != ErrStreamClosed {
		t.Fatalf("Seal: %v, want ErrStreamClosed", err)
	}
	if kid, _, _, err := a.stream(t, 255).Seal(nil, nil); err != nil || kid.Stream() != 255 ||
		kid.Member() != a.hash.Member() {
		t.Fatalf("Seal: KID %v, %v", kid, err)
	}
}

// The first CTR of a key is the lowest one that an open stream may use, and new streams begin there.
func TestFirstCTR(t *testing.T) {
	a, b, c, s := armed(t) // s sealed one frame
	ratchet := func(now float64, want uint64) {
		t.Helper()
		all := []*party{b, c, newParty(t, fmt.Sprint("newcomer at ", now))}
		b, c = all[1], all[2]
		a.sees(append(all, newParty(t, "c"), newParty(t, "b"))...)
		a.sees(all...)
		d, _ := a.talker.Step(at(now))
		if got := header(t, d).FirstCTR; got != want {
			t.Fatalf("first CTR %d, want %d", got, want)
		}
		for {
			_, next := a.talker.Step(at(now + 0.9))
			if next.IsZero() || next.After(at(now+0.9)) {
				return
			}
		}
	}
	advance := func(s *Sealer, n int) {
		for range n {
			s.frame(t, "x")
		}
	}
	advance(s, 9)
	ratchet(10, 10)
	advance(s, 90)
	other := a.stream(t, 1)
	if f := other.frame(t, "x"); f.ctr != 10 {
		t.Fatalf("a new stream begins at %d, want 10", f.ctr)
	}
	ratchet(30, 11)
	other.Close()
	ratchet(50, 100)
	s.Close()
	ratchet(70, 100)
	if f := a.stream(t, 2).frame(t, "x"); f.ctr != 100 {
		t.Fatalf("a new stream begins at %d, want 100", f.ctr)
	}
	ratchet(90, 101)
}

// A stream that opens while a key waits must not begin below that key's first CTR.
func TestStreamOpenedWhileAKeyWaits(t *testing.T) {
	a, b, _, s := armed(t)
	for range 50 {
		s.frame(t, "x")
	}
	a.sees(b)
	fresh := a.step(t, at(10), true, at(18))
	deliver(t, a, fresh, at(10), b)
	other := a.stream(t, 1)
	wantHeard(t, other.frame(t, "old key"), "old key", at(10), b)
	a.talker.Delivered(fresh.Number())
	a.step(t, at(11), false, never)
	wantHeard(t, other.frame(t, "fresh key"), "fresh key", at(11), b)
}

func TestSealRefusesToOverflow(t *testing.T) {
	a, b, c, s := armed(t)
	s.next = MaxCTR
	if _, ctr, _, err := s.Seal(nil, []byte("last")); ctr != MaxCTR || err != nil {
		t.Fatalf("Seal: %d, %v", ctr, err)
	}
	for range 2 {
		if _, _, sealed, err := s.Seal(nil, []byte("one more")); err != ErrExhausted || sealed != nil {
			t.Fatalf("Seal after MaxCTR: %v, want ErrExhausted", err)
		}
	}
	a.sees(b, c, newParty(t, "d"))
	if got := header(t, a.step(t, at(10), true, never)).FirstCTR; got != MaxCTR {
		t.Fatalf("first CTR %d", got)
	}
}

// In a room with an invite secret, who only got the wrap opens nothing.
func TestSecretIsPartOfTheKey(t *testing.T) {
	secret := NewSecret()
	a, b := newSecretParty(t, "a", secret), newSecretParty(t, "b", secret)
	without := &party{hash: b.hash, join: b.join, listener: NewListener(b.hash, b.join, testRoom, nil)}
	elsewhere := &party{hash: b.hash, join: b.join, listener: NewListener(b.hash, b.join, "other", secret)}
	a.sees(b)
	a.talker.Arm(suite64)
	d := a.step(t, at(0), true, never)
	deliver(t, a, d, at(0), b, without, elsewhere)
	f := a.stream(t, 0).frame(t, "inside")
	wantHeard(t, f, "inside", at(0), b)
	wantUnheard(t, f, ErrAuth, at(0), without, elsewhere)
}

// Streams seal while the talker's goroutine changes keys, opens and closes streams. What was sealed is
// unique, and opens.
func TestSealWhileKeysChange(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	a.sees(b)
	a.talker.Arm(suite64)
	deliver(t, a, a.step(t, at(0), true, never), at(0), b)

	const streams, each = 4, 400
	frames := make([][]sealed, streams)
	var running sync.WaitGroup
	for i := range frames {
		s := a.stream(t, uint8(i))
		running.Go(func() {
			for range each {
				kid, ctr, ciphertext, err := s.Seal(nil, []byte("words"))
				if err != nil {
					t.Error(err)
					return
				}
				frames[i] = append(frames[i], sealed{kid, ctr, ciphertext})
				time.Sleep(10 * time.Microsecond) // there are more streams than processors
			}
			s.Close()
		})
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	c := newParty(t, "c")
	var keys []map[wire.MemberID][]byte
	for i := 0; ; i++ {
		if i%3 == 0 {
			a.sees(b)
		} else {
			a.sees(b, c)
		}
		d, _ := a.talker.Step(at(float64(i + 1)))
		if d != nil {
			keys = append(keys, messages(t, a, d))
			a.talker.Delivered(d.Number())
		}
		a.talker.Step(at(float64(i + 1)))
		select {
		case <-done:
		default:
			continue
		}
		break
	}
	for _, message := range keys {
		if to := message[b.hash.Member()]; to != nil {
			if err := b.accept(t, a, to, at(1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := map[string]bool{}
	for _, stream := range frames {
		for _, f := range stream {
			pair := fmt.Sprint(uint64(f.kid), f.ctr)
			if seen[pair] {
				t.Fatalf("%v and %d occur twice", f.kid, f.ctr)
			}
			seen[pair] = true
		}
	}
	if len(seen) != streams*each {
		t.Fatalf("%d frames, want %d", len(seen), streams*each)
	}
}

func TestSealWithAKeyDoesNotAllocate(t *testing.T) {
	a, b, _, s := armed(t)
	plaintext, buf := payload(120), make([]byte, 0, 200)
	if n := testing.AllocsPerRun(100, func() { s.Seal(buf, plaintext) }); n != 0 {
		t.Errorf("Seal: %v allocations", n)
	}
	f := s.frame(t, string(plaintext))
	wantHeard(t, f, string(plaintext), at(0), b)
	now := at(1)
	for what, sealed := range map[string][]byte{"Open": f.ciphertext,
		"Open of a forged frame": make([]byte, 100)} {
		open := func() { b.listener.Open(f.kid, buf, f.ctr, sealed, now) }
		if n := testing.AllocsPerRun(100, open); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	_ = a
}

// Neither a key nor a part of it is printed, whatever holds it.
func TestTalkersAndListenersDoNotPrintKeys(t *testing.T) {
	a, b, c, s := armed(t)
	a.sees(b)
	d, _ := a.talker.Step(at(10))
	deliver(t, a, d, at(10), b)
	s.frame(t, "x")
	keys := [][]byte{*a.talker.key.w, *a.talker.waiting.w, *d.key.w}
	talker := b.listener.talkers[a.hash.Member()]
	generation := talker.generations[0]
	step := generation.steps[0]
	outer := struct {
		a *Talker
		b *Listener
		c *Distribution
		d *Sealer
		e Talker
		f *heldGeneration
		g heldGeneration
		h *heldStep
		i heldStep
		J heldStep
		K *heldStep
	}{
		a.talker, b.listener, d, s, Talker{key: a.talker.key, waiting: a.talker.waiting},
		generation, *generation, step, *step, *step, step,
	}
	for _, value := range []any{
		a.talker, s, d, b.listener, c.listener, &outer, outer.c, *d,
		talker, *talker, talker.generations, generation, *generation, generation.steps, step, *step,
		[]heldStep{*step},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "% x", "%d", "%q", "%c", "%U",
			"%t", "%e", "%z"} {
			text := fmt.Sprintf(verb, value)
			for _, w := range keys {
				for _, form := range []string{
					fmt.Sprintf("%v", w), fmt.Sprintf("%x", w), fmt.Sprintf("%#v", w), string(w),
					fmt.Sprintf(verb, w), fmt.Sprintf(verb, &w),
				} {
					if strings.Contains(text, strings.Trim(form, "[]")) {
						t.Errorf("%s of %T prints a key", verb, value)
					}
				}
			}
		}
	}
}

func BenchmarkSealer(b *testing.B) {
	a := newParty(b, "a")
	a.talker.Arm(suite64)
	s := a.stream(b, 0)
	plaintext, buf := payload(80), make([]byte, 0, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := s.Seal(buf, plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStep is a ratchet in a room of a thousand, and its header.
func BenchmarkStep(b *testing.B) {
	a := newParty(b, "a")
	list := make([]Recipient, 1000)
	for i := range list {
		list[i] = Recipient{wire.HashEntry(fmt.Append(nil, i)), a.join.Public()}
	}
	a.talker.Arm(suite64)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		list[i%len(list)].Hash[31]++ // one leaves, one joins
		a.talker.SetMembers(list)
		if d, _ := a.talker.Step(at(float64(2 * i))); d == nil {
			b.Fatal("nothing to send")
		}
	}
}

func TestDistributionOfManyMembers(t *testing.T) {
	a := newParty(t, "a")
	var list []Recipient
	var all []*party
	for i := range 40 {
		p := newParty(t, fmt.Sprint(i))
		all = append(all, p)
		list = append(list, p.recipient())
		low := lowOrderPoints[i%len(lowOrderPoints)]
		low[31] |= byte(i%2) << 7
		list = append(list, Recipient{wire.HashEntry(fmt.Append(nil, "low", i)), low})
	}
	a.talker.SetMembers(list)
	a.talker.Arm(suite64)
	s := a.stream(t, 0)
	d := a.step(t, at(0), true, never)
	wraps := 0
	for message := range d.Wraps() {
		if wraps++; len(message) > wire.MaxUrgent {
			t.Fatalf("a message has %d bytes", len(message))
		}
	}
	if wraps != 3 { // 14 + 14 + 12
		t.Fatalf("40 wraps came in %d messages", wraps)
	}
	for range d.Wraps() {
		break // gives up
	}
	f := s.frame(t, "to all")
	a.sees(all[0])
	a.step(t, at(20), true, at(28))
	a.step(t, at(28), false, never) // the key is erased, the distribution still has it
	deliver(t, a, d, at(28), all...)
	wantHeard(t, f, "to all", at(28), all...)
	if bytes.Equal(*d.key.w, make([]byte, len(*d.key.w))) {
		t.Fatal("the key is erased while in use")
	}
}
