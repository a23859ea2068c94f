package simnet

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const socketBuffer = 4 << 20 // bytes asked for; systems may give less

// ProxyConfig configures a [Proxy].
type ProxyConfig struct {
	Listen   string  // UDP address for clients, HOST:PORT; port 0 is any
	To       string  // UDP address of the target, HOST:PORT
	Up, Down Profile // client to target, and back

	MaxClients    int           // more are refused; 0 for 256
	Idle          time.Duration // so long without a packet, a client may make room for another; 0: 2 min
	InFlightBytes int           // of packets under way, both directions; 0 for 64 MiB
}

// ProxyStats counts since the start.
type ProxyStats struct {
	Up             ProxyDirectionStats `json:"up"`
	Down           ProxyDirectionStats `json:"down"`
	Clients        int                 `json:"-"`       // at present
	ClientsTotal   uint64              `json:"clients"` // ever
	ClientsExpired uint64              `json:"clients_expired"`
	ClientsRefused uint64              `json:"clients_refused"` // packets of clients beyond MaxClients
	Rebinds        uint64              `json:"rebinds"`         // calls to Rebind
}

// ProxyDirectionStats counts one direction. Delivered + Duplicated = Out + Failed + Overflow + InFlight.
type ProxyDirectionStats struct {
	Counters
	Failed   uint64 `json:"packets_failed"`    // packets that the socket refused
	Overflow uint64 `json:"-"`                 // packets dropped because InFlightBytes were under way
	InFlight uint64 `json:"packets_in_flight"` // packets under way
	Out      uint64 `json:"packets_out"`       // packets written to the other side, second copies included
	BytesOut uint64 `json:"bytes_out"`         // with HeaderBytes each
}

// Proxy forwards UDP between clients and one target, through a [Channel] per client and direction: every
// client has a path of its own, and as the target sees it an address of its own. ECN marks do not survive it.
// Sizes of datagrams do. A packet may arrive a millisecond later than the channel says: Go's timers are no
// more precise.
//
// Three kinds of goroutine, all waited for by Close: one reads the listening socket, one per client reads its
// upstream socket, one writes what is due.
type Proxy struct {
	config   ProxyConfig
	listener *net.UDPConn
	target   *net.UDPAddr

	stop    chan struct{} // closed by Close
	wake    chan struct{} // capacity 1: a packet came, for which the writer may have to wake up earlier
	running sync.WaitGroup

	mu          sync.Mutex // guards all below
	closed      bool
	profiles    [2]Profile // by index, as all arrays here
	blocked     Direction
	clients     map[netip.AddrPort]*client
	flight      schedule[outgoing]
	flightBytes int // of packets under way
	counts      [2]ProxyDirectionStats
	stats       ProxyStats // without those, and without the channels of present clients
}

// ListenProxy opens the listening socket and starts forwarding.
func ListenProxy(cfg ProxyConfig) (*Proxy, error) {
	p := &Proxy{
		stop: make(chan struct{}), wake: make(chan struct{}, 1), clients: make(map[netip.AddrPort]*client),
	}
	if err := p.SetProfile(cfg.Up, cfg.Down); err != nil {
		return nil, err
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
	cfg.MaxClients = cmp.Or(cfg.MaxClients, 256)
	cfg.Idle = cmp.Or(cfg.Idle, 2*time.Minute)
	cfg.InFlightBytes = cmp.Or(cfg.InFlightBytes, 64<<20)
	p.config, p.listener, p.target = cfg, listener, target
	p.running.Go(func() { p.receive(listener, Up, p.clientAt) })
	p.running.Go(p.write)
	return p, nil
}

func listenUDP(address string) (*net.UDPConn, error) {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	conn, err := net.ListenUDP("udp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("cannot listen on %s: the port is in use; choose another, or port 0 for any",
			address)
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
func (p *Proxy) Addr() netip.AddrPort { return unmap(p.listener.LocalAddr().(*net.UDPAddr).AddrPort()) }

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
	profiles := [2]Profile{up, down}
	for i, d := range []Direction{Up, Down} {
		if err := profiles[i].Validate(); err != nil {
			return fmt.Errorf("simnet: %v: %w", d, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.profiles = profiles
	for _, c := range p.clients {
		for i, channel := range c.channels {
			if err := channel.SetProfile(c.seeded(profiles[i], i)); err != nil {
				return fmt.Errorf("simnet: %w", err)
			}
		}
	}
	return nil
}

// Block makes a direction, or both, refuse every packet, or ends that. What is under way still arrives.
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
		p.serve(c)
	}
	return nil
}

// Stats returns the counts so far.
func (p *Proxy) Stats() ProxyStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := p.counts
	for _, c := range p.clients {
		c.addTo(&counts)
	}
	s := p.stats
	s.Clients, s.Up, s.Down = len(p.clients), counts[Up.index()], counts[Down.index()]
	return s
}

// index returns 0 for Up and 1 for Down.
func (d Direction) index() int { return int(d>>1) & 1 }
