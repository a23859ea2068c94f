package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
)

type pasteForTest string

func (p pasteForTest) LogBlock() string { return string(p) }

func TestTextLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newTextLog(&out, &slog.HandlerOptions{Level: slog.LevelInfo,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
	log.Debug("hidden", "add", pasteForTest("x\n"))
	log.Info("plain", "n", 1, "hostile", "a\nlevel=ERROR msg=forged\n")
	log.With("who", "me").Warn("with blocks", "add", pasteForTest("[[peers]]\nurl = 'a:1'\n"), "n", 2, "or",
		pasteForTest("[[trusted]]\n"))
	log.WithGroup("g").Info("after", "n", 3)
	want := `level=INFO msg=plain n=1 hostile="a\nlevel=ERROR msg=forged\n"
level=WARN msg="with blocks" who=me n=2
# add:
[[peers]]
url = 'a:1'
# or:
[[trusted]]
level=INFO msg=after g.n=3
`
	if out.String() != want {
		t.Errorf("the log is\n%s\nwant\n%s", out.String(), want)
	}
}

// chunks is a writer that several goroutines use.
type chunks struct {
	mu   sync.Mutex // guards what follows
	text strings.Builder
}

func (c *chunks) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *chunks) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// A record and what follows it stay together when many log at once.
func TestTextLogConcurrently(t *testing.T) {
	var out chunks
	log := slog.New(newTextLog(&out, nil))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				log.With("a", 1).Info("block", "add", pasteForTest("text\n"))
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 8*100*3 {
		t.Fatalf("%d lines", len(lines))
	}
	for i := 0; i < len(lines); i += 3 {
		if !strings.Contains(lines[i], "msg=block") || lines[i+1] != "# add:" || lines[i+2] != "text" {
			t.Fatalf("%q", lines[i:i+3])
		}
	}
}

// TestRefusedRelayIsPasted has a relay refuse another one that it does not know, and takes what its log says
// to add for a configuration.
func TestRefusedRelayIsPasted(t *testing.T) {
	var out chunks
	known := identity.NewSeed().Identity()
	victim, err := relay.New(relay.Config{Identity: known, Listen: "127.0.0.1:0",
		Log: slog.New(newTextLog(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	stranger := identity.NewSeed().Identity()
	dials, err := relay.New(relay.Config{Identity: stranger, Listen: "127.0.0.1:0",
		Federation: relay.FederationConfig{
			Peers: []relay.FederationPeer{{Address: victim.Addr().String(), Fingerprint: known.Fingerprint(),
				Label: "victim"}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, r := range []*relay.Relay{victim, dials} {
		wg.Go(func() { _ = r.Run(ctx) })
	}
	defer wg.Wait()
	defer cancel()
	const last = "# label = 'name this relay'\n"
	end := time.Now().Add(time.Minute)
	for ; !strings.Contains(out.String(), last); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log is %q", out.String())
		}
	}
	// All that is below the line, its heading too; and what it says to take instead.
	block := out.String()[strings.Index(out.String(), "\n# add:\n"):]
	block, _, _ = strings.Cut(block, "\ntime=")
	_, or, _ := strings.Cut(block, "# [[trusted]]\n")
	or = strings.ReplaceAll("# [[trusted]]\n"+or, "# ", "")
	for _, text := range []string{block, or} {
		c, problems := readConfig(t, text)
		if len(problems) > 0 || len(c.federation.Peers) != 1 {
			t.Fatalf("%q has problems %q", text, problems)
		}
		p := c.federation.Peers[0]
		if p.Fingerprint != stranger.Fingerprint() || p.Label != "name this relay" {
			t.Errorf("%q is %+v", text, p)
		}
		if address := dials.Addr().String(); strings.Contains(text, "[[peers]]") != (p.Address == address) {
			t.Errorf("%q is not about %v", text, address)
		}
	}
}

// TestJSONLogDurations wants units: a bare number of nanoseconds is taken for seconds or milliseconds.
func TestJSONLogDurations(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newJSONLog(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	log.With("again", 90*time.Second).Info("x", "rtt", 1500*time.Microsecond,
		slog.Group("g", "wait", 2*time.Second), "n", 3)
	for _, want := range []string{`"again":"1m30s"`, `"rtt":"1.5ms"`, `"g":{"wait":"2s"}`, `"n":3`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}
