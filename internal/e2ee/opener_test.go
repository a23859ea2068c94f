package e2ee

import (
	"testing"

	"github.com/wzp-voice/wzp/internal/wire"
)

func TestOpenWithoutAKey(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	k := goodKey(1, 0x10, 0, chain("one")[0])
	f := k.frame(t, a, 0, 0)
	if _, err := b.listener.Open(f.kid, nil, f.ctr, f.ciphertext, at(0)); err != ErrNoKey {
		t.Fatalf("Open: %v, want ErrNoKey", err)
	}
	b.wantAccept(t, a, k, at(1))
	if got, err := b.listener.Open(f.kid, []byte("dst "), f.ctr, f.ciphertext, at(1)); err != nil ||
		string(got) != "dst words" {
		t.Fatalf("Open: %q, %v", got, err)
	}
	for _, epoch := range []uint8{0x00, 0x0f, 0x20, 0xf0} {
		other := f
		other.kid = wire.MakeKID(a.hash.Member(), 0, epoch)
		wantUnheard(t, other, ErrNoKey, at(1), b)
	}
}

// Forged frames of all steps and streams change nothing.
func TestForgedFramesChangeNothing(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w := chain("one")
	b.wantAccept(t, a, goodKey(1, 0x02, 0, w[2]), at(0))
	generation := b.listener.talkers[a.hash.Member()].generations[0]
	for step := range uint8(generations) {
		want := ErrAuth
		if step < 2 {
			want = ErrEarly
		}
		for _, n := range []int{0, 1, 8, 100} {
			forged := sealed{wire.MakeKID(a.hash.Member(), step, step), 5, make([]byte, n)}
			wantUnheard(t, forged, want, at(0), b)
		}
	}
	if len(generation.steps) != 1 || !generation.steps[0].over.IsZero() {
		t.Fatalf("%d steps are held", len(generation.steps))
	}
	for stream := range 256 {
		wantUnheard(t, sealed{wire.MakeKID(a.hash.Member(), uint8(stream), 0x02), 5, make([]byte, 100)},
			ErrAuth, at(0), b)
	}
	if n := len(generation.steps[0].keys); n != 0 {
		t.Fatalf("%d keys were made for forged frames", n)
	}
	wantHeard(t, goodKey(0, 0x02, 0, w[2]).frame(t, a, 0, 5), "words", at(0), b)
	if n := len(generation.steps[0].keys); n != 1 {
		t.Fatalf("%d keys are kept, want that of the authentic frame", n)
	}
}

// Streams share the steps, and late frames of steps that no frame reached open as well.
func TestStepsAreOfAllStreams(t *testing.T) {
	a, b := newParty(t, "a"), newParty(t, "b")
	w := chain("one")
	frame := func(step, stream uint8) sealed { return goodKey(0, step, 0, w[step]).frame(t, a, stream, 7) }
	b.wantAccept(t, a, goodKey(1, 0x00, 0, w[0]), at(0))
	for _, f := range []sealed{frame(0, 1), frame(15, 1), frame(15, 2), frame(3, 3), frame(0, 2),
		frame(14, 1)} {
		wantHeard(t, f, "words", at(0), b)
	}
	b.listener.Expire(at(10))
	wantUnheard(t, frame(14, 2), ErrEarly, at(10), b)
	wantHeard(t, frame(15, 3), "words", at(10), b)
	if n := len(b.listener.talkers[a.hash.Member()].generations[0].steps); n != 1 {
		t.Fatalf("%d steps are held", n)
	}
}

func TestOpenInPlace(t *testing.T) {
	a, b, _, s := armed(t)
	for range 2 { // at first the key is derived
		f := s.frame(t, "words")
		got, err := b.listener.Open(f.kid, f.ciphertext[:0], f.ctr, f.ciphertext, at(0))
		if err != nil || string(got) != "words" || &got[0] != &f.ciphertext[0] {
			t.Fatalf("Open: %q, %v", got, err)
		}
	}
	_ = a
}

func BenchmarkOpener(b *testing.B) {
	from, to := newParty(b, "a"), newParty(b, "b")
	k := goodKey(1, 0, 0, chain("one")[0])
	to.wantAccept(b, from, k, at(0))
	f, buf, now := k.frame(b, from, 0, 9), make([]byte, 0, 100), at(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := to.listener.Open(f.kid, buf, f.ctr, f.ciphertext, now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenForgedStep is the most that a forged frame costs.
func BenchmarkOpenForgedStep(b *testing.B) {
	from, to := newParty(b, "a"), newParty(b, "b")
	to.wantAccept(b, from, goodKey(1, 0, 0, chain("one")[0]), at(0))
	kid := wire.MakeKID(from.hash.Member(), 0, 15)
	forged, now := make([]byte, 80), at(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := to.listener.Open(kid, nil, 0, forged, now); err != ErrAuth {
			b.Fatal(err)
		}
	}
}
