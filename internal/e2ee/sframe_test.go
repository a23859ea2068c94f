package e2ee

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
)

// testKID has a member id, stream 1 and epoch 0.
const testKID = 0xfedcba9876540100

var (
	testBase   = []byte("0123456789abcdef")
	testSuites = []Suite{AES128CTRHMACSHA256Tag64, AES128CTRHMACSHA256Tag32}
)

// payload returns n bytes that are not all alike.
func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 37)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	for _, suite := range testSuites {
		sealer, opener := mustKey(t, suite, testKID, testBase), mustKey(t, suite, testKID, testBase)
		for _, ctr := range []uint64{0, 7, 8, 0xffff, 0x10000, MaxCTR, math.MaxUint64} {
			for n := range 70 {
				plaintext := payload(n)
				sealed := sealer.Seal(nil, ctr, plaintext)
				if len(sealed) != n+suite.TagLen() {
					t.Fatalf("%v: %d bytes became %d", suite, n, len(sealed))
				}
				got, err := opener.Open(nil, ctr, sealed)
				if err != nil || !bytes.Equal(got, plaintext) {
					t.Fatalf("%v, ctr %d, %d bytes: opened %x, %v", suite, ctr, n, got, err)
				}
			}
		}
	}
}

// The own CTR loop must be cipher.NewCTR in all but its allocations.
func TestKeyStreamIsAESCTR(t *testing.T) {
	key := payload(keySize)
	c := newCTRHMAC(key, bytes.Repeat([]byte{0xff}, nonceSize), 8)
	c.setNonce(0)
	block, err := aes.NewCipher(key[:encKeySize])
	if err != nil {
		t.Fatal(err)
	}
	iv := append(c.nonce[:], 0, 0, 0, 0)
	for _, n := range []int{0, 1, 15, 16, 17, 100, 1100, 16 * 300} {
		want, got := payload(n), payload(n)
		cipher.NewCTR(block, iv).XORKeyStream(want, want)
		c.xorKeyStream(got)
		wantBytes(t, fmt.Sprintf("%d bytes", n), got, want)
	}
}

func TestOverlap(t *testing.T) {
	key := mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase)
	plaintext := payload(100)
	want := key.Seal(nil, 5, plaintext)

	for _, offset := range []int{0, 3, 16, 40} { // plaintext starts that far behind the start of dst
		buf := append(make([]byte, offset, 300), plaintext...)
		sealed := key.Seal(buf[:0], 5, buf[offset:])
		wantBytes(t, fmt.Sprintf("sealed, offset %d", offset), sealed, want)

		buf = append(make([]byte, offset, 300), want...)
		opened, err := key.Open(buf[:0], 5, buf[offset:])
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, fmt.Sprintf("opened, offset %d", offset), opened, plaintext)
	}
}

func TestEveryBitFlipFails(t *testing.T) {
	for _, suite := range testSuites {
		key := mustKey(t, suite, testKID, testBase)
		sealed := key.Seal(nil, 1000, payload(40))
		dst := make([]byte, 0, 100)
		fails := func(what string, ctr uint64, sealed []byte) {
			t.Helper()
			got, err := key.Open(dst, ctr, sealed)
			if err != ErrAuth || got != nil {
				t.Errorf("%v, %s: %x, %v, want ErrAuth", suite, what, got, err)
			}
			if !bytes.Equal(dst[:cap(dst)], make([]byte, cap(dst))) {
				t.Fatalf("%v, %s: something was written", suite, what)
			}
		}
		for bit := range len(sealed) * 8 {
			sealed[bit/8] ^= 1 << (bit % 8)
			fails(fmt.Sprintf("bit %d", bit), 1000, sealed)
			sealed[bit/8] ^= 1 << (bit % 8)
		}
		for bit := range 64 {
			fails(fmt.Sprintf("CTR bit %d", bit), 1000^1<<bit, sealed)
		}
		for n := range sealed {
			fails(fmt.Sprintf("cut to %d bytes", n), 1000, sealed[:n])
		}
		fails("one byte more", 1000, append(sealed, 0))
		if _, err := key.Open(dst, 1000, sealed); err != nil {
			t.Errorf("%v: the untouched frame: %v", suite, err)
		}
	}
}

func TestOtherKeysFail(t *testing.T) {
	sealed := mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase).Seal(nil, 9, payload(40))
	otherBase := bytes.Clone(testBase)
	otherBase[15] ^= 1
	for what, key := range map[string]*Key{
		"KID":      mustKey(t, AES128CTRHMACSHA256Tag64, testKID^1, testBase),
		"suite":    mustKey(t, AES128CTRHMACSHA256Tag32, testKID, testBase),
		"base key": mustKey(t, AES128CTRHMACSHA256Tag64, testKID, otherBase),
	} {
		if _, err := key.Open(nil, 9, sealed); err != ErrAuth {
			t.Errorf("Open with another %s: %v, want ErrAuth", what, err)
		}
	}
}

func TestNewKeyRefuses(t *testing.T) {
	for _, suite := range []Suite{0, 1, 4, 5, 0xffff} {
		if _, err := NewKey(suite, 1, testBase); err == nil {
			t.Errorf("suite %v: no error", suite)
		}
	}
	for n := range encKeySize {
		if _, err := NewKey(AES128CTRHMACSHA256Tag64, 1, make([]byte, n)); err == nil {
			t.Errorf("base key of %d bytes: no error", n)
		}
	}
}

func TestKeysAreRedacted(t *testing.T) {
	key := mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase)
	sealer := &Sealer{key: mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase)}
	raw, salt := deriveKeySalt(key.suite, key.kid, testBase)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%o", "%c", "%t"} {
		fmt.Fprintf(&out, verb+"\n", key)
		fmt.Fprintf(&out, verb+"\n", *key)
		fmt.Fprintf(&out, verb+"\n", sealer)
		fmt.Fprintf(&out, verb+"\n", struct{ K *Key }{key})
		fmt.Fprintf(&out, verb+"\n", []any{key, sealer})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "key", key, "value", *key, "sealer", sealer)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "key", key, "value", *key, "sealer", sealer)
	if err := json.NewEncoder(&out).Encode([]any{key, *key, sealer}); err != nil {
		t.Fatal(err)
	}

	printed := strings.ToLower(out.String())
	if !strings.Contains(printed, redactedText) {
		t.Errorf("nothing says that something was left out:\n%s", printed)
	}
	for name, secret := range map[string][]byte{"encryption key": raw[:4],
		"authentication key": raw[encKeySize:][:4], "salt": salt[:4], "base key": testBase[:4]} {
		for _, form := range []string{
			hex.EncodeToString(secret),
			strings.Trim(fmt.Sprint(secret), "[]"),
			strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", secret), "[]byte{"), "}"),
			strings.Trim(fmt.Sprintf("%o", secret), "[]"),
		} {
			if strings.Contains(printed, form) {
				t.Errorf("the %s is in the output as %q", name, form)
			}
		}
	}
}

func TestSealAndOpenDoNotAllocate(t *testing.T) {
	for _, n := range []int{0, 20, 100, 1100} {
		key := mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase)
		plaintext := payload(n)
		sealed := key.Seal(nil, 3, plaintext)
		buf := make([]byte, 0, 1200)
		for what, call := range map[string]func(){
			"Seal":    func() { key.Seal(buf, 3, plaintext) },
			"Open":    func() { key.Open(buf, 3, sealed) },
			"failing": func() { key.Open(buf, 4, sealed) },
		} {
			if got := testing.AllocsPerRun(100, call); got != 0 {
				t.Errorf("%s of %d bytes: %v allocations", what, n, got)
			}
		}
	}
}

// FuzzOpen opens what an attacker may send. The vector of the corpus that is
// genuine opens; whatever else opens must be exactly what Seal makes.
func FuzzOpen(f *testing.F) {
	sealer := mustKey(f, AES128CTRHMACSHA256Tag64, testKID, testBase)
	f.Add(uint64(0), []byte{})
	f.Add(uint64(1), make([]byte, 8))
	f.Add(uint64(2), sealer.Seal(nil, 2, payload(30)))
	f.Add(uint64(3), sealer.Seal(nil, 2, payload(30)))
	f.Fuzz(func(t *testing.T, ctr uint64, sealed []byte) {
		key := mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase)
		plaintext, err := key.Open([]byte("x"), ctr, sealed)
		if err != nil {
			if err != ErrAuth || plaintext != nil {
				t.Fatalf("Open: %x, %v, want ErrAuth and nothing", plaintext, err)
			}
			return
		}
		if again := sealer.Seal(nil, ctr, plaintext[1:]); !bytes.Equal(again, sealed) {
			t.Fatalf("Open took %x, Seal makes %x", sealed, again)
		}
	})
}

func benchmarkSizes(b *testing.B, run func(b *testing.B, key *Key, n int)) {
	for _, n := range []int{20, 100, 1100} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n))
			run(b, mustKey(b, AES128CTRHMACSHA256Tag64, testKID, testBase), n)
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, key *Key, n int) {
		plaintext, buf := payload(n), make([]byte, 0, n+8)
		for ctr := uint64(0); b.Loop(); ctr++ {
			key.Seal(buf, ctr, plaintext)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, key *Key, n int) {
		sealed, buf := key.Seal(nil, 77777, payload(n)), make([]byte, 0, n)
		for b.Loop() {
			if _, err := key.Open(buf, 77777, sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNewKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustKey(b, AES128CTRHMACSHA256Tag64, testKID, testBase)
	}
}
