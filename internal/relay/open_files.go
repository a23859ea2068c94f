package relay

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/drops"
)

const (
	// ownFiles is how many files a relay has open beside its sockets, with some to spare: logs, certificates,
	// the ports, what is open for a moment.
	ownFiles = 64
	// leastConnections is how many TCP connections there may be in any case.
	leastConnections = 16
	// adminReserve and pageReserve are kept for the two ports, for when there are no other files.
	adminReserve, pageReserve = 8, 1
	adminConnections          = 256 // at once

	// RaiseFiles is what to do about that.
	RaiseFiles = "raise the limit on open files (LimitNOFILE= of systemd, ulimit -n)"
)

// connectionsFor returns how many TCP connections a relay takes: as many as it wants, if the limit on open
// files leaves so many beside its own. A limit of 0 is not known.
func connectionsFor(want, files, sockets int) int {
	if files == 0 {
		return want
	}
	if sockets <= 0 {
		sockets = 8 // package udp opens no more, unless it is told to
	}
	return max(leastConnections, min(want, files-ownFiles-2*sockets))
}

// warnAboutFiles says so if the limit on open files is far below what the limits of the relay promise.
// Sessions of browsers may all be WebSockets, of which each takes one.
func warnAboutFiles(log *slog.Logger, connections, maxSessions, files int) {
	if files > 0 && connections < maxSessions/2 {
		log.Warn("the limit on open files is far below --max-sessions: each browser by WebSocket takes one; "+
			RaiseFiles+", or lower --max-sessions", "open_files", files, "max_sessions", maxSessions,
			"connections", connections)
	}
}

// fileGuard is a listener that goes on when there are no file descriptors left: it counts and logs that, and
// has some in reserve, so that connections do not wait in the kernel without a word.
//
//	Accept ── no descriptor ──> one of the reserve is closed ──> Accept ──> who keeps returns it
//	                                                                 └────> others close it
type fileGuard struct {
	net.Listener
	name  string // of the port, for the log
	log   *slog.Logger
	keeps bool                      // it returns connections that the reserve made possible
	spare func() (io.Closer, error) // opens a file

	drops *drops.Counters
	told  *rate.Limiter

	mu      sync.Mutex // guards what follows
	reserve []io.Closer
	size    int
}

// guardFiles puts a guard before a listener.
func guardFiles(ln net.Listener, name string, log *slog.Logger, dropped *drops.Counters, size int,
	keeps bool) *fileGuard {
	g := &fileGuard{Listener: ln, name: name, log: log, drops: dropped, told: everyMinute(), keeps: keeps,
		size:  size,
		spare: func() (io.Closer, error) { return os.Open(os.DevNull) }}
	g.refill()
	return g
}

// Accept implements net.Listener. That there is no descriptor is an error only when the reserve is used up.
func (g *fileGuard) Accept() (net.Conn, error) {
	lent := false
	for {
		conn, err := g.Listener.Accept()
		switch {
		case err == nil && (g.refill() || g.keeps || !lent):
			return conn, nil
		case err == nil:
			conn.Close()
			g.drops.Add(drops.HTTPConnections, 1)
			g.refill()
			lent = false
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE): // of the process, or the system
			g.drops.Add(drops.NoFiles, 1)
			g.report(err)
			if !g.lend() {
				return nil, err // the server waits a little, and asks again
			}
			lent = true
		default:
			return nil, err
		}
	}
}

// report logs that there is none left.
func (g *fileGuard) report(err error) {
	if g.told.Allow() {
		connections := "refused"
		if g.keeps {
			connections = "taken from a reserve"
		}
		g.log.Error("there are no file descriptors left: "+RaiseFiles, "port", g.name, "connections",
			connections, "err", err)
	}
}

// lend frees a descriptor of the reserve, if there is one.
func (g *fileGuard) lend() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.reserve)
	if n == 0 {
		return false
	}
	g.reserve[n-1].Close()
	g.reserve = g.reserve[:n-1]
	return true
}

// refill makes the reserve whole again, and reports whether it is.
func (g *fileGuard) refill() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.reserve) < g.size {
		f, err := g.spare()
		if err != nil {
			return false
		}
		g.reserve = append(g.reserve, f)
	}
	return true
}

// Close implements net.Listener.
func (g *fileGuard) Close() error {
	err := g.Listener.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.size = 0
	for _, f := range g.reserve {
		f.Close()
	}
	g.reserve = nil
	return err
}
