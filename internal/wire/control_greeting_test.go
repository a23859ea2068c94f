package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func goldenGreeting() *Greeting {
	g := &Greeting{Relay: filled(0x63).Public()}
	count(g.Challenge[:], 0x40)
	return g
}

func goldenGreetingJSON() string {
	relay := filled(0x63).Public()
	return `{"Greeting":{"relay":"` + hex.EncodeToString(relay[:]) + `",` +
		`"challenge":"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"}}`
}

func TestGreetingGolden(t *testing.T) {
	b, err := AppendMessage(nil, goldenGreeting())
	if err != nil || !bytes.Equal(b, framed(goldenGreetingJSON())) {
		t.Errorf("written as %q, %v", b, err)
	}
	m, err := ParseMessage([]byte(goldenGreetingJSON()))
	if d := cmp.Diff(Message(goldenGreeting()), m); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for name, bad := range map[string]string{
		"no challenge":    `{"Greeting":{"relay":"` + strings.Repeat("00", 32) + `"}}`,
		"short challenge": strings.Replace(goldenGreetingJSON(), "4041", "40", 1),
		"upper case":      strings.Replace(goldenGreetingJSON(), "4a4b", "4A4B", 1),
		"empty":           "",
		"long":            `"` + strings.Repeat("x", MaxMessage) + `"`,
		"two values":      goldenGreetingJSON() + `"Leave"`,
	} {
		if m, err := ParseMessage([]byte(bad)); !errors.As(err, new(*FormatError)) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// The values were computed by another program (Python, hashlib) from section 8 alone.
func TestWebHelloValue(t *testing.T) {
	challenge := goldenGreeting().Challenge
	hash := make([]byte, 32)
	count(hash, 0x80)
	certificate := string(hash)
	for binding, want := range map[string]string{
		"relay.example:443": "9dcba8696119fb23bff8c0afa03760e762d2410d93578f10dc25810ec072dc45",
		certificate:         "ec4181e6cc5b16d04a843cc1f1d12aa3fef2af9e27a104b2b11b3f6bda52142b",
	} {
		if got := WebHelloValue(challenge, []byte(binding)); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s: %x", binding, got)
		}
	}
}

func TestWebCertificates(t *testing.T) {
	relay, hashes := filled(0x63), [][32]byte{{1}, {2}}
	signature := SignWebCertificates(relay, hashes)
	if !VerifyWebCertificates(relay.Public(), hashes, signature) {
		t.Fatal("what the relay signed does not verify")
	}
	if VerifyWebCertificates(relay.Public(), hashes[:1], signature) ||
		VerifyWebCertificates(relay.Public(), [][32]byte{{2}, {1}}, signature) ||
		VerifyWebCertificates(filled(0x2a).Public(), hashes, signature) ||
		VerifyWebCertificates(relay.Public(), hashes, signature[:63]) {
		t.Error("something else verifies")
	}
}

func TestWebPacketLimits(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 3: false, 4: true, MaxPacketSize: true, MaxPacketSize +
		1: false} {
		if _, frames, err := ParseWebPacket(make([]byte, n)); (err == nil) != ok || ok &&
			len(frames) != n-WebHeaderSize {
			t.Errorf("%d bytes: %d of frames, %v", n, len(frames), err)
		}
	}
	if p := AppendWebPacket([]byte("x"), 0x1_2345_6789, []byte("abc")); string(p) != "x\x23\x45\x67\x89abc" {
		t.Errorf("%q", p)
	}
}

func FuzzWebPacket(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0x61})
	f.Fuzz(func(t *testing.T, b []byte) {
		counter, frames, err := ParseWebPacket(b)
		if err != nil {
			if !errors.As(err, new(*FormatError)) || frames != nil {
				t.Errorf("%v beside %x", err, frames)
			}
			return
		}
		if out := AppendWebPacket(nil, uint64(counter), frames); !bytes.Equal(out, b) {
			t.Errorf("written as %x", out)
		}
	})
}

// FuzzWebMessage checks that text messages are read as those of the stream are.
func FuzzWebMessage(f *testing.F) {
	f.Add(goldenGreetingJSON())
	f.Add(`"Leave"`)
	f.Fuzz(func(t *testing.T, json string) {
		m, err := ParseMessage([]byte(json))
		framed, framedErr := read(json)
		if d := diff(framed, m); d != "" || (err == nil) != (framedErr == nil) {
			t.Errorf("%v, %v\n%s", err, framedErr, d)
		}
	})
}
