package simnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// receiveQueue bounds the packets that wait in a Conn to be read.
	receiveQueue = 1024
	// maxInFlight bounds the packets on their way in a Network.
	maxInFlight = 1 << 16

	firstEphemeralPort = 49152
)

// Stats counts what happened on one direction of a path of a [Network]. Of the copies that the channel lets
// through, Arrived reached a receive queue; the others are named below or still under way.
type Stats struct {
	Counters
	Arrived         uint64
	Unreachable     uint64 // nobody had the address when they got there
	ReceiveOverflow uint64 // the receiver's queue was full
	Overflow        uint64 // too many packets were under way in the whole network
}

// TapFunc sees a packet: when it is dropped, with delivered false, and otherwise when it reaches
// its receiver, with delivered telling whether anybody took it; a duplicated packet comes twice.
// It may be called from several goroutines at once and may call the network, but not close it. It
// may keep payload but must not write to it.
type TapFunc func(from, to netip.AddrPort, payload []byte, delivered bool)

// Network carries packets between its Conns in memory. A path leads from one host, which is an IP
// address, to another; every port of the two shares its capacity. It runs on the clock of the
// time package alone, and so in virtual time inside a testing/synctest bubble, where it must be
// made inside that bubble and closed there.
type Network struct {
	delivering sync.WaitGroup // deliverDue, running or to be called by the timer

	mu        sync.Mutex // guards all below and every Conn's fields
	closed    bool
	fallback  Profile
	paths     map[hostPair]*path
	conns     map[netip.AddrPort]*Conn
	flight    schedule[packet]
	timer     *time.Timer // calls deliverDue when the first packet in flight is due
	timerAt   time.Time   // when that is; zero when the timer is not set
	tap       TapFunc
	ephemeral uint16
}

type hostPair struct{ from, to netip.Addr }

// path is one direction between two hosts.
type path struct {
	channel *Channel
	own     bool // it has a profile of its own, and not the fallback
	stats   Stats
}

// packet is on its way, or waits in a Conn. Its payload is never written to.
type packet struct {
	from, to netip.AddrPort
	payload  []byte
	path     *path
}

// NewNetwork returns a network all of whose paths have the profile p until SetPath says otherwise.
func NewNetwork(p Profile) (*Network, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("simnet: %w", err)
	}
	n := &Network{
		fallback:  p,
		paths:     make(map[hostPair]*path),
		conns:     make(map[netip.AddrPort]*Conn),
		ephemeral: firstEphemeralPort,
	}
	n.timer = time.AfterFunc(time.Hour, n.deliverDue)
	n.timer.Stop()
	return n, nil
}

// Close closes every Conn, discards what is under way and waits until nothing of the network runs.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	n.stopTimerLocked()
	n.flight = schedule[packet]{}
	conns := slices.Collect(maps.Values(n.conns))
	n.mu.Unlock()
	n.delivering.Wait()
	for _, c := range conns {
		c.Close()
	}
	return nil
}

// Listen returns a Conn with the address addr, which must be a specific one; port 0 is any free
// port of 49152 and above.
func (n *Network) Listen(addr netip.AddrPort) (*Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr, err := n.freeAddrLocked(addr)
	if err != nil {
		return nil, err
	}
	c := newConn(n, addr)
	n.conns[addr] = c
	return c, nil
}

// freeAddrLocked returns addr as a new Conn may have it.
func (n *Network) freeAddrLocked(addr netip.AddrPort) (netip.AddrPort, error) {
	addr = unmap(addr)
	if n.closed {
		return addr, net.ErrClosed
	}
	if !addr.IsValid() || addr.Addr().IsUnspecified() {
		return addr, fmt.Errorf("simnet: cannot listen on %v: give one address, such as 10.0.0.1:4433", addr)
	}
	if addr.Port() != 0 {
		if n.conns[addr] != nil {
			return addr, fmt.Errorf("simnet: address %v is already in use", addr)
		}
		return addr, nil
	}
	for range 1<<16 - firstEphemeralPort {
		addr = netip.AddrPortFrom(addr.Addr(), n.ephemeral)
		n.ephemeral = max(firstEphemeralPort, n.ephemeral+1) // wraps around to 0
		if n.conns[addr] == nil {
			return addr, nil
		}
	}
	return addr, fmt.Errorf("simnet: no free port on %v", addr.Addr())
}

// SetDefault changes the profile of all paths that have none of their own.
func (n *Network) SetDefault(p Profile) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("simnet: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fallback = p
	for pair, path := range n.paths {
		if path.own {
			continue
		}
		if err := path.channel.SetProfile(pair.seeded(p)); err != nil {
			return fmt.Errorf("simnet: %w", err)
		}
	}
	return nil
}

// SetPath gives the direction from one host to another a profile of its own; on a path in use it
// works as [Channel.SetProfile].
func (n *Network) SetPath(from, to netip.Addr, p Profile) error {
	pair := hostPair{from.Unmap(), to.Unmap()}
	n.mu.Lock()
	defer n.mu.Unlock()
	path := n.pathLocked(pair)
	if err := path.channel.SetProfile(pair.seeded(p)); err != nil {
		return fmt.Errorf("simnet: path from %v to %v: %w", from, to, err)
	}
	path.own = true
	return nil
}

// SetPaths is SetPath in both directions.
func (n *Network) SetPaths(a, b netip.Addr, p Profile) error {
	return errors.Join(n.SetPath(a, b, p), n.SetPath(b, a, p))
}

// Block makes the direction from one host to another refuse every packet, or ends that. What is
// under way still arrives.
func (n *Network) Block(from, to netip.Addr, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pathLocked(hostPair{from.Unmap(), to.Unmap()}).channel.Block(on)
}

// Partition is Block in both directions.
func (n *Network) Partition(a, b netip.Addr, on bool) {
	n.Block(a, b, on)
	n.Block(b, a, on)
}

// Stats returns the counts of the direction from one host to another.
func (n *Network) Stats(from, to netip.Addr) Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	path := n.paths[hostPair{from.Unmap(), to.Unmap()}]
	if path == nil {
		return Stats{}
	}
	s := path.stats
	s.Counters = path.channel.Counters()
	return s
}

// SetTap makes tap see every packet from now on; nil ends that.
func (n *Network) SetTap(tap TapFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tap = tap
}

// Inject sends a copy of payload over the path from one address to another, whoever has them: a
// spoofed packet.
func (n *Network) Inject(from, to netip.AddrPort, payload []byte) error {
	return n.send(unmap(from), unmap(to), payload)
}

func (n *Network) pathLocked(pair hostPair) *path {
	if p := n.paths[pair]; p != nil {
		return p
	}
	channel := new(Channel)
	channel.reset(pair.seeded(n.fallback)) // the fallback is valid
	p := &path{channel: channel}
	n.paths[pair] = p
	return p
}

// seeded returns p with a seed for this pair alone.
func (h hostPair) seeded(p Profile) Profile {
	parts := make([]uint64, 0, 4)
	for _, addr := range []netip.Addr{h.from, h.to} {
		b := addr.As16()
		parts = append(parts, binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]))
	}
	p.Seed = mixSeed(p.Seed, parts...)
	return p
}

// sighting is what a tap is to be told once the lock is released.
type sighting struct {
	packet    packet
	delivered bool
}

func (n *Network) send(from, to netip.AddrPort, payload []byte) error {
	if !from.IsValid() || !to.IsValid() {
		return fmt.Errorf("simnet: cannot send from %v to %v: not an address", from, to)
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return net.ErrClosed
	}
	path := n.pathLocked(hostPair{from.Addr(), to.Addr()})
	p := packet{from: from, to: to, payload: slices.Clone(payload), path: path}
	v := path.channel.Send(time.Now(), len(payload))
	var seen []sighting
	if v.Copies == 0 {
		seen = append(seen, sighting{p, false})
	}
	for range v.Copies {
		if n.flight.Len() >= maxInFlight {
			path.stats.Overflow++
			seen = append(seen, sighting{p, false})
			continue
		}
		n.flight.push(v.At, p)
	}
	n.deliverAndUnlock(seen)
	return nil
}

// deliverDue runs when the timer goes off.
func (n *Network) deliverDue() {
	defer n.delivering.Done()
	n.mu.Lock()
	n.timerAt = time.Time{}
	n.deliverAndUnlock(nil)
}

// deliverAndUnlock hands over what is due and sets the timer for what is not. Then it releases the lock, and
// tells the tap what was seen.
func (n *Network) deliverAndUnlock(seen []sighting) {
	now := time.Now()
	for {
		p, ok := n.flight.pop(now)
		if !ok {
			break
		}
		seen = append(seen, sighting{p, n.handOverLocked(p)})
	}
	if n.flight.Len() > 0 {
		if next := n.flight.next(); n.timerAt.IsZero() || next.Before(n.timerAt) {
			n.stopTimerLocked()
			n.delivering.Add(1)
			n.timerAt = next
			n.timer.Reset(next.Sub(now))
		}
	}
	tap := n.tap
	n.mu.Unlock()
	if tap == nil {
		return
	}
	for _, s := range seen {
		tap(s.packet.from, s.packet.to, s.packet.payload, s.delivered)
	}
}

// stopTimerLocked unsets the timer. Its function may still be called if it is just going off.
func (n *Network) stopTimerLocked() {
	n.timerAt = time.Time{}
	if n.timer.Stop() {
		n.delivering.Done()
	}
}

func (n *Network) handOverLocked(p packet) bool {
	c := n.conns[p.to]
	switch {
	case c == nil:
		p.path.stats.Unreachable++
		return false
	case len(c.queue) >= receiveQueue:
		p.path.stats.ReceiveOverflow++
		return false
	}
	c.queue = append(c.queue, p)
	c.readable.Signal()
	p.path.stats.Arrived++
	return true
}

// unmap makes ::ffff:10.0.0.1 and 10.0.0.1 one address.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
