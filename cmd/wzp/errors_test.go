package main

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"
)

// TestArgumentsAsGiven: a room, a file or a page whose name is no UTF-8 stays what it is, and is refused or
// opened as that. It became another name, with U+FFFD in it: another room, and a file that is not there.
func TestArgumentsAsGiven(t *testing.T) {
	const latin1 = "caf\xe9"
	var c cli
	parser, err := kong.New(&c, append(plainMappers(), kong.Vars{"version": ""})...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"join", latin1, "--relay", "127.0.0.1:9", "--in", latin1 + ".wav",
		"--identity", latin1}); err != nil {
		t.Fatal(err)
	}
	if c.Join.Room != latin1 || c.Join.In != latin1+".wav" || *c.Join.Identity != latin1 {
		t.Errorf("the room is %q, --in %q, --identity %q", c.Join.Room, c.Join.In, *c.Join.Identity)
	}
	if err := c.Join.check(); err == nil || err.Error() != `the room name "caf\xe9" is not UTF-8` {
		t.Errorf("the room is refused with %v", err)
	}
}

// TestHostsAsGiven: errors show an address as it was given, and say what it lacks.
func TestHostsAsGiven(t *testing.T) {
	join := func(relay string) error {
		return (&joinCmd{Room: "a", talkFlags: talkFlags{Relay: relay, Timeout: 1, Bitrate: 24000, Frame: 20e6}}).check()
	}
	for relay, want := range map[string]string{
		"bücher.example": `--relay: "bücher.example" has no port; ` +
			`HOST:PORT is wanted, such as bücher.example:4433`,
		"::1": `--relay: "::1" has no port; HOST:PORT is wanted, such as [::1]:4433`,
		"https://a.example/voice/": `--relay: "https://a.example/voice/" is the address of a page (https); ` +
			`HOST:PORT is wanted, such as a.example:4433`,
		"http://[::1]:8080": `--relay: "http://[::1]:8080" is the address of a page (http); ` +
			`HOST:PORT is wanted, such as [::1]:4433`,
		"a b": `--relay: "a b" is not HOST:PORT`,
	} {
		if err := join(relay); err == nil || err.Error() != want {
			t.Errorf("%s: %v; want %s", relay, err, want)
		}
	}
	page := &relayPage{base: &url.URL{Scheme: "https", Host: "xn--bcher-kva.example"}}
	err := page.fetchError(&url.Error{Op: "Get", Err: &net.DNSError{Err: "no such host",
		Name: "xn--bcher-kva.example", Server: "192.0.2.1:53", IsNotFound: true}})
	const want = "cannot reach the relay at https://xn--bcher-kva.example: no host is called so"
	if err.Error() != want || strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("%v; want %s", err, want)
	}
}

// TestHintsFit: what errors advise is of use where they come up.
func TestHintsFit(t *testing.T) {
	full := &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	err := listenError("--http", "127.0.0.1:8080", ", or \"\" for none", full)
	if !strings.HasSuffix(err.Error(), "there are no file descriptors left: raise the limit on open files "+
		"(LimitNOFILE= of systemd, ulimit -n)") {
		t.Errorf("without file descriptors: %v", err)
	}
	wrong := errors.New(`no microphone named "x"`)
	if err := soundError("x", wrong); !errors.Is(err, wrong) || strings.Contains(err.Error(), "tone:440") {
		t.Errorf("a microphone that is not there, but others: %v", err)
	}
	if err := soundError("", wrong); !errors.Is(err, wrong) || !strings.Contains(err.Error(), "tone:440") {
		t.Errorf("no microphone: %v", err)
	}
}

// TestValuesOfFlags: a value that is none, or is missing, is said in words of people, whatever its type.
func TestValuesOfFlags(t *testing.T) {
	for args, want := range map[string]string{
		"relay --member-rate abc":  `--member-rate: want a whole number, not "abc"`,
		"relay --max-sessions 1.5": `--max-sessions: want a whole number, not "1.5"`,
		"relay --hello-rate many":  `--hello-rate: want a number, not "many"`,
		"relay --member-rate":      `--member-rate needs a value`,
		"relay --data --log-json":  `--data needs a value`,
		"relay --log-level":        `--log-level needs a value`,
		"relay --room-rate -1": `--room-rate needs a value; ` +
			`if that is -1, write --room-rate=-1`,
		"join a --for -1s --relay a.example": `--for needs a value; if that is -1s, write --for=-1s`,
	} {
		var c cli
		parser, err := kong.New(&c, append(plainMappers(), kong.Vars{"version": ""})...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = parser.Parse(strings.Fields(args)); err == nil || parseError(err).Error() != want {
			t.Errorf("%s: %v; want %s", args, err, want)
		}
	}
}
