package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

// A key header by hand, from docs/protocol.md, section 7.2: suite 2, number 0x01020304, epoch 0x51, first CTR
// 300 in two bytes, hash, members.
var (
	keyHeaderHex    = "02 01020304 51 412c" + strings.Repeat("11", 32) + strings.Repeat("22", 32)
	keySignatureHex = strings.Repeat("33", identity.SignatureSize)
)

func goldenKey() SignedKey {
	k := SignedKey{
		KeyHeader: KeyHeader{Suite: 2, Number: 0x01020304, Epoch: 0x51, FirstCTR: 300},
		Signature: bytes.Repeat([]byte{0x33}, identity.SignatureSize),
	}
	for i := range 32 {
		k.Hash[i], k.Members[i] = 0x11, 0x22
	}
	k.Signed = AppendKeyHeader(nil, &k.KeyHeader)
	return k
}

// wraps are KeyWraps as tests compare them.
type wraps struct {
	Number uint32
	To     []MemberID
	Wraps  [][]byte
}

func listWraps(w KeyWraps) wraps {
	list := wraps{Number: w.Number}
	for i := range w.Len() {
		to, wrap := w.Wrap(i)
		list.To, list.Wraps = append(list.To, to), append(list.Wraps, wrap)
	}
	return list
}

func TestKeyHeader(t *testing.T) {
	k := goldenKey()
	if want := unhex(t, keyHeaderHex); !bytes.Equal(k.Signed, want) {
		t.Errorf("%x, want %x", k.Signed, want)
	}
}

// What is signed is what came: a first CTR may be longer than it need be.
func TestSignedKeyAsItCame(t *testing.T) {
	b := unhex(t, "01 02 01020304 51 c00000000000012c"+keyHeaderHex[len("02 01020304 51 412c"):]+keySignatureHex)
	k, err := Parse[SenderKey](b)
	if err != nil || k.Key.FirstCTR != 300 || !bytes.Equal(k.Key.Signed, b[1:len(b)-identity.SignatureSize]) {
		t.Fatalf("%+v, %v", k, err)
	}
	out := Append(nil, &Key{Sender: memberA, Key: k.Key, Wrap: make([]byte, WrapFresh)})
	if !bytes.Contains(out, b[1:]) {
		t.Errorf("%x is not in %x", b[1:], out)
	}
}

// An urgent message takes the largest key, 14 fresh or 11 ratcheted wraps, and all that may be wanted.
func TestKeysFitUrgent(t *testing.T) {
	k := goldenKey()
	k.FirstCTR = maxVarint
	k.Signed = AppendKeyHeader(nil, &k.KeyHeader)
	if n := len(Append(nil, &Key{memberA, k, make([]byte, WrapRatcheted)})); n > MaxUrgent {
		t.Errorf("a key has %d bytes", n)
	}
	for size, most := range map[int]int{WrapFresh: 14, WrapRatcheted: 11} {
		b := AppendKeyWraps(nil, 1, size)
		for range most {
			b = AppendWrap(b, memberA, make([]byte, size))
		}
		if w, err := ParseKeyWraps(b); err != nil || w.Len() != most || len(b) > MaxUrgent {
			t.Errorf("%d wraps: %d bytes, %v", most, len(b), err)
		}
	}
	ids := make([]MemberID, MaxWanted)
	if got, err := ParseKeysWanted(AppendKeysWanted(nil, ids...)); err != nil || len(got) != MaxWanted {
		t.Errorf("%d wanted, %v", len(got), err)
	}
}

// Whatever is missing of a sender key, there is nothing beside the error.
func TestSenderKeyTruncated(t *testing.T) {
	full := unhex(t, "01"+keyHeaderHex+keySignatureHex)
	for n := range full {
		if k, err := Parse[SenderKey](full[:n:n]); !errors.Is(err, ErrTruncated) || k.Key.Signed != nil {
			t.Fatalf("%d bytes: %+v, %v", n, k, err)
		}
	}
}
