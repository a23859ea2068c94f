// Package simtest is the lab of this module's tests: what each harness needs to run relays and people on a
// simulated network, in virtual time.
//
//	harness of a package (its lab, its person)
//	  └── simtest: Run, Listen, Start, Eventually, Identity, Host, WrongClock, Log ── simnet.Network
//
// What may not live here: what the program itself needs, and anything of one package alone. Only tests import
// this package.
//
// Locks, in the order in which they are taken:
//
//	Log.mu
package simtest

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// Run runs f in virtual time, on a network all of whose paths have profile p.
func Run(t *testing.T, p simnet.Profile, f func(t *testing.T, n *simnet.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n, err := simnet.NewNetwork(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		f(t, n)
	})
}

// Listen opens a socket.
func Listen(t testing.TB, n *simnet.Network, addr netip.AddrPort) *simnet.Conn {
	t.Helper()
	conn, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Start runs something until stop, which waits for its end and may be called again.
func Start(t testing.TB, run func(ctx context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Eventually waits until ok, for at most limit of virtual time, and returns how long it took. When it gives
// up it calls explain, if that is given, before the test ends.
func Eventually(
	t testing.TB, what string, limit time.Duration, ok func() bool, explain ...func(),
) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			for _, f := range explain {
				f()
			}
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

// Identity returns one of 256 identities.
func Identity(n byte) *identity.Identity {
	seed := [identity.SeedSize]byte(bytes.Repeat([]byte{n}, identity.SeedSize))
	return identity.SeedFromBytes(seed).Identity()
}

// Relay is the address of relay number n, from 1 on.
func Relay(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), 4433)
}

// Host is the address of somebody on machine number n.
func Host(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(n)}), 5000)
}

// Log keeps what is logged. The zero value is ready.
type Log struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines returns the lines that have all of these in them.
func (l *Log) Lines(parts ...string) []string {
	return slices.DeleteFunc(strings.Split(l.String(), "\n"), func(line string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
	})
}
