package identity

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestSignGolden(t *testing.T) {
	id := repeated(0x2a).Identity()
	fields := [][]byte{[]byte("abc"), nil, {0, 1, 2, 3}}
	const message = "777a702f312068656c6c6f00" + "00000003616263" + "00000000" + "0000000400010203"
	if got := hex.EncodeToString(AppendSigned(nil, "hello", fields...)); got != message {
		t.Errorf("signed bytes are %s, want %s", got, message)
	}
	const signature = "5c23c19270dcb04aa61fd61afbfc9f2aa17de0df00d7ea24998d742cd8ce4b9bf951bb934daf5389e5c53f05622d0d75afde36375a4a83894fd8d68bbfcd630e"
	sig := id.Sign("hello", fields...)
	if got := hex.EncodeToString(sig); got != signature {
		t.Errorf("signature is %s, want %s", got, signature)
	}
	if !Verify(id.Public(), "hello", sig, fields...) {
		t.Error("the signature does not verify")
	}
}

func TestVerifyRefuses(t *testing.T) {
	id, other := repeated(1).Identity(), repeated(2).Identity()
	a, b := []byte("ab"), []byte("c")
	sig := id.Sign("hello", a, b)
	flipped := bytes.Clone(sig)
	flipped[10] ^= 1
	for name, ok := range map[string]bool{
		"other key":        Verify(other.Public(), "hello", sig, a, b),
		"zero key":         Verify(PublicKey{}, "hello", sig, a, b),
		"other kind":       Verify(id.Public(), "member", sig, a, b),
		"moved boundary":   Verify(id.Public(), "hello", sig, []byte("a"), []byte("bc")),
		"joined fields":    Verify(id.Public(), "hello", sig, []byte("abc")),
		"field less":       Verify(id.Public(), "hello", sig, a),
		"empty field more": Verify(id.Public(), "hello", sig, a, b, nil),
		"other order":      Verify(id.Public(), "hello", sig, b, a),
		"flipped bit":      Verify(id.Public(), "hello", flipped, a, b),
		"no signature":     Verify(id.Public(), "hello", nil, a, b),
		"short signature":  Verify(id.Public(), "hello", sig[:63], a, b),
		"long signature":   Verify(id.Public(), "hello", append(bytes.Clone(sig), 0), a, b),
	} {
		if ok {
			t.Errorf("%s: the signature verifies", name)
		}
	}
}

func TestKindsThatCannotBeSigned(t *testing.T) {
	id := repeated(1).Identity()
	for _, kind := range []string{"", "a\x00b", "\x00"} {
		if AppendSigned([]byte("x"), kind) != nil || id.Sign(kind) != nil ||
			Verify(id.Public(), kind, id.Sign(kind)) {
			t.Errorf("kind %q was signed", kind)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	id, field := repeated(1).Identity(), make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		id.Sign("member", field)
	}
}

func BenchmarkVerify(b *testing.B) {
	id, field := repeated(1).Identity(), make([]byte, 200)
	sig := id.Sign("member", field)
	b.ReportAllocs()
	for b.Loop() {
		if !Verify(id.Public(), "member", sig, field) {
			b.Fatal("the signature does not verify")
		}
	}
}
