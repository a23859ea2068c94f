package seal

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
)

func testSecret() (s Secret) {
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

// Seal seals one packet with the key that covers it, or returns nil.
func (s *Sealer) Seal(header, plaintext []byte, counter uint64, n *Nonce) []byte {
	k, ok := s.Key(counter)
	if !ok {
		return nil
	}
	if !k.Covers(counter) {
		panic("the key does not cover its counter")
	}
	return k.Seal(header, plaintext, counter, n)
}

// TestGolden pins the key schedule and the nonce; the values were computed with another implementation.
func TestGolden(t *testing.T) {
	for _, tc := range []struct {
		counter uint64
		want    string
	}{
		{0, "10000001000008390ba65ff36834ac3e0a0895fad5007e"},
		{1 << 24, "100000010000e06b2feeaf6807519a088949cac2d0dad1"},
	} {
		var n Nonce
		got := NewSealer(testSecret(), 0).Seal([]byte{0x10, 0, 0, 1, 0, 0}, []byte("hello"), tc.counter, &n)
		if hex.EncodeToString(got) != tc.want {
			t.Errorf("counter %d: got %x, want %s", tc.counter, got, tc.want)
		}
	}
}

func TestSealOpen(t *testing.T) {
	var n Nonce
	s, o := NewSealer(testSecret(), 0), NewOpener(testSecret(), 0)
	for _, counter := range []uint64{0, 1, 7, 1<<24 - 1, 1 << 24, 1<<24 - 2, 1<<24 + 1, 2 << 24, 3<<24 + 5} {
		header := []byte{0x10, 1, 2, 3, byte(counter >> 8), byte(counter)}
		packet := s.Seal(header, []byte("frames"), counter, &n)
		if len(packet) != len(header)+len("frames")+TagSize {
			t.Fatalf("counter %d: %d bytes", counter, len(packet))
		}
		got, err := o.Open(packet, len(header), counter, &n)
		if err != nil || string(got) != "frames" {
			t.Fatalf("counter %d: %q, %v", counter, got, err)
		}
	}
	if s.Seal(nil, nil, 1<<24, &n) != nil {
		t.Error("sealed with a key that is two generations old")
	}
}

// TestForgeriesChangeNothing: no altered bit, header included, opens; and the genuine packet still does.
func TestForgeriesChangeNothing(t *testing.T) {
	var n Nonce
	s, o := NewSealer(testSecret(), 0), NewOpener(testSecret(), 0)
	const counter = 1 << 24 // of the next generation: a forgery must not advance it
	packet := s.Seal([]byte{0x10, 1, 2, 3, 0, 0}, []byte("frames"), counter, &n)
	for bit := range len(packet) * 8 {
		forged := bytes.Clone(packet)
		forged[bit/8] ^= 1 << (bit % 8)
		if _, err := o.Open(forged, 6, counter, &n); err == nil {
			t.Fatalf("bit %d: a forged packet opened", bit)
		}
	}
	for size := range len(packet) {
		if _, err := o.Open(bytes.Clone(packet[:size]), 6, counter, &n); err == nil {
			t.Fatalf("%d bytes of a packet opened", size)
		}
	}
	if _, err := o.Open(bytes.Clone(packet), 6, 100<<generationBits, &n); err == nil {
		t.Error("a packet opened 100 generations ahead")
	}
	if o.cur.number != 0 {
		t.Error("a forgery advanced the key generation")
	}
	if _, err := o.Open(packet, 6, counter, &n); err != nil {
		t.Error(err)
	}
}

func TestStartsInLaterGeneration(t *testing.T) {
	var n Nonce
	const first = 5<<generationBits + 3
	s, o := NewSealer(testSecret(), first), NewOpener(testSecret(), first)
	for _, counter := range []uint64{first, 5<<generationBits - 1} {
		packet := s.Seal(nil, []byte("x"), counter, &n)
		if counter < 5<<generationBits {
			continue // the opener starts after it
		}
		if _, err := o.Open(packet, 0, counter, &n); err != nil {
			t.Error(err)
		}
	}
}

func TestSealConcurrently(t *testing.T) {
	s := NewSealer(testSecret(), 0)
	var wg sync.WaitGroup
	for k := range uint64(4) {
		wg.Go(func() {
			var n Nonce
			for i := range uint64(500) {
				s.Seal(nil, []byte("x"), 1<<generationBits-1000+4*i+k, &n)
			}
		})
	}
	wg.Wait()
}

func TestSecretsNeverPrint(t *testing.T) {
	key, _ := NewSealer(testSecret(), 0).Key(0)
	for _, v := range []any{testSecret(), key, NewResetKey([]byte("seed"))} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if got := fmt.Sprintf(format, v); got != "[redacted]" {
				t.Errorf("%T with %s prints %q", v, format, got)
			}
		}
	}
}

func TestResetToken(t *testing.T) {
	key := NewResetKey([]byte("seed"))
	if !key.Token(1).Equal(NewResetKey([]byte("seed")).Token(1)) {
		t.Error("the token of one connection id differs after a restart")
	}
	if key.Token(1).Equal(key.Token(2)) || key.Token(1).Equal(NewResetKey([]byte("other")).Token(1)) {
		t.Error("tokens of different ids or relays are equal")
	}
}

func TestWindow(t *testing.T) {
	var w Window
	accept := func(counter uint64, want bool) {
		t.Helper()
		got := w.Fresh(counter)
		if got != want {
			t.Errorf("Fresh(%d) = %v, want %v (next %d)", counter, got, want, w.Next())
		}
		if got {
			w.Mark(counter)
		}
	}
	accept(0, true)
	accept(0, false)
	accept(5, true)
	accept(3, true)
	accept(3, false)
	accept(5+WindowSize, true) // the window now begins at 6
	accept(5, false)
	accept(6, true)
	accept(6, false)
	accept(4095, true)
	for c := uint64(4101 + 1); c < 4101+3*WindowSize; c += 2 {
		accept(c, true)
	}
	for c := uint64(4101 + 2*WindowSize); c < 4101+3*WindowSize-1; c++ {
		accept(c, c%2 == 1)
	}
	accept(1<<40, true)
	accept(1<<40-WindowSize, false)
	accept(1<<40-WindowSize+1, true)
}

func BenchmarkSeal(b *testing.B) {
	s := NewSealer(testSecret(), 0)
	var n Nonce
	packet, plaintext := make([]byte, 6, 200), make([]byte, 80)
	b.ReportAllocs()
	key, _ := s.Key(0)
	for i := uint64(0); b.Loop(); i++ {
		key.Seal(packet[:6], plaintext, i, &n)
	}
}

func BenchmarkOpen(b *testing.B) {
	var n Nonce
	packet := NewSealer(testSecret(), 0).Seal(make([]byte, 6, 200), make([]byte, 80), 0, &n)
	o, buf := NewOpener(testSecret(), 0), make([]byte, len(packet))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, packet)
		if _, err := o.Open(buf, 6, 0, &n); err != nil {
			b.Fatal(err)
		}
	}
}
