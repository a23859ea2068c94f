package peer

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestWrongKey dials a relay with another key than the configured one.
func TestWrongKey(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b, c := l.relay(1), l.relay(2), l.relay(3)
		a.knows(c)
		a.peers[0].Address = b.addr.String()
		a.up()
		b.trusts(a).up()
		time.Sleep(time.Minute)
		lines := a.logged.lines("cannot reach a peer")
		if n := len(lines); n < 2 || n > 4 {
			t.Fatalf("%d attempts: %q", n, lines)
		}
		wantTexts(t, lines[0], b.id.Fingerprint().String(), c.id.Fingerprint().String(),
			"check the peer's url and fingerprint")
		if len(a.events.list())+len(b.events.list()) != 0 {
			t.Errorf("%q, %q", a.events.list(), b.events.list())
		}
	})
}

// TestMistakenFingerprint has a peer that is configured with a wrong fingerprint dial, too: what the log says
// of the key that answers and of the one that is refused belongs together.
func TestMistakenFingerprint(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b, c := l.relay(1), l.relay(2), l.relay(3)
		a.knows(c)
		a.peers[0].Address = b.addr.String()
		a.up()
		b.knows(a).up()
		time.Sleep(10 * time.Second)
		lines := a.logged.lines("refused the relay at the url of a peer")
		if len(lines) != 1 {
			t.Fatalf("%q", a.logged.lines(""))
		}
		wantTexts(t, lines[0], "url="+b.addr.String(), `label="relay 3"`,
			"configured="+c.id.Fingerprint().String(),
			"fingerprint="+b.id.Fingerprint().String(),
			`do="correct the fingerprint if its operator confirms it"`)
		time.Sleep(5 * time.Minute)
		if again := a.logged.lines("refused a relay that is not configured"); len(again) > 1 {
			t.Errorf("it is not known where the key belongs: %q", again)
		}
		// Another relay at another address is a stranger.
		d := l.relay(4).knows(a).up()
		time.Sleep(5 * time.Second)
		if len(a.logged.lines("refused a relay that is not configured")) == 0 ||
			len(d.logged.lines("may be wrong")) == 0 {
			t.Errorf("%q, %q", a.logged.lines("refused"), d.logged.lines("cannot reach"))
		}
	})
}

// TestUnknownRelay refuses a relay that is not configured, says what to configure, and takes it when that was
// done.
func TestUnknownRelay(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		b.json = true
		b.up()
		a.knows(b).up()
		time.Sleep(58 * time.Second)
		refused := b.logged.lines("refused a relay")
		if len(refused) != 1 {
			t.Fatalf("%q", refused)
		}
		if lines := a.logged.lines("cannot reach a peer"); len(lines) < 3 ||
			!strings.Contains(lines[0], "ask its operator to add this relay") ||
			!strings.Contains(lines[0], a.id.Fingerprint().String()) ||
			!strings.Contains(lines[0], "the fingerprint there may be wrong") {
			t.Errorf("the refused one's log says %q", lines)
		}
		peers := pasted(t, refused[0])
		b.links.Configure(peers)
		l.joined(a, b, time.Minute)
		a.kill()
		l.eventually("down", 16*time.Second, func() bool { return b.to(a) == nil })
		a.up()
		l.joined(a, b, 5*time.Second)
	})
}

// pasted reads the configuration out of a line of the log, as an operator does.
func pasted(t *testing.T, line string) []Config {
	t.Helper()
	var record struct{ Msg, Add, Address string }
	if err := json.Unmarshal([]byte(line), &record); err != nil {
		t.Fatal(err)
	}
	type relay struct{ URL, Fingerprint, Label string }
	var config struct {
		Listen         string `toml:"listen_addr"`
		Peers, Trusted []relay
	}
	read := func(text string) {
		t.Helper()
		text = "listen_addr = ':4433'\n" + text
		decoder := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields()
		if err := decoder.Decode(&config); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
	}
	read(record.Add)
	if len(config.Peers) != 1 || len(config.Trusted) != 0 || !strings.Contains(record.Msg, "jq -r '.add ") {
		t.Fatalf("%q is %+v; %q", record.Add, config, record.Msg)
	}
	before, or, _ := strings.Cut(record.Add, "# [[trusted]]")
	read(before + strings.ReplaceAll("# [[trusted]]"+or, "# ", ""))
	if len(config.Peers) != 1 || len(config.Trusted) != 1 || config.Peers[0].Label == "" ||
		config.Peers[0].URL != record.Address ||
		config.Trusted[0] != (relay{Fingerprint: config.Peers[0].Fingerprint, Label: config.Peers[0].Label}) {
		t.Fatalf("%+v", config)
	}
	fingerprint, err := identity.ParseFingerprint(config.Peers[0].Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	return []Config{{Address: config.Peers[0].URL, Fingerprint: fingerprint, Label: "added"}}
}

// TestUnknownKeysBounded shows many keys: anybody can make them.
func TestUnknownKeysBounded(t *testing.T) {
	var u unknownKeys
	logged := new(logText)
	log := slog.New(slog.NewTextHandler(logged, nil))
	start := time.Now()
	remote := netip.MustParseAddrPort("[2001:db8::1]:4433")
	for i := range 1000 {
		u.refused(log, identity.Fingerprint{byte(i), byte(i >> 8)}, remote, nil,
			start.Add(time.Duration(i)*time.Millisecond))
	}
	if n := len(logged.lines("refused")); n != maxUnknown+1 {
		t.Errorf("%d lines", n)
	}
	u.refused(log, identity.Fingerprint{}, remote, nil, start.Add(unknownEvery))
	if lines := logged.lines("are refused without a line here"); len(lines) != 1 {
		t.Errorf("%q", lines)
	}
	if n := len(logged.lines("refused a relay")); n != maxUnknown+1 {
		t.Errorf("%d lines", n)
	}
	if text := relayTOML(identity.Fingerprint{}, remote); !strings.Contains(string(text),
		"url = '[2001:db8::1]:4433'\n") {
		t.Errorf("%q", text)
	}
}

// TestOwnKey configures a relay as its own peer, and copies its identity.
func TestOwnKey(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a := l.relay(1)
		a.knows(a).up()
		twin := l.relay(2)
		twin.id = a.id
		twin.peers = []Config{{Address: a.addr.String(), Fingerprint: l.relay(3).id.Fingerprint(),
			Label: "a"}}
		twin.up()
		time.Sleep(30 * time.Second)
		if len(a.logged.lines("own fingerprint")) != 1 ||
			len(a.events.list())+len(a.logged.lines("cannot reach")) != 0 {
			t.Errorf("%q", a.logged.lines(""))
		}
		if err := a.links.CheckPeer(a.id.Public(), twin.addr); err == nil ||
			!strings.Contains(err.Error(), "own key") {
			t.Error(err)
		}
	})
}

// TestCut cuts a peer off: for the time of the bar neither side gets a link.
func TestCut(t *testing.T) {
	for _, both := range []bool{false, true} {
		t.Run(fmt.Sprintf("both dial %v", both), func(t *testing.T) {
			inLinkLab(t, func(l *linkLab) {
				a, b := l.relay(1), l.relay(2)
				a.knows(b).up()
				if both {
					b.knows(a)
				} else {
					b.trusts(a)
				}
				b.up()
				l.joined(a, b, 10*time.Second)
				time.Sleep(2 * time.Second)
				b.links.Cut(b.to(a), "it floods", time.Minute)
				l.eventually("down", time.Second, func() bool { return a.to(b) == nil && b.to(a) == nil })
				cut := time.Now()
				if b.events.count("down "+a.name()+": it floods") != 1 ||
					a.events.count("down "+b.name()+": the peer has cut this relay off") != 1 {
					t.Errorf("%q, %q", a.events.list(), b.events.list())
				}
				l.joined(a, b, 3*time.Minute)
				if took := time.Since(cut); took < 59*time.Second {
					t.Errorf("a link again after %v", took)
				}
				l.talk(a, b)
			})
		})
	}
}

// TestCutInLinkUp cuts a link while linkUp is told of it: no lock is in the way.
func TestCutInLinkUp(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		b.trusts(a).up()
		b.events.onUp = func(pl *Link) {
			pl.Send(wire.UrgentFederationRoom, []byte("hello"), nil)
			b.links.Status()
			b.links.Cut(pl, "we do not like it", 10*time.Second)
			b.links.Configure(b.peers)
		}
		a.knows(b).up()
		l.eventually("cut", 5*time.Second, func() bool { return b.events.count("down") == 1 })
		l.eventually("again", 30*time.Second, func() bool { return b.events.count("up") == 2 })
	})
}

// TestOverflow has a peer that takes no message, until too many wait.
func TestOverflow(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.trusts(a).up()
		at := l.joined(a, b, 2*time.Second)
		b.events.mu.Lock()
		b.events.deaf = true
		b.events.mu.Unlock()
		for range maxOutbox + wire.UrgentUnderWay {
			at.Send(wire.UrgentFederationRoom, []byte("message"), nil)
		}
		time.Sleep(time.Second)
		if a.to(b) != at || at.out.waiting() != maxOutbox {
			t.Fatalf("%d wait", at.out.waiting())
		}
		at.Send(wire.UrgentFederationRoom, []byte("one too many"), nil)
		at.Send(wire.UrgentFederationRoom, []byte("and another"), nil)
		l.eventually("down", 2*time.Second, func() bool { return a.to(b) == nil && b.to(a) == nil })
		if len(a.logged.lines("too many waited")) != 1 {
			t.Errorf("%q", a.logged.lines(""))
		}
		b.events.mu.Lock()
		b.events.deaf = false
		b.events.mu.Unlock()
		l.joined(a, b, 10*time.Second)
		l.talk(a, b)
	})
}

// TestBurst sends many messages at once: all arrive.
func TestBurst(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		b.trusts(a).up()
		at := l.joined(a, b, 2*time.Second)
		const many = 3000
		var acked atomic.Int64
		for i := range many {
			at.Send(wire.UrgentFederationRoom, fmt.Appendf(nil, "message %d", i), func() { acked.Add(1) })
		}
		l.eventually("all arrive", time.Minute,
			func() bool { return b.events.count("urgent") == many && acked.Load() == many })
	})
}

// TestReload changes the list of peers.
func TestReload(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b, c := l.relay(1), l.relay(2), l.relay(3)
		a.knows(b).up()
		b.trusts(a).up()
		c.trusts(a).up()
		at := l.joined(a, b, 2*time.Second)

		a.knows(c) // one more
		a.links.Configure(a.peers)
		l.joined(a, c, 2*time.Second)

		renamed := append([]Config(nil), a.peers...)
		renamed[0].Label, renamed[0].Address = "another name", "" // known, but not dialled any more
		a.links.Configure(renamed)
		time.Sleep(time.Minute)
		if a.to(b) != at || a.events.count("down") != 0 || a.links.Status()[0].Label != "another name" {
			t.Errorf("%q, %+v", a.events.list(), a.links.Status())
		}

		a.links.Configure(renamed[1:]) // without b
		l.eventually("down", 2*time.Second, func() bool { return a.to(b) == nil && b.to(a) == nil })
		time.Sleep(time.Minute)
		if a.to(b) != nil || a.events.count("down") != 1 || a.to(c) == nil || len(a.links.Status()) != 1 {
			t.Errorf("%q", a.events.list())
		}

		a.links.Configure(a.peers) // and with it again
		l.joined(a, b, 2*time.Second)
		a.links.Configure(nil)
		a.links.Configure(a.peers) // at once
		l.eventually("both down", 2*time.Second, func() bool { return a.events.count("down") == 3 })
		l.joined(a, b, 2*time.Minute)
		l.joined(a, c, 2*time.Minute)
		l.talk(a, b)
		l.talk(a, c)
	})
}

// TestConfigureClash has two peers that the protocol cannot tell apart, and one that is peer and trusted.
func TestConfigureClash(t *testing.T) {
	logged := new(logText)
	ls := New(slog.New(slog.NewTextHandler(logged, nil)), nil)
	ls.Configure([]Config{
		{Fingerprint: identity.Fingerprint{1, 15: 1}, Label: "one"},
		{Fingerprint: identity.Fingerprint{1, 15: 2}, Label: "alike"},
		{Fingerprint: identity.Fingerprint{2}, Label: "both", Address: "b:1"},
		{Fingerprint: identity.Fingerprint{2}, Label: "both, trusted"},
	})
	list := ls.Status()
	if len(list) != 2 || list[0].Label != "both" || list[0].Address != "b:1" || list[1].Label != "one" {
		t.Errorf("%+v", list)
	}
	if n := len(logged.lines("begin alike")); n != 1 {
		t.Errorf("%d lines", n)
	}
	ls.Close()
	ls.Configure(nil) // nothing happens
}

// TestConcurrent calls everything at once while links come and go.
func TestConcurrent(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b, c := l.relay(1), l.relay(2), l.relay(3)
		a.knows(b, c).up()
		b.knows(a, c).up()
		c.knows(a, b).up()
		var wg sync.WaitGroup
		for i, r := range []*testRelay{a, b, c} {
			wg.Go(func() {
				for j := range 200 {
					time.Sleep(time.Duration(70+10*i) * time.Millisecond)
					for _, o := range []*testRelay{a, b, c} {
						pl := r.to(o)
						if pl == nil {
							continue
						}
						pl.Send(wire.UrgentFederationRoom, []byte("message"), nil)
						if j%40 == 20 {
							r.links.Cut(pl, "test", time.Second)
						}
					}
					if j%50 == 49 {
						r.links.Configure(r.peers[:1])
						r.links.Configure(r.peers)
					}
					r.links.Status()
				}
			})
		}
		wg.Wait()
		for _, pair := range [][2]*testRelay{{a, b}, {b, c}, {c, a}} {
			l.joined(pair[0], pair[1], 2*time.Minute)
		}
		time.Sleep(10 * time.Second)
		for _, pair := range [][2]*testRelay{{a, b}, {b, c}, {c, a}} {
			l.joined(pair[0], pair[1], 0)
			l.talk(pair[0], pair[1])
		}
	})
}

// TestBadAddress has addresses that cannot be dialled.
func TestBadAddress(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		for i, address := range []string{"no-port", "10.0.0.2:99999"} {
			a.peers = append(a.peers,
				Config{Address: address, Fingerprint: identity.Fingerprint{byte(i + 1)}, Label: "bad"})
		}
		a.trusts(b).up()
		b.knows(a).up()
		l.joined(b, a, 2*time.Second)
		time.Sleep(4 * time.Second)
		if n := len(a.logged.lines("cannot reach a peer")); n != 2 {
			t.Errorf("%q", a.logged.lines(""))
		}
	})
}
