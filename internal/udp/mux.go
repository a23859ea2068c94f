package udp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// MaxPacket is the largest sealed packet, in bytes. Larger ones that arrive are dropped and counted.
const MaxPacket = 1500

// slots is how many packets one receive or send call carries at most.
const slots = 64

// firstQUIC is the least first byte of a packet that goes to quic-go; sealed packets are below (RFC 9443,
// section 3: QUIC's fixed bit is 0x40).
const firstQUIC = 0x40

// Handler is given every sealed packet, in the order each socket received them, from one goroutine a socket.
// p is valid, and may be overwritten (decrypted in place), until it returns. It must not block. What it
// commits to b is sent when the receive batch is done, or earlier when b is full.
type Handler func(b *Batch, p []byte, from Path)

// Mux is one UDP port shared by QUIC and sealed packets. Its methods may be called from any goroutine.
type Mux struct {
	socks []socket // at least one; all on the same port
	queue *queue   // QUIC packets on their way to quic-go
	quic  quicPort
	wrote func(p, oob []byte, to netip.AddrPort) // see OnQUIC

	buffers Buffers // of sockets that Listen opened

	serving   atomic.Bool
	batches   atomic.Uint32 // made by NewBatch, so that they take turns on the sockets
	closeOnce sync.Once
	closeErr  error // written within closeOnce
}

// socket is one socket of a Mux.
type socket interface {
	// reader returns a function that receives once, and gives what came to q or h.
	reader(q *queue, h Handler, b *Batch) func() error
	// newSender returns the sender of a Batch, whose slot i starts at buf[i*MaxPacket].
	newSender(buf []byte) sender
	counters() *counters
	conn() net.PacketConn
}

// New returns a Mux over any packet connection, one call a packet: for simulated networks, and where there is
// no recvmmsg. Addresses must be *net.UDPAddr or print as IP:PORT. Sending blocks as c's WriteTo does. The
// Mux owns c: Close closes it.
func New(c net.PacketConn) *Mux {
	m := newMux([]socket{newPlainSocket(c)})
	m.quic = newQUICConn(m)
	return m
}

func newMux(socks []socket) *Mux {
	return &Mux{socks: socks, queue: newQueue()}
}

// LocalAddr returns the address the sockets are bound to.
func (m *Mux) LocalAddr() net.Addr { return m.socks[0].conn().LocalAddr() }

// Buffers returns what the kernel gave the sockets that Listen opened; the zero value of others.
func (m *Mux) Buffers() Buffers { return m.buffers }

// QUIC returns the connection to give to quic.Transport.Conn: it reads whatever is not a sealed packet, while
// Serve runs. On Linux, after Listen, it is a quic.OOBCapablePacketConn with ReadBatch, so that quic-go has
// ECN, GSO and path MTU discovery as on a plain UDP socket. Its Close closes the Mux.
func (m *Mux) QUIC() net.PacketConn { return m.quic }

// OnQUIC has f be called with each datagram that was sent through QUIC(), and its control messages; f keeps
// neither. It is set before anything is sent.
func (m *Mux) OnQUIC(f func(p, oob []byte, to netip.AddrPort)) { m.wrote = f }

// SendQUIC sends a datagram as it was sent through QUIC() before. It may get lost.
func (m *Mux) SendQUIC(p, oob []byte, to netip.AddrPort) { _ = m.quic.again(p, oob, to) }

// Serve receives until Close, with one goroutine a socket, and returns when all of them are done: nil after
// Close, otherwise what failed; the Mux is closed then. It may be called once.
func (m *Mux) Serve(h Handler) error {
	if !m.serving.CompareAndSwap(false, true) {
		return errors.New("udp: Serve was called before: a Mux has one handler")
	}
	errs := make([]error, len(m.socks))
	var wg sync.WaitGroup
	for i, s := range m.socks {
		wg.Go(func() {
			errs[i] = m.serve(s, h)
			m.Close() // one loop that fails ends the others: half a port would lose half the peers
		})
	}
	wg.Wait()
	for _, err := range errs {
		if !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	return nil
}

// NewBatch returns a Batch for sending outside of Serve's handler, such as from timers.
func (m *Mux) NewBatch() *Batch {
	i := m.batches.Add(1) - 1
	return newBatch(m.socks[int(i%uint32(len(m.socks)))])
}

// Close closes all sockets. Serve and reads of QUIC() return; batches drop what they are given. It does not
// wait for Serve, so that a handler may call it.
func (m *Mux) Close() error {
	m.closeOnce.Do(func() {
		m.queue.close()
		errs := make([]error, 0, len(m.socks))
		for _, s := range m.socks {
			if err := s.conn().Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
		m.closeErr = errors.Join(errs...)
	})
	return m.closeErr
}

// Stats returns the sums over all sockets.
func (m *Mux) Stats() Stats {
	var s Stats
	for _, sock := range m.socks {
		sock.counters().addTo(&s)
	}
	s.QUICIn, s.QUICDropped = m.queue.in.Load(), m.queue.dropped.Load()
	s.Oversized += m.queue.truncated.Load()
	return s
}

const (
	// maxFailures is how often in a row receiving may fail. A relay must survive an interface that goes away
	// for a moment, and on some systems each packet sent to a closed port makes one receive call fail.
	maxFailures = 1000
	// quickFailures of them are retried at once, the others after failurePause.
	quickFailures = 64
	failurePause  = time.Millisecond
)

// serve receives until a socket fails or is closed.
func (m *Mux) serve(s socket, h Handler) error {
	read := s.reader(m.queue, h, newBatch(s))
	for failures := 0; ; {
		switch err := read(); {
		case err == nil:
			failures = 0
		case errors.Is(err, net.ErrClosed) || failures == maxFailures:
			return err
		default:
			s.counters().receiveErrors.Add(1)
			if failures++; failures > quickFailures {
				time.Sleep(failurePause)
			}
		}
	}
}
