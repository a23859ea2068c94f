package main

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestArgumentsAsGiven: a room, a file or a page whose name is no UTF-8 stays what it is, and is refused or opened as that.
// It became another name, with U+FFFD in it: another room, and a file that is not there.
func TestArgumentsAsGiven(t *testing.T) {
	const latin1 = "caf\xe9"
	var c cli
	parser, err := kong.New(&c, append(plainMappers(), kong.Vars{"version": ""})...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"join", latin1, "--relay", "127.0.0.1:9", "--in", latin1 + ".wav", "--identity", latin1}); err != nil {
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
		return (&joinCmd{Room: "a", Relay: relay, Timeout: 1, Bitrate: 24000, Frame: 20e6}).check()
	}
	for relay, want := range map[string]string{
		"bücher.example":           `--relay: "bücher.example" has no port; HOST:PORT is wanted, such as bücher.example:4433`,
		"::1":                      `--relay: "::1" has no port; HOST:PORT is wanted, such as [::1]:4433`,
		"https://a.example/voice/": `--relay: "https://a.example/voice/" is the address of a page (https); HOST:PORT is wanted, such as a.example:4433`,
		"http://[::1]:8080":        `--relay: "http://[::1]:8080" is the address of a page (http); HOST:PORT is wanted, such as [::1]:4433`,
		"a b":                      `--relay: "a b" is not HOST:PORT`,
	} {
		if err := join(relay); err == nil || err.Error() != want {
			t.Errorf("%s: %v; want %s", relay, err, want)
		}
	}
	page := &relayPage{base: &url.URL{Scheme: "https", Host: "xn--bcher-kva.example"}}
	err := page.fetchError(&url.Error{Op: "Get", Err: &net.DNSError{Err: "no such host", Name: "xn--bcher-kva.example", Server: "192.0.2.1:53", IsNotFound: true}})
	if want := "cannot reach the relay at https://xn--bcher-kva.example: no host is called so"; err.Error() != want || strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("%v; want %s", err, want)
	}
}
