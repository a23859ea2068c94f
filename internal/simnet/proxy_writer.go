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

// datagram is a payload under way, owned by the one outgoing that holds it.
type datagram struct {
	buf []byte
}

// outgoing is a packet under way.
type outgoing struct {
	client    *client
	direction Direction
	copies    int
	data      *datagram

	upstream *net.UDPConn // the client's when the packet is due; set by the writer
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
	if p.flightBytes+max(len(payload), pooledSize) > p.limits.bytes {
		p.stats.direction(d).Overflow += uint64(v.Copies)
		return
	}
	data := p.buffers.Get().(*datagram)
	data.buf = append(data.buf[:0], payload...)
	p.flightBytes += cap(data.buf)
	p.stats.direction(d).InFlight += uint64(v.Copies)
	p.flight.push(v.At, outgoing{client: c, direction: d, copies: v.Copies, data: data})
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
		var wait time.Duration
		batch, wait = p.due(batch[:0])
		for _, o := range batch {
			p.writeOne(o)
		}
		p.release(batch)
		if len(batch) > 0 {
			select {
			case <-p.stop:
				return
			default:
				continue
			}
		}
		if wait <= timerError {
			sleep(wait)
			continue
		}
		timer.Reset(wait - timerError)
		select {
		case <-p.stop:
			return
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
	for len(batch) < cap(batch) {
		o, ok := p.flight.pop(now)
		if !ok {
			break
		}
		o.upstream = o.client.upstream
		p.stats.direction(o.direction).InFlight -= uint64(o.copies)
		batch = append(batch, o)
	}
	p.writerUntil = time.Time{}
	if len(batch) > 0 {
		return batch, 0
	}
	next := now.Add(time.Hour)
	if p.flight.len() > 0 {
		next = p.flight.next()
	}
	p.writerUntil = next
	return batch, next.Sub(now)
}

func (p *Proxy) writeOne(o outgoing) {
	count := &p.up
	if o.direction == Down {
		count = &p.down
	}
	for range o.copies {
		if err := p.writeCopy(o); err != nil {
			count.failed.Add(1)
			continue
		}
		count.packets.Add(1)
		count.bytes.Add(uint64(len(o.data.buf) + HeaderBytes))
	}
}

func (p *Proxy) writeCopy(o outgoing) error {
	if o.direction == Down {
		_, err := p.listener.WriteToUDPAddrPort(o.data.buf, o.client.addr)
		return err
	}
	_, err := o.upstream.Write(o.data.buf)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		// That is the answer to an earlier packet, and this one was not sent.
		_, err = o.upstream.Write(o.data.buf)
	case errors.Is(err, net.ErrClosed): // Rebind came between
		p.mu.Lock()
		upstream := o.client.upstream
		p.mu.Unlock()
		_, err = upstream.Write(o.data.buf)
	}
	return err
}

// release gives the buffers of a batch back.
func (p *Proxy) release(batch []outgoing) {
	size := 0
	for i := range batch {
		data := batch[i].data
		batch[i] = outgoing{}
		size += cap(data.buf)
		if cap(data.buf) == pooledSize {
			p.buffers.Put(data)
		}
	}
	p.mu.Lock()
	p.flightBytes -= size
	p.mu.Unlock()
}
