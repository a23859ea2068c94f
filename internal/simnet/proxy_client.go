package simnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// client is one source address at the listening socket. Its fields are guarded by Proxy.mu but
// for addr, number and channels, which do not change.
type client struct {
	addr     netip.AddrPort
	number   uint64       // counts up from 0 in the order in which clients came
	channels [2]*Channel  // of which all else is guarded by Proxy.mu
	upstream *net.UDPConn // connected to the target
	last     time.Time    // of its latest packet, either way
	expired  bool         // its counts have been taken; nothing more may be counted
}

// seeded returns p with a seed for this client and direction alone.
func (c *client) seeded(p Profile, direction int) Profile {
	p.Seed = mixSeed(p.Seed, c.number, uint64(direction))
	return p
}

func (c *client) block(blocked Direction) {
	for _, d := range []Direction{Up, Down} {
		c.channels[d.index()].Block(blocked&d != 0)
	}
}

func (c *client) addTo(counts *[2]ProxyDirectionStats) {
	for i, channel := range c.channels {
		counts[i].Add(channel.Counters())
	}
}

// receive forwards what comes to a socket until that is closed. Whose packet it is clientOf says; nil:
// nobody's.
func (p *Proxy) receive(conn *net.UDPConn, d Direction, clientOf func(netip.AddrPort, time.Time) *client) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// Such as that nobody listens at the target just now. After a pause, lest a lasting error makes
			// this spin.
			select {
			case <-p.stop:
				return
			case <-time.After(time.Millisecond):
			}
			continue
		}
		now := time.Now()
		if c := clientOf(from, now); c != nil {
			p.forward(c, d, buf[:n], now)
		}
	}
}

// clientAt returns the client with that address, a new one if need be, or nil when there are too
// many. Only the goroutine of the listening socket calls it.
func (p *Proxy) clientAt(addr netip.AddrPort, now time.Time) *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.clients[addr]; c != nil {
		return c
	}
	if p.closed {
		return nil
	}
	if len(p.clients) >= p.config.MaxClients {
		p.expireLocked(now)
	}
	if len(p.clients) >= p.config.MaxClients {
		p.stats.ClientsRefused++
		return nil
	}
	upstream, err := p.dial()
	if err != nil { // out of sockets: the same to the client as too many clients
		p.stats.ClientsRefused++
		return nil
	}
	c := &client{addr: addr, number: p.stats.ClientsTotal, upstream: upstream, last: now}
	for i, profile := range p.profiles {
		c.channels[i] = new(Channel)
		c.channels[i].reset(c.seeded(profile, i))
	}
	c.block(p.blocked)
	p.clients[addr] = c
	p.stats.ClientsTotal++
	p.serve(c)
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

// serve forwards what comes back to a client's upstream socket.
func (p *Proxy) serve(c *client) {
	upstream := c.upstream
	p.running.Go(func() {
		p.receive(upstream, Down, func(netip.AddrPort, time.Time) *client { return c })
	})
}

// expireLocked forgets idle clients.
func (p *Proxy) expireLocked(now time.Time) {
	for addr, c := range p.clients {
		if now.Sub(c.last) < p.config.Idle {
			continue
		}
		c.upstream.Close()
		c.addTo(&p.counts)
		c.expired = true
		p.stats.ClientsExpired++
		delete(p.clients, addr)
	}
}
