package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wzp-voice/wzp/identity"
)

func signalGoldens() []golden {
	consent := Consent{Expiry: 0x0102030405060708, Signature: [64]byte(bytes.Repeat([]byte{0xcc}, 64))}
	consentHex := "0102030405060708" + strings.Repeat("cc", 64)
	var person identity.PublicKey
	count(person[:], 0x20)
	const personHex = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	key := Signal{Type: SignalKey, Key: goldenKey(), Wrap: bytes.Repeat([]byte{0xaa}, 64)}
	ratcheted := Signal{Type: SignalKey, Key: goldenKey(), Wrap: bytes.Repeat([]byte{0xcc}, 80)}
	list := []golden{
		{"signal", "02 aabbcc", Signal{Type: SignalAnswer, Entry: []byte{0xaa, 0xbb, 0xcc}}},
		{"signal", "03" + personHex, Signal{Type: SignalConfirm, Chosen: EntryHash(person)}},
		{"signal", "07 02", Signal{Type: SignalHangUp, Reason: HangUpTransferred}},
		{"signal", "07 ff", Signal{Type: SignalHangUp, Reason: 255}}, // of a later version
		{"signal", "0c" + personHex + consentHex,
			Signal{Type: SignalTransfer, Person: person, Consent: consent}},
		{"signal", "0d 01", Signal{Type: SignalTransferAck, Accepted: true}},
		{"signal", "0d 00", Signal{Type: SignalTransferAck}},
		{"signal", "0e" + keyHeaderHex + keySignatureHex + strings.Repeat("aa", 64), key},
		{"signal", "0e" + keyHeaderHex + keySignatureHex + strings.Repeat("cc", 80), ratcheted},
		{"signal", "0f 01020304", Signal{Type: SignalKeyReceived, Number: 0x01020304}},
		{"signal", "13" + personHex + "a1a2a3a4a5a6b1b2b3b4b5b6c1c2c3c4", Signal{Type: SignalConsentWanted,
			Person: person, Call: CallID(unhexed("a1a2a3a4a5a6b1b2b3b4b5b6c1c2c3c4"))}},
		{"signal", "14 01" + consentHex, Signal{Type: SignalConsent, Accepted: true, Consent: consent}},
		{"signal", "14 00", Signal{Type: SignalConsent}},
		{"signal", "11 80012345", Signal{Type: SignalAlive, Generation: 0x12345}},
	}
	for hex, bare := range map[string]SignalType{"01": SignalRinging, "04": SignalDecline, "05": SignalBusy,
		"06": SignalCancel, "08": SignalHold, "09": SignalUnhold, "0a": SignalMute, "0b": SignalUnmute,
		"10": SignalKeysWanted, "11": SignalAlive, "12": SignalElsewhere} {
		list = append(list, golden{"signal", hex, Signal{Type: bare}})
	}
	return list
}

func TestSignalRefused(t *testing.T) {
	for _, tc := range []struct {
		hex  string
		want error
	}{
		{"", ErrTruncated},
		{"00", ErrUnknown},
		{"15", ErrUnknown},
		{"ff 0102", ErrUnknown},
		{"01 00", ErrInvalid}, // goes on
		{"02", ErrInvalid},
		{"02" + strings.Repeat("00", MaxEntry+1), ErrInvalid},
		{"07", ErrTruncated},
		{"0d 02", ErrInvalid},
		{"0e" + keyHeaderHex + keySignatureHex, ErrInvalid},
		{"0e" + keyHeaderHex + keySignatureHex + strings.Repeat("aa", 72), ErrInvalid},
		{"0e 00" + keyHeaderHex[2:] + keySignatureHex + strings.Repeat("aa", 64), ErrUnknown},
		{"14 00 00", ErrInvalid}, // a consent, though it was refused
		{"11 00", ErrInvalid},    // generations begin with 1
		{"11 01 01", ErrInvalid},
		{"14 01", ErrTruncated},
		{"02" + strings.Repeat("00", MaxSignal), ErrLimit},
	} {
		if s, err := ParseSignal(unhex(t, tc.hex)); !errors.Is(err, tc.want) {
			t.Errorf("%.60s: %+v, %v; want %v", tc.hex, s, err, tc.want)
		}
	}
	for signal, want := range map[SignalType]string{SignalRinging: "ringing", SignalConsent: "consent",
		0: "signal 0", 21: "signal 21"} {
		if signal.String() != want {
			t.Errorf("%q, want %q", signal, want)
		}
	}
}

// The longest signal and the longest counter go into one message.
func TestSignalSize(t *testing.T) {
	longest := AppendSignal(nil, &Signal{Type: SignalAnswer, Entry: make([]byte, MaxEntry)})
	if len(longest) > MaxSignal {
		t.Errorf("an answer has %d bytes, a message takes %d", len(longest), MaxSignal)
	}
}

func goldenConsent(t *testing.T) (c Consent, third, asker, person *identity.Identity, call CallID) {
	third, asker, person = filled(0x2a), filled(0x63), filled(0x11)
	count(call[:], 0x80)
	c.Expiry = 0x0102030405060708
	copy(c.Signature[:], unhex(t, consentSignHex))
	return c, third, asker, person, call
}

// Made by another program (Python, cryptography) from sections 2 and 14.5 alone.
const consentSignHex = "38cd8eceffb07a67202b134228e0f17ee4997f9aa523c101278a53a39463112cfc92a8cc2789ac6263077998c82223e5" +
	"77bd25b113e14b400681cdc9afc73305"

func TestConsent(t *testing.T) {
	want, third, asker, person, call := goldenConsent(t)
	c := Consent{Expiry: want.Expiry}
	c.Sign(third, asker.Public(), person.Public(), call)
	if d := diff(want, c); d != "" {
		t.Error(d)
	}
	if !c.Verify(third.Public(), asker.Public(), person.Public(), call) {
		t.Error("it does not verify")
	}
	other := call
	other[15]++
	late := c
	late.Expiry++
	for name, ok := range map[string]bool{
		"third":  c.Verify(asker.Public(), asker.Public(), person.Public(), call),
		"asker":  c.Verify(third.Public(), person.Public(), person.Public(), call),
		"person": c.Verify(third.Public(), asker.Public(), asker.Public(), call),
		"call":   c.Verify(third.Public(), asker.Public(), person.Public(), other),
		"expiry": late.Verify(third.Public(), asker.Public(), person.Public(), call),
		"key":    c.Verify(identity.PublicKey{}, asker.Public(), person.Public(), call),
	} {
		if ok {
			t.Errorf("another %s verifies", name)
		}
	}
}

// Made by another program (Python, cryptography) from sections 5.1 and 14.1 alone.
const goldenCallEntryHex = "0101265f63616c6c2f383665316631643536626338626636613739316264336134346264643863343403416e6ed33530" +
	"1856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d385331068c9e45882abba6a8c6b34115bc" +
	"4331d1067616c2d3a837acfe50baecf96553874381fb31a6bf5497754da3ea49067a6e2299f36a355983a0f18f404142" +
	"434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172" +
	"737475767778797a7b7c7d7e7f947706dba076bea26162102b08004aaab8cc56047bae850621608e57074771ac53d4a3" +
	"f72923e739db71e017cad8de622207b0be1a5d4c2775a019c02ca6d503"

func TestCallEntry(t *testing.T) {
	var nonce CallNonce
	count(nonce[:], 0x50)
	call := CallIDOf(filled(0x2a).Public(), filled(0x63).Public(), nonce)
	if call.Room() != "_call/86e1f1d56bc8bf6a791bd3a44bdd8c44" {
		t.Error(call.Room())
	}
	e := goldenEntry(1)
	e.Room = call.Room()
	b, err := SignCallEntry(filled(0x2a), e)
	if err != nil || !bytes.Equal(b, unhex(t, goldenCallEntryHex)) {
		t.Errorf("%x, %v", b, err)
	}
	got, err := ParseCallEntry(b)
	if d := cmp.Diff(&e, got); d != "" || err != nil {
		t.Error(err, d)
	}
	for n := range b {
		if _, err := ParseCallEntry(b[:n:n]); err == nil {
			t.Errorf("%d bytes are an entry", n)
		}
	}
	if _, err := ParseEntry(b); !errors.Is(err, ErrInvalid) {
		t.Errorf("it is an entry of a room: %v", err)
	}
	if _, err := ParseCallEntry(unhex(t, goldenEntries[1].hex)); !errors.Is(err, ErrInvalid) {
		t.Errorf("the entry of a room is one of a call: %v", err)
	}
	for _, room := range []string{"", "_call/", "_call/" + strings.Repeat("a", 31),
		"_call/" + strings.Repeat("A", 32), "_call/" + strings.Repeat("a", 34),
		"_CALL/" + strings.Repeat("a", 32), "_probe", "cafe"} {
		e.Room = room
		if _, err := SignCallEntry(filled(0x2a), e); err == nil {
			t.Errorf("%q is the room of a call", room)
		}
	}
}
