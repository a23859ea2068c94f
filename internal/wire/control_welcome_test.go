package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wzp-voice/wzp/identity"
)

func webWelcome() (w *Welcome, value [32]byte, hello *Hello) {
	hello = goldenHello()
	value = WebHelloValue(goldenGreeting().Challenge, []byte("relay.example:443"))
	w = &Welcome{ConnID: 1, Relay: "wzp/0.1"}
	w.SignWeb(filled(0x63), value, hello)
	return w, value, hello
}

// verifyWeb reports whether the relay with that key answers the client's own Hello.
func verifyWeb(m *Welcome, relay identity.PublicKey, value [32]byte, hello *Hello) bool {
	return m.Signature != nil &&
		identity.Verify(relay, "web welcome", m.Signature[:], value[:], hello.Session[:], hello.Identity[:])
}

func TestWelcomeSignature(t *testing.T) {
	w, value, hello := webWelcome()
	relay := filled(0x63).Public()
	if !verifyWeb(w, relay, value, hello) {
		t.Fatal("a signed Welcome does not verify")
	}
	for name, change := range map[string]func(){
		"value":    func() { value[0]++ },
		"session":  func() { hello.Session[0]++ },
		"identity": func() { hello.Identity = filled(0xab).Public() },
		"relay":    func() { relay = filled(0xab).Public() },
		"sign":     func() { w.Signature[0]++ },
		"unsigned": func() { w.Signature = nil },
	} {
		w, value, hello = webWelcome()
		relay = filled(0x63).Public()
		if change(); verifyWeb(w, relay, value, hello) {
			t.Errorf("%s: verifies still", name)
		}
	}
}

func TestWelcomeSignatureIsOptional(t *testing.T) {
	signed, _, _ := webWelcome()
	for _, w := range []*Welcome{signed, {ConnID: 1, Relay: "wzp/0.1"}} {
		b, err := AppendMessage(nil, w)
		if err != nil {
			t.Fatal(err)
		}
		if there := strings.Contains(string(b), "signature"); there != (w.Signature != nil) {
			t.Errorf("written as %s", b)
		}
		m, err := ReadMessage(bytes.NewReader(b))
		if d := cmp.Diff(Message(w), m); d != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
	}
	b, err := AppendMessage(nil, signed)
	if err != nil {
		t.Fatal(err)
	}
	json := string(b[4:])
	for _, bad := range []string{`"signature":null}}`, `"signature":"00"}}`, `"signature":7}}`} {
		bad = json[:strings.Index(json, `"signature"`)] + bad
		if m, err := ParseMessage([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, m)
		}
	}
}
