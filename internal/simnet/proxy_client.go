package simnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// client is one source address at the listening socket. Its fields are guarded by Proxy.mu but
// for addr and number, which do not change.
type client struct {
	addr     netip.AddrPort
	number   uint64       // counts up from 0 in the order in which clients came
	upstream *net.UDPConn // connected to the target
	channels [2]*Channel  // by Direction.index
	last     time.Time    // of its latest packet, either way
	expired  bool         // its counts have been taken; nothing more may be counted
}

// seeded returns p with a seed for this client and direction alone.
func (c *client) seeded(p Profile, direction int) Profile {
	p.Seed = mixSeed(p.Seed, c.number, uint64(direction))
	return p
}

func (c *client) block(blocked Direction) {
	c.channels[Up.index()].Block(blocked&Up != 0)
	c.channels[Down.index()].Block(blocked&Down != 0)
}

// readClients forwards what comes to the listening socket.
func (p *Proxy) readClients() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := p.listener.ReadFromUDPAddrPort(buf)
		if err != nil {
			if p.pause(err) {
				return
			}
			continue
		}
		now := time.Now()
		c := p.clientAt(from, now)
		if c != nil {
			p.forward(c, Up, buf[:n], now)
		}
	}
}

// readTarget forwards what comes back to a client's upstream socket until that is closed.
func (p *Proxy) readTarget(c *client, upstream *net.UDPConn) {
	buf := make([]byte, 1<<16)
	for {
		n, err := upstream.Read(buf)
		if err != nil {
			if p.pause(err) {
				return
			}
			continue
		}
		p.forward(c, Down, buf[:n], time.Now())
	}
}

// pause reports whether err ends a reader. Other errors pass, as the one that says that nobody
// listens at the target just now; after a pause, lest a lasting one makes readers spin.
func (p *Proxy) pause(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return true
	}
	select {
	case <-p.stop:
		return true
	case <-time.After(time.Millisecond):
		return false
	}
}

// clientAt returns the client with that address, a new one if need be, or nil when there are too
// many. Only readClients calls it.
func (p *Proxy) clientAt(addr netip.AddrPort, now time.Time) *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.clients[addr]; c != nil {
		return c
	}
	if p.closed {
		return nil
	}
	if len(p.clients) >= p.limits.clients {
		p.expireLocked(now)
	}
	if len(p.clients) >= p.limits.clients {
		p.stats.ClientsRefused++
		return nil
	}
	upstream, err := p.dial()
	if err != nil { // out of sockets: the same to the client as too many clients
		p.stats.ClientsRefused++
		return nil
	}
	c := &client{addr: addr, number: p.stats.ClientsTotal, upstream: upstream, last: now}
	for i := range c.channels {
		c.channels[i] = new(Channel)
		c.channels[i].reset(c.seeded(p.profiles[i], i)) // the profiles are valid
	}
	c.block(p.blocked)
	p.clients[addr] = c
	p.stats.ClientsTotal++
	p.running.Go(func() { p.readTarget(c, upstream) })
	return c
}

// dial opens an upstream socket on a port of its own.
func (p *Proxy) dial() (*net.UDPConn, error) {
	conn, err := net.DialUDP("udp", nil, p.target)
	if err != nil {
		return nil, fmt.Errorf("cannot open a socket to %v: %w", p.target, err)
	}
	setBuffers(conn)
	return conn, nil
}

// expire forgets idle clients now and then.
func (p *Proxy) expire() {
	ticker := time.NewTicker(max(p.idle/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-ticker.C:
			p.mu.Lock()
			p.expireLocked(now)
			p.mu.Unlock()
		}
	}
}

func (p *Proxy) expireLocked(now time.Time) {
	for addr, c := range p.clients {
		if now.Sub(c.last) < p.idle {
			continue
		}
		c.upstream.Close()
		p.stats.Up.Add(c.channels[Up.index()].Counters())
		p.stats.Down.Add(c.channels[Down.index()].Counters())
		p.stats.ClientsExpired++
		c.expired = true
		delete(p.clients, addr)
	}
}
