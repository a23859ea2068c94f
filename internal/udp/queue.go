package udp

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueLen is how many QUIC packets wait for quic-go at most. At 64 a receive call, and with quic-go
	// taking 8 at a time, this rides out its pauses; what is lost beyond QUIC itself repairs.
	queueLen = 512
	// oobSize is the room for a packet's control messages. Both address families' packet info and a traffic
	// class, which come with IPv4 on a dual-stack socket, take 96; quic-go has the same room.
	oobSize = 128
)

// queue is a bounded FIFO of QUIC packets from the receive loops to quic-go's reader. It copies, and keeps
// its buffers.
type queue struct {
	in, inBytes, dropped, truncated atomic.Uint64

	more     chan struct{} // holds one token while there may be packets
	closed   chan struct{}
	deadline deadline

	mu    sync.Mutex // guards the fields below, for the time of one copy
	ring  [queueLen]queued
	first int // index of the oldest
	n     int
}

// queued is one packet.
type queued struct {
	data []byte // nil until the slot is first used, then MaxPacket bytes of capacity
	oob  [oobSize]byte
	oobn int
	from netip.AddrPort
	addr net.Addr // if not nil, the address as a foreign net.PacketConn gave it
}

func newQueue() *queue {
	return &queue{
		more:     make(chan struct{}, 1),
		closed:   make(chan struct{}),
		deadline: deadline{passed: make(chan struct{})},
	}
}

// push appends a copy of p, at most MaxPacket bytes, and of its control messages, or drops it if the queue is
// full.
func (q *queue) push(p, oob []byte, from netip.AddrPort, addr net.Addr) {
	q.mu.Lock()
	if q.n == queueLen {
		q.mu.Unlock()
		q.dropped.Add(1)
		return
	}
	e := &q.ring[(q.first+q.n)%queueLen]
	if e.data == nil {
		e.data = make([]byte, 0, MaxPacket)
	}
	e.data = append(e.data[:0], p...)
	e.oobn = copy(e.oob[:], oob)
	e.from, e.addr = from, addr
	q.n++
	q.in.Add(1)
	q.inBytes.Add(uint64(len(p)))
	q.mu.Unlock()
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// wait blocks until there may be packets. It fails with os.ErrDeadlineExceeded after the deadline and with
// net.ErrClosed after close, even while packets are left.
func (q *queue) wait() error {
	deadline := q.deadline.wait()
	select {
	case <-q.closed:
		return net.ErrClosed
	default:
	}
	select {
	case <-deadline:
		return os.ErrDeadlineExceeded
	default:
	}
	select {
	case <-q.more:
		return nil
	case <-q.closed:
		return net.ErrClosed
	case <-deadline:
		return os.ErrDeadlineExceeded
	}
}

// pop takes up to limit packets and gives each to take, which must not keep it. It blocks until there is one.
func (q *queue) pop(limit int, take func(i int, e *queued)) (int, error) {
	for {
		if err := q.wait(); err != nil {
			return 0, err
		}
		q.mu.Lock()
		n := min(limit, q.n)
		for i := range n {
			take(i, &q.ring[q.first])
			q.first = (q.first + 1) % queueLen
		}
		q.n -= n
		left := q.n > 0
		q.mu.Unlock()
		if left {
			q.wake()
		}
		if n > 0 {
			return n, nil
		}
	}
}

// close fails all reads. It is called once.
func (q *queue) close() {
	close(q.closed)
	q.deadline.set(time.Time{}) // stops the timer
}

// deadline is a read deadline, as net.Conn has one.
type deadline struct {
	mu     sync.Mutex // guards the fields below
	timer  *time.Timer
	passed chan struct{} // closed when the deadline passes
}

// wait returns a channel that is closed when the present deadline passes. A deadline set later reaches those
// who wait on it already, unless it was over.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passed
}

// set sets the deadline; the zero time is none.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.passed // the timer fired: wait until it has closed the channel
	}
	d.timer = nil
	over := false
	select {
	case <-d.passed:
		over = true
	default:
	}
	left := time.Until(t)
	switch {
	case !t.IsZero() && left <= 0:
		if !over {
			close(d.passed)
		}
		return
	case over:
		d.passed = make(chan struct{})
	}
	if !t.IsZero() {
		passed := d.passed
		d.timer = time.AfterFunc(left, func() { close(passed) })
	}
}
