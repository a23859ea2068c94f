package identity

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
)

func TestPublicKeyText(t *testing.T) {
	key := repeated(0x2a).Identity().Public()
	out, err := json.Marshal(map[PublicKey]Fingerprint{key: key.Fingerprint()})
	want := `{"` + vectors[0].public + `":"` + vectors[0].fingerprint + `"}`
	if err != nil || string(out) != want {
		t.Fatalf("json is %s, %v; want %s", out, err, want)
	}
	var back map[PublicKey]Fingerprint
	if err := json.Unmarshal(out, &back); err != nil || back[key] != key.Fingerprint() {
		t.Errorf("json comes back as %v, %v", back, err)
	}
}

func TestParsePublicKeyErrors(t *testing.T) {
	good := vectors[0].public
	for _, c := range []struct{ text, want string }{
		{"", "64 characters, not 0"},
		{good[:62], "64 characters, not 62"},
		{good + "00", "64 characters, not 66"},
		{strings.ToUpper(good), "character 1 of the public key is 'D'"},
		{good[:9] + "g" + good[10:], "character 10 of the public key is 'g'"},
		{strings.Repeat("0", 64), "anybody can sign"},
	} {
		if key, err := ParsePublicKey(c.text); err == nil || !strings.Contains(err.Error(), c.want) ||
			key != (PublicKey{}) {
			t.Errorf("%q: %v, %v; want %q", c.text, key, err, c.want)
		}
		unchanged := repeated(1).Identity().Public()
		if key := unchanged; key.UnmarshalText([]byte(c.text)) == nil || key != unchanged {
			t.Errorf("UnmarshalText(%q) succeeded or changed the key", c.text)
		}
	}
}

func TestParseFingerprintErrors(t *testing.T) {
	good := vectors[0].fingerprint
	for _, c := range []struct{ text, want string }{
		{"", "39 characters, not 0"},
		{good[:38], "39 characters, not 38"},
		{" " + good, "39 characters, not 40"},
		{strings.ReplaceAll(good, ":", ""), "39 characters, not 32"},
		{strings.ReplaceAll(good, ":", "-"), "character 5 of the fingerprint is '-', not a colon"},
		{strings.ToUpper(good), "character 6 of the fingerprint is 'C'"},
		{good[:38] + ":", "character 39 of the fingerprint is ':'"},
	} {
		if f, err := ParseFingerprint(c.text); err == nil || !strings.Contains(err.Error(), c.want) ||
			f != (Fingerprint{}) {
			t.Errorf("%q: %v, %v; want %q", c.text, f, err, c.want)
		}
	}
}

func FuzzParseFingerprint(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.fingerprint)
	}
	f.Add("9983-c2ce-87f9-61b7-7931-d7c1-fd7f-864c")
	f.Fuzz(func(t *testing.T, text string) {
		fp, err := ParseFingerprint(text)
		if (err == nil) != (fp.String() == text) && text != (Fingerprint{}).String() {
			t.Errorf("%q parses as %v, %v", text, fp, err)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(vectors[0].public)
	f.Add(strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := ParsePublicKey(text); err == nil && key.String() != text {
			t.Errorf("%q comes back as %v", text, key)
		}
	})
}

// TestSmallOrderKeys forges, for each listed key and both signs of x, a signature that crypto/ed25519
// accepts: that shows that the list holds no honest key, and that the check is needed.
func TestSmallOrderKeys(t *testing.T) {
	// R is the neutral element and S is zero: right whenever the hash is a multiple of the key's order,
	// which is at most 8.
	forged := make([]byte, SignatureSize)
	forged[0] = 1
	for _, key := range smallOrderY {
		for _, sign := range []byte{0, 0x80} {
			key[31] = key[31]&0x7f | sign
			if !forgeable(key, forged) {
				t.Errorf("%x: no signature could be forged: is it a point of small order?", key[:])
			}
			if _, err := ParsePublicKey(key.String()); err == nil {
				t.Errorf("ParsePublicKey accepts %v", key)
			}
		}
	}
}

// forgeable looks for a message that crypto/ed25519 accepts sig for, and fails when Verify does too.
func forgeable(key PublicKey, sig []byte) bool {
	for i := range uint32(1000) {
		field := binary.BigEndian.AppendUint32(nil, i)
		if ed25519.Verify(key[:], AppendSigned(nil, "test", field), sig) {
			return !Verify(key, "test", sig, field)
		}
	}
	return false
}
