package simnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	defaultMaxClients    = 256
	defaultIdle          = 2 * time.Minute
	defaultInFlightBytes = 64 << 20

	socketBuffer = 4 << 20 // bytes asked for; systems may give less
)

// ProxyConfig configures a [Proxy].
type ProxyConfig struct {
	Listen   string  // UDP address for clients, HOST:PORT; port 0 is any
	To       string  // UDP address of the target, HOST:PORT
	Up, Down Profile // client to target, and back

	MaxClients    int           // more are refused; 0 for 256
	Idle          time.Duration // a client with no packet either way for so long is forgotten; 0 for 2 minutes
	InFlightBytes int           // buffers of packets under way, both directions; 0 for 64 MiB
}

// ProxyStats counts since the start.
type ProxyStats struct {
	Up, Down       ProxyDirectionStats
	Clients        int    // at present
	ClientsTotal   uint64 // ever
	ClientsExpired uint64
	ClientsRefused uint64 // packets of new clients while MaxClients were there
	Rebinds        uint64 // calls to Rebind
}

// ProxyDirectionStats counts one direction. Once nothing is being written,
// Delivered + Duplicated = Out + Failed + Overflow + InFlight.
type ProxyDirectionStats struct {
	Counters
	Out      uint64 // packets written to the other side, second copies included
	BytesOut uint64 // with HeaderBytes each
	Failed   uint64 // packets that the socket refused, as when nobody listens at the target
	Overflow uint64 // packets dropped because InFlightBytes were under way
	InFlight uint64 // packets under way
}

// Proxy forwards UDP between clients and one target, through a [Channel] per client and
// direction: every client has a path of its own, and as the target sees it an address of its own.
// ECN marks do not survive it. Sizes of datagrams do.
//
// Four kinds of goroutine, all waited for by Close: one reads the listening socket, one per client
// reads its upstream socket, one writes what is due, one forgets idle clients.
type Proxy struct {
	listener *net.UDPConn
	target   *net.UDPAddr
	idle     time.Duration
	limits   struct{ clients, bytes int }

	stop    chan struct{} // closed by Close
	wake    chan struct{} // capacity 1: an earlier packet came than the writer waits for
	running sync.WaitGroup
	buffers sync.Pool // of *datagram with room for pooledSize bytes
	up      output
	down    output

	mu          sync.Mutex // guards all below
	closed      bool
	profiles    [2]Profile // by index()
	blocked     Direction
	clients     map[netip.AddrPort]*client
	flight      schedule[outgoing]
	flightBytes int
	writerUntil time.Time  // when the writer looks again by itself; zero while it works
	stats       ProxyStats // without the channels of present clients and without outputs
}

// output counts what the writer did for one direction.
type output struct {
	packets, bytes, failed atomic.Uint64
}

// ListenProxy opens the listening socket and starts forwarding.
func ListenProxy(cfg ProxyConfig) (*Proxy, error) {
	for _, d := range []struct {
		name    string
		profile Profile
	}{{"up", cfg.Up}, {"down", cfg.Down}} {
		if err := d.profile.Validate(); err != nil {
			return nil, fmt.Errorf("simnet: %s: %w", d.name, err)
		}
	}
	target, err := net.ResolveUDPAddr("udp", cfg.To)
	if err != nil {
		return nil, fmt.Errorf("cannot forward to %q: %w", cfg.To, err)
	}
	if target.Port == 0 || target.IP == nil {
		return nil, fmt.Errorf("cannot forward to %q: give a host and a port, such as 127.0.0.1:4433", cfg.To)
	}
	listener, err := listenUDP(cfg.Listen)
	if err != nil {
		return nil, err
	}
	if listener.LocalAddr().String() == target.String() {
		listener.Close()
		return nil, fmt.Errorf("cannot forward %v to itself: give another address to forward to", target)
	}
	p := &Proxy{
		listener: listener,
		target:   target,
		idle:     cfg.Idle,
		stop:     make(chan struct{}),
		wake:     make(chan struct{}, 1),
		profiles: [2]Profile{cfg.Up, cfg.Down},
		clients:  make(map[netip.AddrPort]*client),
	}
	p.buffers.New = func() any { return &datagram{buf: make([]byte, 0, pooledSize)} }
	if p.idle <= 0 {
		p.idle = defaultIdle
	}
	if p.limits.clients = cfg.MaxClients; p.limits.clients <= 0 {
		p.limits.clients = defaultMaxClients
	}
	if p.limits.bytes = cfg.InFlightBytes; p.limits.bytes <= 0 {
		p.limits.bytes = defaultInFlightBytes
	}
	p.running.Go(p.readClients)
	p.running.Go(p.write)
	p.running.Go(p.expire)
	return p, nil
}

func listenUDP(address string) (*net.UDPConn, error) {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	conn, err := net.ListenUDP("udp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("cannot listen on %s: the port is in use; choose another, or port 0 for any", address)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	setBuffers(conn)
	return conn, nil
}

// setBuffers asks for large socket buffers. What the system gives will do: the kernel drops what
// does not fit, as it would anyway.
func setBuffers(conn *net.UDPConn) {
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
}

// Addr returns the address that clients send to.
func (p *Proxy) Addr() netip.AddrPort {
	return unmap(p.listener.LocalAddr().(*net.UDPAddr).AddrPort())
}

// Target returns the resolved address that packets are forwarded to.
func (p *Proxy) Target() netip.AddrPort { return unmap(p.target.AddrPort()) }

// Close stops forwarding, discards what is under way and waits for every goroutine. Stats works
// afterwards, too.
func (p *Proxy) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return net.ErrClosed
	}
	p.closed = true
	close(p.stop)
	for _, c := range p.clients {
		c.upstream.Close()
	}
	p.mu.Unlock()
	err := p.listener.Close()
	p.running.Wait()
	return err
}

// SetProfile changes both directions for all clients, as [Channel.SetProfile].
func (p *Proxy) SetProfile(up, down Profile) error {
	if err := up.Validate(); err != nil {
		return fmt.Errorf("simnet: up: %w", err)
	}
	if err := down.Validate(); err != nil {
		return fmt.Errorf("simnet: down: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.profiles = [2]Profile{up, down}
	for _, c := range p.clients {
		for i, ch := range c.channels {
			if err := ch.SetProfile(c.seeded(p.profiles[i], i)); err != nil {
				return fmt.Errorf("simnet: %w", err)
			}
		}
	}
	return nil
}

// Block makes a direction, or both, refuse every packet, or ends that. What is under way still
// arrives.
func (p *Proxy) Block(d Direction, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocked &^= d
	if on {
		p.blocked |= d
	}
	for _, c := range p.clients {
		c.block(p.blocked)
	}
}

// Rebind gives every client a new upstream socket, so that the target sees them all move to new
// ports at once; what the target still sends to the old ones is lost, as behind a NAT that has
// forgotten a mapping. A client for which that fails keeps its socket.
func (p *Proxy) Rebind() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.stats.Rebinds++
	for _, c := range p.clients {
		upstream, err := p.dial() // before the old port is free, so that it is another one
		if err != nil {
			return err
		}
		c.upstream.Close()
		c.upstream = upstream
		p.running.Go(func() { p.readTarget(c, upstream) })
	}
	return nil
}

// Stats returns the counts so far.
func (p *Proxy) Stats() ProxyStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Clients = len(p.clients)
	for _, c := range p.clients {
		s.Up.Add(c.channels[Up.index()].Counters())
		s.Down.Add(c.channels[Down.index()].Counters())
	}
	p.up.addTo(&s.Up)
	p.down.addTo(&s.Down)
	return s
}

func (o *output) addTo(s *ProxyDirectionStats) {
	s.Out += o.packets.Load()
	s.BytesOut += o.bytes.Load()
	s.Failed += o.failed.Load()
}

// index returns 0 for Up and 1 for Down.
func (d Direction) index() int { return int(d>>1) & 1 }

func (s *ProxyStats) direction(d Direction) *ProxyDirectionStats {
	if d == Up {
		return &s.Up
	}
	return &s.Down
}
