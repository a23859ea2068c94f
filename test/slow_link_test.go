package test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowLink is a link of TCP connections with a round trip and a rate, which they share, each direction its
// own. A connection is there one round trip after the browser asked for it, as a real one would be: what it
// sends at once is held so long. Slow start is there as well: so much is under way as was acknowledged, and
// ten segments (RFC 6928). Segments are not lost.
//
//	browser ── accept, +1 round trip ──> lane up   ── rate, half a round trip ──> server
//	        <── half a round trip, rate, window ── lane down <──────────────────
type slowLink struct {
	addr      string
	roundTrip time.Duration
	up, down  lane
	dead      atomic.Bool // nothing gets through, nothing is accepted

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]bool
}

// lane is one direction.
type lane struct {
	rate int64      // bit/s
	mu   sync.Mutex // guards free
	free time.Time  // when what was sent before has left
}

const (
	packetExtra = 40 // of IP and TCP
)

// leave takes a place in the lane for so many bytes, and returns when they have left.
func (l *lane) leave(bytes int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(int64(bytes+packetExtra) * 8 * int64(time.Second) / l.rate))
	return l.free
}

// newSlowLink passes connections on to an address.
func newSlowLink(t *testing.T, to string, roundTrip time.Duration, rate int64) *slowLink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &slowLink{addr: ln.Addr().String(), roundTrip: roundTrip,
		up: lane{rate: rate}, down: lane{rate: rate}, conns: make(map[net.Conn]bool)}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		ln.Close()
		l.cut()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			if l.dead.Load() || !l.keep(near) {
				near.Close()
				continue
			}
			far, err := net.Dial("tcp", to)
			if err != nil || !l.keep(far) {
				near.Close()
				continue
			}
			wg.Go(func() { l.pass(ctx, near, far, &l.up, time.Now().Add(roundTrip)) })
			wg.Go(func() { l.pass(ctx, far, near, &l.down, time.Time{}) })
		}
	})
	return l
}

// keep notes a connection, to end it.
func (l *slowLink) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = true
	return true
}

// cut ends all connections.
func (l *slowLink) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		conn.Close()
	}
	clear(l.conns)
}

// kill makes the link one that nothing gets through.
func (l *slowLink) kill() {
	l.dead.Store(true)
	l.cut()
}

// part is a piece of a stream on its way.
type part struct {
	bytes   []byte
	arrives time.Time
}

// pass carries one direction of a connection, from a time on.
func (l *slowLink) pass(ctx context.Context, from, to net.Conn, lane *lane, begin time.Time) {
	way := make(chan part, 1<<16)
	defer close(way)
	go func() {
		defer to.Close()
		for p := range way {
			if !wait(ctx, p.arrives) {
				return
			}
			if _, err := to.Write(p.bytes); err != nil {
				return
			}
		}
	}()
	if !wait(ctx, begin) {
		return
	}
	var flight []part // not acknowledged
	window, under := 10*segment, 0
	for {
		b := make([]byte, segment)
		n, err := from.Read(b)
		if n > 0 {
			// The oldest is acknowledged half a round trip after it arrived.
			for under+n > window && len(flight) > 0 {
				if !wait(ctx, flight[0].arrives.Add(l.roundTrip/2)) {
					return
				}
				under -= len(flight[0].bytes)
				window += len(flight[0].bytes)
				flight = flight[1:]
			}
			p := part{b[:n], lane.leave(n).Add(l.roundTrip / 2)}
			flight, under = append(flight, p), under+n
			select {
			case way <- p:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			if err != io.EOF {
				return
			}
			return
		}
	}
}

// wait waits until a time; false: ctx is done.
func wait(ctx context.Context, until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
