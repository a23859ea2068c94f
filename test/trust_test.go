package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

// TestPinnedKey: a relay with another key than the pinned one is refused at once.
func TestPinnedKey(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	args := []string{"join", "room", "--relay", r.addr, "--in", "none", "--out", "none", "--for", "10ms"}
	wrong := identity.NewSeed().Identity().Fingerprint().String()
	p := launch(t, command(t, "", append(args, "--relay-key", wrong)...))
	p.failsInOneLine(1, soon, wrong, r.fingerprint)
	if lines := p.stdout.lines(); len(lines) > 1 || len(lines) == 1 &&
		!strings.Contains(lines[0], "new identity") {
		t.Errorf("something else than that there is an identity now was printed: %q", lines)
	}
	if r.logged(0, `"msg":"joined"`) {
		t.Error("the client joined all the same")
	}

	home := newHome(t)
	launch(t, command(t, home, append(args, "--relay-key", r.fingerprint)...)).ends(0, soon)
	if _, err := os.Stat(knownRelays(home)); err == nil {
		t.Error("a pinned key was kept as if it had been trusted on first use")
	}
}

func knownRelays(home string) string { return filepath.Join(home, ".config", "wzp", "known_relays") }

// TestFirstUse: the key of the first visit is kept, and another one refused.
func TestFirstUse(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	home := newHome(t)
	args := []string{"join", "room", "--relay", r.addr, "--in", "none", "--out", "none", "--for", "10ms"}
	launch(t, command(t, home, args...)).ends(0, soon)
	kept, err := os.ReadFile(knownRelays(home))
	if err != nil || !strings.Contains(string(kept), r.addr) {
		t.Fatalf("the relay's key was not kept: %q %v", kept, err)
	}
	launch(t, command(t, home, args...)).ends(0, soon)

	r.kill()
	other := startRelayAt(t, r.addr, filepath.Join(t.TempDir(), "other"))
	launch(t, command(t, home, args...)).failsInOneLine(1, soon, r.fingerprint, other.fingerprint)
	if other.logged(0, `"msg":"joined"`) {
		t.Error("the client joined all the same")
	}
	if now, err := os.ReadFile(knownRelays(home)); err != nil || string(now) != string(kept) {
		t.Errorf("the known relays changed to %q (%v)", now, err)
	}
}
