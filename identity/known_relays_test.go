package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openRelays(t *testing.T) (*KnownRelays, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dir", "known_relays")
	relays, err := OpenKnownRelays(path)
	if err != nil {
		t.Fatal(err)
	}
	return relays, path
}

func TestTrustOnFirstUse(t *testing.T) {
	relays, path := openRelays(t)
	one, two := repeated(0x2a).Identity().Public(), repeated(0x63).Identity().Public()
	if known, err := relays.Verify("Relay.Example:4433", one); known || err != nil {
		t.Errorf("before the first use: %v, %v", known, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("Verify made a file")
	}
	for _, addr := range []string{"Relay.Example:4433", "relay.example.:4433", "RELAY.example:04433"} {
		if err := relays.Check(addr, one); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if known, err := relays.Verify("relay.example:4433", one); !known || err != nil {
		t.Errorf("after the first use: %v, %v", known, err)
	}
	text, err := os.ReadFile(path)
	want := knownRelaysHeader + "relay.example:4433 " + vectors[0].public + "\n"
	if err != nil || string(text) != want {
		t.Errorf("the file is %q, %v; want %q", text, err, want)
	}

	for name, err := range map[string]error{
		"Check":  relays.Check("relay.example:4433", two),
		"Verify": second(relays.Verify("relay.example:4433", two)),
	} {
		var changed *RelayKeyChangedError
		if !errors.As(err, &changed) {
			t.Fatalf("%s of another key: %v", name, err)
		}
		if changed.Addr != "relay.example:4433" || changed.Known != one.Fingerprint() ||
			changed.Got != two.Fingerprint() {
			t.Errorf("%s of another key: %+v", name, changed)
		}
		for _, want := range []string{vectors[0].fingerprint, vectors[1].fingerprint, path,
			"relay.example:4433"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not name %s", name, err, want)
			}
		}
	}
	if err := relays.Check("relay.example:4434", two); err != nil {
		t.Errorf("another port is another relay: %v", err)
	}
	if err := relays.Check("zero.example:1", PublicKey{}); err == nil {
		t.Error("the zero key is trusted")
	}
}

func second[T any](_ T, err error) error { return err }

func TestKnownRelaysKeepsWhatPeopleWrote(t *testing.T) {
	relays, path := openRelays(t)
	text := "# mine\n\n  a.example:1\t" + vectors[0].public + "\r\n#end"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := relays.Check("a.example:1", repeated(0x2a).Identity().Public()); err != nil {
		t.Error(err)
	}
	if err := relays.Check("b.example:1", repeated(0x63).Identity().Public()); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(path)
	if want := text + "\nb.example:1 " + vectors[1].public + "\n"; err != nil || string(got) != want {
		t.Errorf("the file is %q, %v; want %q", got, err, want)
	}
}

func TestKnownRelaysProcesses(t *testing.T) {
	relays, path := openRelays(t)
	const processes, each = 6, 10
	runOthers(t, processes, envKnownRelays+"="+path, func(i int) []string {
		addrs := []string{"shared.example:1"}
		for j := range each {
			addrs = append(addrs, fmt.Sprintf("relay-%d-%d.example:4433", i, j))
		}
		return addrs
	})
	_, got, _, err := relays.read()
	if err != nil || len(got) != processes*each+1 {
		t.Errorf("%d relays are known, %v; want %d", len(got), err, processes*each+1)
	}
	text, _ := os.ReadFile(path)
	if n := strings.Count(string(text), "shared.example"); n != 1 {
		t.Errorf("the shared relay is listed %d times", n)
	}
}

func TestKnownRelaysFirstKeyWins(t *testing.T) {
	relays, _ := openRelays(t)
	one, two := repeated(1).Identity().Public(), repeated(2).Identity().Public()
	if err := relays.store("a.example:1", one); err != nil {
		t.Fatal(err)
	}
	// What Check does when another process stored a key after it had looked.
	if err := relays.store("a.example:1", two); !errors.As(err, new(*RelayKeyChangedError)) {
		t.Errorf("a second first use: %v", err)
	}
}

func TestKnownRelaysErrors(t *testing.T) {
	relays, path := openRelays(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	key, other := vectors[0].public, vectors[1].public
	for _, c := range []struct{ name, text, want string }{
		{"one word", "#\na.example:1\n", "line 2: want host:port and a public key, found 1 words"},
		{"three words", "a.example:1 " + key + " x",
			"line 1: want host:port and a public key, found 3 words"},
		{"no port", "a.example " + key,
			`line 1: relay address: "a.example" has no port; HOST:PORT is wanted, such as a.example:4433`},
		{"short key", "a.example:1 " + key[2:], "line 1: a public key has 64"},
		{"conflict", "a.example:1 " + key + "\n\nA.example:1 " + other,
			"line 3: a.example:1 is listed before with another key"},
		{"too large", strings.Repeat("#\n", maxKnownRelaysSize/2+1), "larger than"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, openErr := OpenKnownRelays(path)
		checkErr := relays.Check("new.example:1", repeated(1).Identity().Public())
		for _, err := range []error{openErr, checkErr} {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != c.text {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
	full := strings.Repeat("#\n", maxKnownRelaysSize/2)
	if err := os.WriteFile(path, []byte(full), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := relays.Check("new.example:1", repeated(1).Identity().Public()); err == nil ||
		!strings.Contains(err.Error(), "is full") {
		t.Errorf("a full file: %v", err)
	}
	if err := relays.Check("no port", repeated(1).Identity().Public()); err == nil {
		t.Error("an address without port is checked")
	}
}

func TestNormalizeAddr(t *testing.T) {
	for addr, want := range map[string]string{
		"Relay.Example.:04433":       "relay.example:4433",
		"192.0.2.1:1":                "192.0.2.1:1",
		"[2001:DB8:0:0::1]:65535":    "[2001:db8::1]:65535",
		"[::ffff:192.0.2.1]:4433":    "192.0.2.1:4433",
		"[fe80::1%eth0]:4433":        "[fe80::1%eth0]:4433",
		"xn--bcher-kva.example:4433": "xn--bcher-kva.example:4433",
		"Bücher.example:4433":        "xn--bcher-kva.example:4433",
	} {
		if got, err := normalizeAddr(addr); err != nil || got != want {
			t.Errorf("%s becomes %s, %v; want %s", addr, got, err, want)
		}
	}
	for _, addr := range []string{"", ":4433", "a", "a:", "a:0", "a:65536", "a:-1", "a:x", "a b:1", "#a:1",
		".a:1", "a..:1", "bücher!.example:1", "a\n:1", "::1:1"} {
		if got, err := normalizeAddr(addr); err == nil {
			t.Errorf("%q becomes %s", addr, got)
		}
	}
}

func FuzzParseKnownRelays(f *testing.F) {
	f.Add([]byte(knownRelaysHeader + "relay.example:4433 " + vectors[0].public + "\n[2001:db8::1]:1 " +
		vectors[1].public + "\n"))
	f.Add([]byte("[fe80::1%eth0]:4433 " + vectors[0].public))
	f.Add([]byte("a.example:1 " + vectors[0].public + "\r\na.example:1 " + vectors[0].public))
	f.Fuzz(func(t *testing.T, data []byte) {
		relays, err := parseKnownRelays(data)
		if err != nil {
			return
		}
		var written strings.Builder
		for addr, key := range relays {
			fmt.Fprintf(&written, "%s %s\n", addr, key)
		}
		again, err := parseKnownRelays([]byte(written.String()))
		if err != nil || !maps.Equal(relays, again) {
			t.Errorf("%q does not come back: %v, %v", written.String(), again, err)
		}
	})
}
