package e2ee

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"testing"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

func mustJoinKey(t testing.TB) *JoinKey {
	t.Helper()
	key, err := NewJoinKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustWrap(t testing.TB, to *JoinKey, sender wire.EntryHash, header []byte, recipient wire.EntryHash,
	key []byte) []byte {
	t.Helper()
	wrap, err := wrapKey(to.Public(), sender, header, recipient, key)
	if err != nil {
		t.Fatal(err)
	}
	return wrap
}

const encSize = 32 // X25519 public key, at the start of a wrap

var (
	testSender    = wire.HashEntry([]byte("sender"))
	testRecipient = wire.HashEntry([]byte("recipient"))
	testHeader    = wire.AppendKeyHeader(nil,
		&wire.KeyHeader{Suite: 2, Number: 7, Epoch: 0x31, FirstCTR: 70000})
)

func TestWrap(t *testing.T) {
	join := mustJoinKey(t)
	for _, key := range [][]byte{freshKey(), ratchet(freshKey())} {
		wrap := mustWrap(t, join, testSender, testHeader, testRecipient, key)
		if len(wrap) != len(key)+48 ||
			bytes.Equal(wrap, mustWrap(t, join, testSender, testHeader, testRecipient, key)) {
			t.Errorf("a key of %d bytes has a wrap of %d, want 48 more, new ones each time", len(key),
				len(wrap))
		}
		got, err := join.unwrap(testSender, testHeader, testRecipient, wrap)
		if err != nil || !bytes.Equal(got, key) {
			t.Errorf("unwrapped %x, %v, want %x", got, err, key)
		}
	}
}

func TestUnwrapRefuses(t *testing.T) {
	join, key := mustJoinKey(t), freshKey()
	wrap := mustWrap(t, join, testSender, testHeader, testRecipient, key)
	fails := func(what string, join *JoinKey, sender wire.EntryHash, header []byte, recipient wire.EntryHash,
		wrap []byte) {
		t.Helper()
		if got, err := join.unwrap(sender, header, recipient, wrap); err == nil || got != nil {
			t.Errorf("%s: %x, %v, want an error", what, got, err)
		}
	}
	fails("another join key", mustJoinKey(t), testSender, testHeader, testRecipient, wrap)
	fails("another sender", join, testRecipient, testHeader, testRecipient, wrap)
	fails("another recipient", join, testSender, testHeader, testSender, wrap)
	fails("another header", join, testSender, append([]byte{3}, testHeader[1:]...), testRecipient, wrap)
	fails("no header", join, testSender, nil, testRecipient, wrap)
	for i := range wrap {
		wrap[i] ^= 1
		fails("a changed byte", join, testSender, testHeader, testRecipient, wrap)
		wrap[i] ^= 1
	}
	wrap[encSize-1] ^= 0x80 // X25519 ignores the bit, HPKE does not
	fails("enc in another encoding", join, testSender, testHeader, testRecipient, wrap)
	wrap[encSize-1] ^= 0x80
	for n := range wrap {
		fails("a cut wrap", join, testSender, testHeader, testRecipient, wrap[:n])
	}
	fails("a longer wrap", join, testSender, testHeader, testRecipient, append(wrap, make([]byte, 16)...))

	if _, err := join.unwrap(testSender, testHeader, testRecipient, wrap); err != nil {
		t.Errorf("the untouched wrap: %v", err)
	}
	public := join.Public()
	join.Erase()
	fails("an erased join key", join, testSender, testHeader, testRecipient, wrap)
	if join.Public() != public {
		t.Error("erasing changed the public half")
	}
}

// Keys of low order make a shared secret that everybody knows: nothing is wrapped to them, nothing is opened.
func TestLowOrderIsRefused(t *testing.T) {
	join := mustJoinKey(t)
	for _, point := range lowOrderPoints {
		for _, top := range []byte{0, 0x80} { // X25519 ignores it
			point[31] = point[31]&0x7f | top
			public, err := ecdh.X25519().NewPublicKey(point[:])
			if err != nil {
				t.Fatal(err)
			}
			private, err := ecdh.X25519().GenerateKey(nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := private.ECDH(public); err == nil {
				t.Errorf("%x is not of low order", point)
			}
			_, err = wrapKey(point, testSender, testHeader, testRecipient, freshKey())
			if !errors.Is(err, errJoinKey) {
				t.Errorf("wrapping to %x: %v, want %v", point, err, errJoinKey)
			}
			wrap := append(point[:], make([]byte, 32)...)
			_, err = join.unwrap(testSender, testHeader, testRecipient, wrap)
			if !errors.Is(err, errWrapOpen) {
				t.Errorf("unwrapping from %x: %v, want %v", point, err, errWrapOpen)
			}
		}
	}
	if lowOrder(join.Public()) {
		t.Error("a random key is of low order")
	}
}

func TestWrapKeyRefusesOtherSizes(t *testing.T) {
	join := mustJoinKey(t)
	for _, n := range []int{0, 15, 17, 31, 33, 64} {
		key := make([]byte, n)
		if _, err := wrapKey(join.Public(), testSender, testHeader, testRecipient, key); err == nil {
			t.Errorf("a key of %d bytes: no error", n)
		}
	}
}

func TestHeaderSignature(t *testing.T) {
	id := testIdentity(t, "alice")
	signature := signHeader(id, testSender, testHeader)
	if len(signature) != identity.SignatureSize ||
		!verifyHeader(id.Public(), testSender, testHeader, signature) {
		t.Fatal("a signature does not verify")
	}
	if verifyHeader(testIdentity(t, "bob").Public(), testSender, testHeader, signature) ||
		verifyHeader(id.Public(), testRecipient, testHeader, signature) ||
		verifyHeader(id.Public(), testSender, testHeader[1:], signature) ||
		verifyHeader(id.Public(), testSender, testHeader, signature[1:]) ||
		verifyHeader(id.Public(), testSender, testHeader, nil) {
		t.Error("a signature verifies for something else")
	}
}

// FuzzUnwrap opens what an attacker may send, who knows the join key's public half only: nothing but what was
// wrapped opens.
func FuzzUnwrap(f *testing.F) {
	join := joinKeyFromBytes(f, made("fuzz join key", 32))
	fresh, ratcheted := made("fuzz key", 16), made("fuzz key", 32)
	f.Add(testHeader, []byte{})
	f.Add(testHeader, make([]byte, 64))
	f.Add(testHeader, mustWrap(f, join, testSender, testHeader, testRecipient, fresh))
	f.Add(testHeader, mustWrap(f, join, testSender, testHeader, testRecipient, ratcheted))
	f.Fuzz(func(t *testing.T, header, wrap []byte) {
		before := bytes.Clone(wrap)
		key, err := join.unwrap(testSender, header, testRecipient, wrap)
		if !bytes.Equal(wrap, before) {
			t.Fatal("unwrap changed its input")
		}
		if err != nil {
			if key != nil {
				t.Fatalf("a key and an error: %v", err)
			}
			return
		}
		if !bytes.Equal(header, testHeader) || !bytes.Equal(key, fresh) && !bytes.Equal(key, ratcheted) {
			t.Fatalf("opened a wrap that nobody made: %x", wrap)
		}
	})
}

func BenchmarkWrapKey(b *testing.B) {
	b.ReportAllocs()
	to, key := mustJoinKey(b).Public(), freshKey()
	for b.Loop() {
		if _, err := wrapKey(to, testSender, testHeader, testRecipient, key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	b.ReportAllocs()
	join := mustJoinKey(b)
	wrap := mustWrap(b, join, testSender, testHeader, testRecipient, freshKey())
	for b.Loop() {
		if _, err := join.unwrap(testSender, testHeader, testRecipient, wrap); err != nil {
			b.Fatal(err)
		}
	}
}
