package test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudo terminal (pty(7)): what is written to keys was typed on terminal.
func openTerminal(t *testing.T) (keys, terminal *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keys, terminal
}

func terminalState(t *testing.T, terminal *os.File) unix.Termios {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *state
}

// startOnTerminal starts a client whose standard input is a terminal of its own, in raw mode once it has
// joined.
func startOnTerminal(t *testing.T, addr string, terminal *os.File, args ...string) *client {
	t.Helper()
	cooked := terminalState(t, terminal)
	all := append([]string{"join", "room", "--relay", addr, "--in", "tone", "--out", "none", "--ptt",
		"--name", "anna"}, args...)
	cmd := command(t, "", all...)
	cmd.Stdin = terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	c := &client{launch(t, cmd)}
	if _, ok := c.stdout.after(0, func(line string) bool {
		return strings.Contains(line, "alking") ||
			strings.Contains(line, "Muted")
	}, c.done, soon); !ok {
		t.Fatal("push-to-talk does not start")
	}
	if cmp.Equal(cooked, terminalState(t, terminal)) {
		t.Fatal("the terminal waits for whole lines: a single key is not seen")
	}
	return c
}

// TestPushToTalkOnTerminal: the space bar switches the microphone, and the terminal is as it was afterwards,
// however the client ends.
func TestPushToTalkOnTerminal(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	for _, end := range []struct {
		name string
		how  func(c *client, keys *os.File)
	}{
		{"q", func(c *client, keys *os.File) { c.press(keys, "q") }},
		{"Ctrl-C", func(c *client, keys *os.File) { c.press(keys, "\x03") }},
		{"Ctrl-backslash", func(c *client, keys *os.File) { c.press(keys, "\x1c") }},
		{"SIGTERM", func(c *client, _ *os.File) { c.signal(syscall.SIGTERM) }},
		{"SIGINT", func(c *client, _ *os.File) { c.signal(syscall.SIGINT) }},
		{"SIGQUIT", func(c *client, _ *os.File) { c.signal(syscall.SIGQUIT) }},
		{"SIGHUP", func(c *client, _ *os.File) { c.signal(syscall.SIGHUP) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			keys, terminal := openTerminal(t)
			before := terminalState(t, terminal)
			c := startOnTerminal(t, r.addr, terminal, "--json")
			c.t = t
			if end.name == "q" {
				pushToTalk(t, r, c, keys)
			}
			end.how(c, keys)
			c.finish(soon)
			if diff := cmp.Diff(before, terminalState(t, terminal)); diff != "" {
				t.Errorf("the terminal is not as it was (-before +after):\n%s", diff)
			}
		})
	}
}

// TestTerminalCloses: who closes the terminal has left the room.
func TestTerminalCloses(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	keys, terminal := openTerminal(t)
	c := startOnTerminal(t, r.addr, terminal, "--json")
	member := c.await("joined", soon).Member
	keys.Close()
	c.finish(soon)
	if !r.logged(soon, `"msg":"left"`, member, `"why":"left"`) {
		t.Error("the relay does not know that the client left")
	}
}

// TestWordsOnRawTerminal: in raw mode lines end with carriage return and line feed.
func TestWordsOnRawTerminal(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	keys, terminal := openTerminal(t)
	c := startOnTerminal(t, r.addr, terminal)
	c.press(keys, " ")
	if _, ok := c.stdout.after(0,
		func(line string) bool { return line == "Transmitting. Press space to stop.\r" }, c.done, soon); !ok {
		t.Errorf("pressing space says %q", c.stdout.lines())
	}
	c.press(keys, "q")
	c.ends(0, soon)
	if last := c.stdout.tail(1); strings.Contains(last, "\r") || !strings.HasPrefix(last, "Sent ") {
		t.Errorf("the last line is %q", last)
	}
}
