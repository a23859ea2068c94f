package simnet

import (
	"errors"
	"net"
	"slices"
	"syscall"
	"time"
)

// leastSize is as how many bytes a packet under way counts at least.
const leastSize = 2048

// outgoing is a packet under way.
type outgoing struct {
	client    *client
	direction Direction
	copies    int
	payload   []byte
}

// size is as how many bytes the packet counts.
func (o *outgoing) size() int { return max(len(o.payload), leastSize) }

// forward puts a packet that was read at now through the client's channel.
func (p *Proxy) forward(c *client, d Direction, payload []byte, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.expired {
		return
	}
	c.last = now
	v := c.channels[d.index()].Send(now, len(payload))
	if v.Copies == 0 {
		return
	}
	count, o := &p.counts[d.index()], outgoing{c, d, v.Copies, slices.Clone(payload)}
	if p.flightBytes+o.size() > p.config.InFlightBytes {
		count.Overflow += uint64(v.Copies)
		return
	}
	p.flightBytes += o.size()
	count.InFlight += uint64(v.Copies)
	p.flight.push(v.At, o)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// write sends packets when they are due.
func (p *Proxy) write() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.sendDue())
		select {
		case <-p.stop:
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// sendDue sends what is due, and returns how long the writer may wait for more.
func (p *Proxy) sendDue() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed {
		now := time.Now()
		o, ok := p.flight.pop(now)
		if !ok && p.flight.Len() > 0 {
			return p.flight.next().Sub(now)
		}
		if !ok {
			break
		}
		upstream := o.client.upstream
		p.mu.Unlock() // while it is written
		failed := 0
		for range o.copies {
			if p.send(&o, upstream) != nil {
				failed++
			}
		}
		p.mu.Lock()
		count, sent := &p.counts[o.direction.index()], uint64(o.copies-failed)
		count.InFlight -= uint64(o.copies)
		count.Failed += uint64(failed)
		count.Out += sent
		count.BytesOut += sent * uint64(len(o.payload)+HeaderBytes)
		p.flightBytes -= o.size()
	}
	return time.Hour
}

// send writes one copy of a packet. upstream is the client's when the packet was due.
func (p *Proxy) send(o *outgoing, upstream *net.UDPConn) error {
	if o.direction == Down {
		_, err := p.listener.WriteToUDPAddrPort(o.payload, o.client.addr)
		return err
	}
	_, err := upstream.Write(o.payload)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		// That is the answer to an earlier packet, and this one was not sent.
		_, err = upstream.Write(o.payload)
	case errors.Is(err, net.ErrClosed): // Rebind came between
		p.mu.Lock()
		upstream = o.client.upstream
		p.mu.Unlock()
		_, err = upstream.Write(o.payload)
	}
	return err
}
