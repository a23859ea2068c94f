package test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// phone is wzp call or wzp answer, whose standard input is a terminal of its own.
type phone struct {
	*client
	keys, terminal *os.File
	before         unix.Termios // the terminal's state
}

func startPhone(t *testing.T, who person, args ...string) *phone {
	t.Helper()
	p := &phone{}
	p.keys, p.terminal = openTerminal(t)
	p.before = terminalState(t, p.terminal)
	cmd := command(t, "", append(args, "--json", "--identity", who.file, "--in", "tone", "--out", "none")...)
	cmd.Stdin = p.terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.client = &client{launch(t, cmd)}
	return p
}

// quits ends the phone by a key, and wants the terminal to be as it was.
func (p *phone) quits(key string) {
	p.t.Helper()
	p.press(p.keys, key)
	p.ends(0, soon)
	p.sane()
	if lines := p.stderr.lines(); len(lines) > 0 {
		p.t.Errorf("it says %q", lines)
	}
}

func (p *phone) sane() {
	p.t.Helper()
	if diff := cmp.Diff(p.before, terminalState(p.t, p.terminal)); diff != "" {
		p.t.Errorf("the terminal is not as it was (-before +after):\n%s", diff)
	}
}

func (p *phone) ended() string {
	p.t.Helper()
	return p.await("call_ended", soon).Outcome
}

// calls has two people over one relay: bert answers, and anna calls until it rings at his.
func calls(t *testing.T) (anna, bert *phone) {
	t.Helper()
	r, dir := startRelay(t), t.TempDir()
	one, two := newPerson(t, filepath.Join(dir, "anna"), 21), newPerson(t, filepath.Join(dir, "bert"), 22)
	bert = startPhone(t, two, "answer", "--anybody", "--relay", r.addr)
	bert.await("line", soon)
	anna = startPhone(t, one, "call", two.identity().Fingerprint().String(), "--relay", r.addr)
	anna.await("ringing", soon)
	bert.await("incoming", soon)
	return anna, bert
}

// answered is calls, and bert has answered.
func answered(t *testing.T) (anna, bert *phone) {
	t.Helper()
	anna, bert = calls(t)
	bert.press(bert.keys, "aa")
	anna.await("call_up", soon)
	bert.await("call_up", soon)
	return anna, bert
}

// TestQuitWhileConnecting: the keys that end the program do so while nothing comes from the relay.
func TestQuitWhileConnecting(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	who := newPerson(t, filepath.Join(t.TempDir(), "anna"), 21)
	for _, args := range [][]string{{"answer"}, {"call", strings.Repeat("1234:", 7) + "1234"}} {
		for _, key := range []string{"\x03", "\x1c", "q"} {
			p := startPhone(t, who, append(args, "--relay", silent.LocalAddr().String(), "--timeout", "1h")...)
			silent.SetReadDeadline(time.Now().Add(soon))
			if _, _, err := silent.ReadFrom(make([]byte, 1500)); err != nil {
				t.Fatalf("it does not connect: %v", err)
			}
			p.quits("a" + key) // what comes before it is no obstacle
			for len(buffered(silent)) > 0 {
			}
		}
	}
}

// TestQuitInCalls: Ctrl-C ends the program in every state of a call, and tells the other, who sees why.
func TestQuitInCalls(t *testing.T) {
	t.Parallel()
	const ctrlC = "\x03"
	t.Run("who calls, while it rings", func(t *testing.T) {
		anna, bert := calls(t)
		anna.quits(ctrlC)
		if got := bert.ended(); got != "missed" {
			t.Errorf("who was called sees %q", got)
		}
		bert.quits(ctrlC)
	})
	t.Run("who is called, while it rings", func(t *testing.T) {
		anna, bert := calls(t)
		bert.quits(ctrlC)
		anna.failsInOneLine(1, soon, "declined")
		anna.sane()
	})
	t.Run("in a call", func(t *testing.T) {
		anna, bert := answered(t)
		anna.press(anna.keys, ctrlC+ctrlC) // once more while it closes
		anna.finish(soon)
		anna.sane()
		if got := bert.ended(); got != "hung_up" {
			t.Errorf("who was called sees %q", got)
		}
		bert.press(bert.keys, "adhm")
		bert.quits("q")
	})
	t.Run("in a call that is held", func(t *testing.T) {
		anna, bert := answered(t)
		bert.press(bert.keys, "h")
		anna.await("held", soon)
		bert.await("held", soon)
		bert.quits(ctrlC)
		anna.finish(soon)
		anna.sane()
	})
	t.Run("the terminal closes", func(t *testing.T) {
		anna, bert := answered(t)
		bert.keys.Close()
		bert.finish(soon)
		anna.press(anna.keys, "d") // or it is over already
		anna.finish(soon)
		anna.sane()
	})
}

// TestCallKeys: d declines, and hangs up. Without a call what is for calls does nothing.
func TestCallKeys(t *testing.T) {
	t.Parallel()
	alone := startPhone(t, newPerson(t, filepath.Join(t.TempDir(), "cleo"), 23), "answer", "--relay",
		startRelay(t).addr)
	alone.await("line", soon)
	alone.quits("adhm q")

	anna, bert := calls(t)
	bert.press(bert.keys, "d")
	anna.failsInOneLine(1, soon, "declined")
	if got := bert.ended(); got != "declined" {
		t.Errorf("who declined sees %q", got)
	}
	bert.quits("q")

	anna, bert = answered(t)
	anna.press(anna.keys, "d")
	anna.finish(soon)
	if got := anna.ended(); got != "hung_up_here" {
		t.Errorf("who hung up sees %q", got)
	}
	bert.ended()
	bert.quits("q")
}
