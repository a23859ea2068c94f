package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
)

// union is some relays that share the rooms called "room..." over lossy roads.
type union struct {
	t      *testing.T
	relays []*relay
	roads  map[[2]int]*road // by the pair, the smaller first; the larger dials
	logs   []string         // the relays' event logs
}

// federate starts n relays, linked by pairs of their numbers: the larger dials the smaller, over a road with
// a profile of simnet.
func federate(t *testing.T, n int, pairs [][2]int, profile string) *union {
	t.Helper()
	roads := make(map[[2]int]*road)
	u := federateBy(t, n, pairs, "", func(pair [2]int, addr string) string {
		roads[pair] = newRoad(t, addr, profile, uint64(1+100*pair[0]+pair[1]))
		return roads[pair].addr()
	})
	u.roads = roads
	return u
}

// federateBy is federate with lines for each peer's configuration, and with what leads from the larger of a
// pair to the address of the smaller.
func federateBy(t *testing.T, n int, pairs [][2]int, lines string, lead func(pair [2]int, addr string) string,
	args ...string) *union {
	t.Helper()
	u := &union{t: t, relays: make([]*relay, n)}
	dirs, fingerprints := make([]string, n), make([]string, n)
	for i := range n {
		dirs[i] = filepath.Join(t.TempDir(), fmt.Sprintf("relay%d", i))
		if err := os.MkdirAll(dirs[i], 0o700); err != nil {
			t.Fatal(err)
		}
		seed, err := identity.LoadOrCreate(filepath.Join(dirs[i], "identity"))
		if err != nil {
			t.Fatal(err)
		}
		fingerprints[i] = seed.Identity().Public().Fingerprint().String()
		u.logs = append(u.logs, filepath.Join(dirs[i], "events.jsonl"))
	}
	for i := range n {
		var config strings.Builder
		config.WriteString("[[global_rooms]]\nname = \"room*\"\n")
		for _, pair := range pairs {
			switch i {
			case pair[0]:
				fmt.Fprintf(&config, "[[trusted]]\nfingerprint = %q\nlabel = \"relay%d\"\n%s",
					fingerprints[pair[1]], pair[1], lines)
			case pair[1]:
				fmt.Fprintf(&config, "[[peers]]\nurl = %q\nfingerprint = %q\nlabel = \"relay%d\"\n%s",
					lead(pair, u.relays[pair[0]].addr), fingerprints[pair[0]], pair[0], lines)
			}
		}
		file := filepath.Join(dirs[i], "wzp.toml")
		if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		all := append([]string{"--config", file}, args...)
		if !slices.Contains(args, "--event-log") {
			all = append(all, "--event-log", u.logs[i])
		}
		u.relays[i] = startRelayAt(t, "127.0.0.1:0", dirs[i], all...)
	}
	for i := range n {
		links := 0
		for _, pair := range pairs {
			if i == pair[0] || i == pair[1] {
				links++
			}
		}
		u.waitPeers(i, links)
	}
	return u
}

// waitPeers waits until a relay has so many links.
func (u *union) waitPeers(relay, links int) {
	u.t.Helper()
	u.until(fmt.Sprintf("relay %d has %d links", relay, links), soon, func() bool {
		return u.relays[relay].metric("peers_up") == float64(links)
	})
}

// until waits for something that is asked for again and again.
func (u *union) until(what string, timeout time.Duration, ok func() bool) {
	u.t.Helper()
	for deadline := time.Now().Add(timeout); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			u.t.Fatalf("not within %v: %s", timeout, what)
		}
	}
}

// chain and mesh are the pairs that link relays so.
func chain(n int) (pairs [][2]int) {
	for i := range n - 1 {
		pairs = append(pairs, [2]int{i, i + 1})
	}
	return pairs
}

func mesh(n int) (pairs [][2]int) {
	for i := range n {
		for j := range i {
			pairs = append(pairs, [2]int{j, i})
		}
	}
	return pairs
}
