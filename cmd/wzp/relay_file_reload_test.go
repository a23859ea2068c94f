package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
)

// reloadLab is a reloader whose file the test writes, with what it logged and handed on.
type reloadLab struct {
	*configReloader
	t        *testing.T
	log      bytes.Buffer
	reloaded []relay.FederationConfig
}

func newReloadLab(t *testing.T, text string, given map[string]bool) *reloadLab {
	t.Helper()
	c, problems := readConfig(t, text)
	if problems != nil {
		t.Fatal(problems)
	}
	lab := &reloadLab{t: t}
	lab.configReloader = &configReloader{
		log:    slog.New(slog.NewTextHandler(&lab.log, nil)),
		config: c,
		given:  given,
		own:    fingerprint(t, fingerprintC),
		reload: func(c relay.FederationConfig) { lab.reloaded = append(lab.reloaded, c) },
	}
	return lab
}

// again writes text to the file, reloads and returns what was logged, without the time.
func (l *reloadLab) again(text string) string {
	l.t.Helper()
	if err := os.WriteFile(l.config.file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.log.Reset()
	l.configReloader.again()
	return strings.ReplaceAll(l.log.String(), l.config.file, "wzp.toml")
}

// wantLog fails unless log has one line for each of want, and each holds its text.
func wantLog(t *testing.T, log string, want ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("the log has %d lines, want %d:\n%s", len(lines), len(want), log)
	}
	for i, text := range want {
		if !strings.Contains(lines[i], text) {
			t.Errorf("line %d of the log is\n%s\nwant %s", i+1, lines[i], text)
		}
	}
}

const (
	peerA = "[[peers]]\nurl = \"a:1\"\nfingerprint = \"" + fingerprintA + "\"\n"
	opsIs = "[[global_rooms]]\nname = \"ops\"\n"
)

func TestReload(t *testing.T) {
	lab := newReloadLab(t, "max_rooms = 3\nmax_members = 4\n"+peerA+opsIs,
		map[string]bool{"max-members": true})

	log := lab.again("max_rooms = 5\nmax_members = 6\n" + peerA +
		"label = \"north\"\n[[trusted]]\nfingerprint = \"" + fingerprintB +
		"\"\n[[global_rooms]]\nname = \"dev-*\"\n")
	wantLog(t, log,
		`level=INFO msg="a relay was changed" kind=peer label=north address=a:1 fingerprint=`+fingerprintA,
		`level=INFO msg="a relay was added" kind=trusted label=52f3:6a13:9e50:27c1 address="" fingerprint=`+fingerprintB,
		`level=INFO msg="a global room was added" room=dev-*`,
		`level=INFO msg="a global room was removed" room=ops`,
		// not max_members: a flag overrides it
		`level=WARN msg="a setting changed that takes a restart" key=max_rooms`,
		`level=INFO msg="configuration reloaded" file=wzp.toml changes=4 peers=1 trusted=1 global_rooms=1`)
	if len(lab.reloaded) != 1 || len(lab.reloaded[0].Peers) != 2 || !lab.reloaded[0].IsGlobal("dev-1") ||
		lab.reloaded[0].IsGlobal("ops") {
		t.Fatalf("the relay got %+v", lab.reloaded)
	}

	// A file with mistakes changes nothing, and says all of them.
	log = lab.again(strings.Replace(peerA, "url", "ulr", 1))
	wantLog(t, log,
		`level=ERROR msg="the configuration is not reloaded: all stays as it was" problem="wzp.toml:1: [[peers]] needs url: `,
		`level=ERROR msg="the configuration is not reloaded: all stays as it was" problem="wzp.toml:2: [[peers]] has no key \"ulr\"; `)
	if len(lab.reloaded) != 1 {
		t.Fatalf("the relay got %+v of a file with mistakes", lab.reloaded[1:])
	}

	// The next one is compared with what is in use: rooms since the last reload, settings since the start.
	log = lab.again("max_rooms = 5\n" + peerA + "label = \"north\"\n")
	wantLog(t, log,
		`msg="a relay was removed" kind=trusted`, `msg="a global room was removed" room=dev-*`,
		`msg="a setting changed that takes a restart" key=max_rooms`,
		`msg="configuration reloaded" file=wzp.toml changes=2 peers=1 trusted=0 global_rooms=0`,
		`level=WARN msg="there are relays to bridge rooms with, but no rooms: add [[global_rooms]]"`)

	log = lab.again("max_rooms = 3\n" + opsIs)
	wantLog(t, log,
		`msg="a relay was removed" kind=peer label=north`, `msg="a global room was added" room=ops`,
		`msg="configuration reloaded" file=wzp.toml changes=2 peers=0 trusted=0 global_rooms=1`,
		`level=WARN msg="there are global rooms, but no relays to bridge them with`)
}

func TestReloadMissingFile(t *testing.T) {
	lab := newReloadLab(t, peerA, nil)
	if err := os.Remove(lab.config.file); err != nil {
		t.Fatal(err)
	}
	lab.configReloader.again()
	if log := lab.log.String(); !strings.Contains(log, "all stays as it was") ||
		!strings.Contains(log, "no such file") || len(lab.reloaded) != 0 {
		t.Errorf("the log is %s, the relay got %+v", log, lab.reloaded)
	}
}

// TestReloadOwnFingerprint has a relay refuse itself on reload, too.
func TestReloadOwnFingerprint(t *testing.T) {
	lab := newReloadLab(t, "", nil)
	wantLog(t, lab.again("[[trusted]]\nfingerprint = \""+fingerprintC+"\"\n"), "own fingerprint")
}

func TestReloadEnds(t *testing.T) {
	lab := newReloadLab(t, opsIs, nil)
	hup, done := make(chan os.Signal, 1), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	reloaded := make(chan struct{})
	lab.reload = func(relay.FederationConfig) { close(reloaded) }
	go func() { onSignal(ctx, hup, lab.configReloader.again); close(done) }()
	hup <- os.Interrupt // it takes any
	<-reloaded
	stop()
	<-done
}

func TestPeerAttrs(t *testing.T) {
	p := relay.FederationPeer{Fingerprint: identity.Fingerprint{1}}
	if attrs := peerAttrs(p); attrs[1] != "trusted" || len(attrs)%2 != 0 {
		t.Errorf("a trusted relay is logged as %v", attrs)
	}
}

func TestReloadProbes(t *testing.T) {
	const c, d = "[[probes]]\nurl = \"c:1\"\n", "[[probes]]\nurl = \"d:1\"\nlabel = \"far\"\n"
	lab := newReloadLab(t, c, nil)
	wantLog(t, lab.again(d),
		`level=INFO msg="a relay to probe was added" label=far address=d:1`,
		`level=INFO msg="a relay to probe was removed" label=c:1 address=c:1`,
		`msg="configuration reloaded" file=wzp.toml changes=2 peers=0 trusted=0 global_rooms=0`)
	if len(lab.reloaded) != 1 || len(lab.reloaded[0].Probes) != 1 || lab.reloaded[0].Probes[0].Label != "far" {
		t.Errorf("the relay got %+v", lab.reloaded)
	}
	wantLog(t, lab.again(d), `changes=0`)
}
