package udp

import (
	"context"
	"errors"
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
	in, dropped, truncated atomic.Uint64

	more chan struct{}   // holds one token while there may be packets
	open context.Context // until close

	closeWith context.CancelCauseFunc

	mu    sync.Mutex // guards the fields below, for the time of one copy
	ring  [queueLen]queued
	first int // index of the oldest
	n     int

	reading context.Context // until the read deadline, or close; canceled when another deadline is set
	renew   context.CancelFunc
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
	q := &queue{more: make(chan struct{}, 1)}
	q.open, q.closeWith = context.WithCancelCause(context.Background())
	q.reading, q.renew = context.WithCancel(q.open)
	return q
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
	for {
		q.mu.Lock()
		reading := q.reading
		q.mu.Unlock()
		if reading.Err() == nil {
			select {
			case <-q.more:
				return nil
			case <-reading.Done():
			}
		}
		if cause := context.Cause(reading); !errors.Is(cause, context.Canceled) {
			return cause
		} // else another deadline was set
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

// setDeadline sets when reads fail, also those that wait already; the zero time: never.
func (q *queue) setDeadline(t time.Time) error {
	if q.open.Err() != nil {
		return net.ErrClosed
	}
	reading, renew := context.WithCancel(q.open)
	if !t.IsZero() {
		renew()
		reading, renew = context.WithDeadlineCause(q.open, t, os.ErrDeadlineExceeded)
	}
	q.mu.Lock()
	q.reading, q.renew, renew = reading, renew, q.renew
	q.mu.Unlock()
	renew() // of the deadline before
	return nil
}

// close fails all reads.
func (q *queue) close() { q.closeWith(net.ErrClosed) }
