package e2ee

import (
	"bytes"
	"testing"
)

func TestSenderCounts(t *testing.T) {
	sender, err := NewSender(mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase))
	if err != nil {
		t.Fatal(err)
	}
	opener := mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase)
	var window ReplayWindow
	ciphertexts := map[string]bool{}
	for want := range uint64(300) {
		if got := sender.Next(); got != want {
			t.Fatalf("Next() = %d, want %d", got, want)
		}
		ctr, sealed, err := sender.Seal([]byte("before"), []byte("the same words"))
		if err != nil || ctr != want {
			t.Fatalf("Seal: ctr %d, %v, want %d", ctr, err, want)
		}
		sealed, found := bytes.CutPrefix(sealed, []byte("before"))
		if !found || ciphertexts[string(sealed)] {
			t.Fatalf("ctr %d: dst was changed, or the ciphertext repeats: %x", ctr, sealed)
		}
		ciphertexts[string(sealed)] = true

		plaintext, err := opener.Open(nil, ctr, sealed)
		if err != nil || string(plaintext) != "the same words" {
			t.Fatalf("Open(%d) = %q, %v", ctr, plaintext, err)
		}
		if err := window.Accept(ctr); err != nil {
			t.Fatalf("Accept(%d): %v", ctr, err)
		}
		if err := window.Accept(ctr); err != ErrReplayed {
			t.Fatalf("Accept(%d) again: %v, want ErrReplayed", ctr, err)
		}
	}
	if sender.KID() != testKID || sender.Overhead() != 8 {
		t.Errorf("KID %x, overhead %d", sender.KID(), sender.Overhead())
	}
}

func TestSenderRefusesToOverflow(t *testing.T) {
	sender, err := NewSender(mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase))
	if err != nil {
		t.Fatal(err)
	}
	sender.next = MaxCTR
	if ctr, _, err := sender.Seal(nil, nil); err != nil || ctr != MaxCTR {
		t.Fatalf("the last frame: ctr %d, %v", ctr, err)
	}
	for range 3 {
		if _, sealed, err := sender.Seal(nil, nil); err != ErrExhausted || sealed != nil {
			t.Fatalf("past the last frame: %x, %v, want ErrExhausted", sealed, err)
		}
	}
}

func TestKeyServesOneDirection(t *testing.T) {
	key := mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase)
	sender, err := NewSender(key)
	if err != nil {
		t.Fatal(err)
	}
	ctr, sealed, err := sender.Seal(nil, []byte("words"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSender(key); err != ErrKeyUse {
		t.Errorf("a second Sender, which would count from 0 again: %v, want ErrKeyUse", err)
	}
	if _, err := key.Open(nil, ctr, sealed); err != ErrKeyUse {
		t.Errorf("Open with a Sender's key: %v, want ErrKeyUse", err)
	}

	opener := mustKey(t, AES128CTRHMACSHA256Tag64, testKID, testBase)
	if _, err := opener.Open(nil, ctr, sealed); err != nil {
		t.Fatal(err)
	}
	if _, err := NewSender(opener); err != ErrKeyUse {
		t.Errorf("a Sender with a key that opened: %v, want ErrKeyUse", err)
	}
}
