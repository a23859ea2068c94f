package e2ee

import (
	"encoding/hex"
	"testing"
)

// Any client computes this key from docs/protocol.md, so it must not drift.
func TestDevelopmentKey(t *testing.T) {
	key := DevelopmentKey()
	if got, want := hex.EncodeToString(key), "8e50a63642519245ce2aad517d41b51d"; got != want {
		t.Errorf("DevelopmentKey() = %s, want %s", got, want)
	}
	if _, err := NewKey(AES128CTRHMACSHA256Tag64, testKID, key); err != nil {
		t.Error(err)
	}
}
