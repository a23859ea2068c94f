package simnet

import (
	"errors"
	"net"
	"syscall"
	"time"
)

const (
	// pooledSize is the room in a reused buffer: any packet that is not fragmented on Ethernet.
	pooledSize = 2048
	// writeBatch is how many packets the writer takes out under one lock.
	writeBatch = 64
)

// outgoing is a packet under way.
type outgoing struct {
	client    *client
	direction Direction
	copies    int
	payload   []byte

	upstream *net.UDPConn // the client's when the packet is due
	failed   int          // copies that the socket refused
}

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
	count := &p.counts[d.index()]
	if p.flightBytes+max(len(payload), pooledSize) > p.config.InFlightBytes {
		count.Overflow += uint64(v.Copies)
		return
	}
	var buf []byte
	if n := len(p.free) - 1; n >= 0 && len(payload) <= pooledSize {
		buf, p.free = p.free[n], p.free[:n]
	} else {
		buf = make([]byte, 0, max(len(payload), pooledSize))
	}
	p.flightBytes += cap(buf)
	count.InFlight += uint64(v.Copies)
	p.flight.push(v.At, outgoing{client: c, direction: d, copies: v.Copies, payload: append(buf, payload...)})
	if !p.writerUntil.IsZero() && v.At.Before(p.writerUntil) {
		p.writerUntil = time.Time{} // one wake-up is enough
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// write sends packets when they are due.
func (p *Proxy) write() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	batch := make([]outgoing, 0, writeBatch)
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		var wait time.Duration
		if batch, wait = p.due(batch[:0]); len(batch) > 0 {
			for i := range batch {
				p.send(&batch[i])
			}
			p.release(batch)
			continue
		}
		timer.Reset(wait)
		select {
		case <-p.stop:
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// due appends what is due to batch. If that is nothing, it returns how long the writer may wait.
func (p *Proxy) due(batch []outgoing) ([]outgoing, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.writerUntil = time.Time{}
	for len(batch) < cap(batch) {
		o, ok := p.flight.pop(now)
		if !ok {
			break
		}
		o.upstream = o.client.upstream
		batch = append(batch, o)
	}
	if len(batch) > 0 {
		return batch, 0
	}
	p.writerUntil = now.Add(time.Hour)
	if p.flight.len() > 0 {
		p.writerUntil = p.flight.next()
	}
	return batch, p.writerUntil.Sub(now)
}

// send writes all copies of a packet.
func (p *Proxy) send(o *outgoing) {
	for range o.copies {
		if p.sendCopy(o) != nil {
			o.failed++
		}
	}
}

func (p *Proxy) sendCopy(o *outgoing) error {
	if o.direction == Down {
		_, err := p.listener.WriteToUDPAddrPort(o.payload, o.client.addr)
		return err
	}
	_, err := o.upstream.Write(o.payload)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		// That is the answer to an earlier packet, and this one was not sent.
		_, err = o.upstream.Write(o.payload)
	case errors.Is(err, net.ErrClosed): // Rebind came between
		p.mu.Lock()
		o.upstream = o.client.upstream
		p.mu.Unlock()
		_, err = o.upstream.Write(o.payload)
	}
	return err
}

// release counts the packets of a batch, and gives their buffers back.
func (p *Proxy) release(batch []outgoing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range batch {
		count, sent := &p.counts[o.direction.index()], uint64(o.copies-o.failed)
		count.InFlight -= uint64(o.copies)
		count.Failed += uint64(o.failed)
		count.Out += sent
		count.BytesOut += sent * uint64(len(o.payload)+HeaderBytes)
		p.flightBytes -= cap(o.payload)
		if cap(o.payload) == pooledSize {
			p.free = append(p.free, o.payload[:0])
		}
		batch[i] = outgoing{}
	}
}
