package relay

import (
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
)

func TestConnectionsFor(t *testing.T) {
	for _, test := range []struct{ want, files, sockets, got int }{
		{21_000, 0, 2, 21_000}, {21_000, 1 << 20, 2, 21_000}, {21_000, 1024, 2, 956}, {21_000, 1024, 0, 944},
		{21_000, 64, 2, leastConnections},
	} {
		if got := connectionsFor(test.want, test.files, test.sockets); got != test.got {
			t.Errorf("%d wanted with %d files and %d sockets: %d, want %d", test.want, test.files,
				test.sockets, got, test.got)
		}
	}
	for _, test := range []struct {
		connections, files int
		said               bool
	}{{944, 1024, true}, {21_000, 1 << 20, false}, {21_000, 0, false}, {10_500, 10_600, false}} {
		var log strings.Builder
		warnAboutFiles(slog.New(slog.NewTextHandler(&log, nil)), test.connections, 20_000, test.files)
		if said := strings.Contains(log.String(), "open_files="); said != test.said {
			t.Errorf("%+v: %s", test, log.String())
		}
	}
}

// hungryListener has connections that wait, and a process with so many descriptors that are free.
type hungryListener struct {
	net.Listener
	waiting, free int
	open          []*hungryConn
}

type hungryConn struct {
	net.Conn
	of     *hungryListener
	closed bool
}

func (l *hungryListener) Accept() (net.Conn, error) {
	switch {
	case l.free == 0:
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	case l.waiting == 0:
		return nil, net.ErrClosed
	}
	l.waiting, l.free = l.waiting-1, l.free-1
	c := &hungryConn{of: l}
	l.open = append(l.open, c)
	return c, nil
}

func (l *hungryListener) Close() error { return nil }

func (c *hungryConn) Close() error {
	if !c.closed {
		c.closed = true
		c.of.free++
	}
	return nil
}

// TestFileGuard has more connections than descriptors. Those of the page are closed, and do not wait; those
// of the admin port are served from the reserve; both are counted and logged, at a limited rate.
func TestFileGuard(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			hungry := &hungryListener{waiting: 6, free: 4}
			var dropped drops.Counters
			g := guardFiles(hungry, "test", slog.New(slog.NewTextHandler(&log, nil)), &dropped, 0, keeps)
			g.size, g.spare = 2, func() (io.Closer, error) {
				if hungry.free == 0 {
					return nil, syscall.EMFILE
				}
				hungry.free--
				return &hungryConn{of: hungry}, nil
			}
			g.refill()
			var served []net.Conn
			for hungry.waiting > 0 {
				conn, err := g.Accept()
				if err != nil {
					break
				}
				served = append(served, conn)
			}
			want := 2
			if keeps {
				want = 4
			}
			if len(served) != want || dropped.Count(drops.NoFiles) == 0 {
				t.Errorf("keeps %v: %d are served, want %d; none left %d times", keeps, len(served), want,
					dropped.Count(drops.NoFiles))
			}
			if !keeps && (dropped.Count(drops.HTTPConnections) != 4 || hungry.waiting != 0) {
				t.Errorf("%d were closed, %d wait", dropped.Count(drops.HTTPConnections), hungry.waiting)
			}
			if n := strings.Count(log.String(), "no file descriptors left"); n != 1 {
				t.Errorf("said %d times", n)
			}
			consequence := "connections=refused"
			if keeps {
				consequence = `connections="taken from a reserve"`
			}
			if !strings.Contains(log.String(), consequence) {
				t.Errorf("it says %q, not %q", log.String(), consequence)
			}
			for _, conn := range served { // they end, and the reserve is whole again
				conn.Close()
			}
			hungry.waiting = 1
			if conn, err := g.Accept(); err != nil || len(g.reserve) != 2 {
				t.Errorf("%v, %v, %d in reserve", conn, err, len(g.reserve))
			}
			time.Sleep(time.Minute)
			hungry.waiting, hungry.free = 1, 0
			g.Accept()
			if n := strings.Count(log.String(), "no file descriptors left"); n != 2 {
				t.Errorf("said %d times, a minute later", n)
			}
			if _, err := g.Accept(); err == nil {
				t.Error("no error at the end")
			}
		})
	}
}
