package e2ee

import (
	"bytes"
	"testing"
)

func TestRatchet(t *testing.T) {
	fresh := freshKey()
	if len(fresh) != 16 || bytes.Equal(fresh, freshKey()) {
		t.Fatalf("fresh keys are not 16 new bytes: %x", fresh)
	}
	before := bytes.Clone(fresh)
	first := ratchet(fresh)
	second := ratchet(first)
	if len(first) != 32 || len(second) != 32 || bytes.Equal(first, second) {
		t.Errorf("ratcheted to %x and %x, want 32 bytes each, not alike", first, second)
	}
	if !bytes.Equal(fresh, before) || !bytes.Equal(first, ratchet(before)) {
		t.Error("ratcheting changed its input, or is not deterministic")
	}
}

func TestBaseKey(t *testing.T) {
	wrapped, secret := freshKey(), NewSecret()
	plain := baseKey(nil, "room", wrapped)
	if !bytes.Equal(plain, wrapped) {
		t.Error("without a secret the base key is not the wrapped key")
	}
	plain[0]++
	if bytes.Equal(plain, wrapped) {
		t.Error("the base key is no copy")
	}
	salted := baseKey(secret, "room", wrapped)
	if len(salted) != 32 || !bytes.Equal(salted, baseKey(secret, "room", wrapped)) {
		t.Errorf("with a secret the base key is %x, want 32 bytes, always the same", salted)
	}
	for what, other := range map[string][]byte{
		"secret": baseKey(NewSecret(), "room", wrapped),
		"room":   baseKey(secret, "room2", wrapped),
		"key":    baseKey(secret, "room", ratchet(wrapped)),
	} {
		if bytes.Equal(other, salted) {
			t.Errorf("another %s gives the same base key", what)
		}
	}
}

func BenchmarkRatchet(b *testing.B) {
	b.ReportAllocs()
	key := ratchet(freshKey())
	for b.Loop() {
		ratchet(key)
	}
}

func BenchmarkBaseKey(b *testing.B) {
	b.ReportAllocs()
	key, secret := freshKey(), NewSecret()
	for b.Loop() {
		baseKey(secret, "room", key)
	}
}
