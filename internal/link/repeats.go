package link

import (
	"bytes"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// repeatTrip is a round trip above which nothing is repeated: it may be that of a narrow path. At
	// 16 kbit/s the first answer takes longer.
	repeatTrip  = 1200 * time.Millisecond
	repeatAfter = 40 * time.Millisecond // once, and again when a round trip more has gone by
	repeatFor   = time.Second           // of one connection, from when it began
	repeatMost  = 4                     // datagrams of one connection
	repeatPaths = 1024                  // addresses at once
)

// repeats sends again what QUIC sends while a connection becomes an attachment, until something comes that
// shows that it arrived. QUIC itself does so after three round trips, since it has measured one once: with
// 40 % loss two of three connections wait for that. Receivers take each packet once. Only to addresses that
// are proved anything goes again: those that clients dial, and those whose handshake a relay has completed.
//
//	begin ──> datagrams of QUIC's ──(sent: each is copied)──> copies ──(due: twice)──> the port
//	end: the other was heard
type repeats struct {
	active atomic.Int32 // paths

	mu    sync.Mutex // guards what follows
	paths map[netip.AddrPort]*repeatedPath
}

// repeatedPath is an address to which datagrams go again.
type repeatedPath struct {
	trip   time.Duration
	until  time.Time
	left   int // datagrams that may be copied yet
	copies []datagramCopy
}

// datagramCopy is a datagram that was sent.
type datagramCopy struct {
	p, oob []byte
	to     netip.AddrPort
	due    time.Time // when it goes again
	last   bool      // for the last time
}

// begin has what goes to an address go again, for a while. trip is what a round trip takes at most.
func (r *repeats) begin(to netip.AddrPort, trip time.Duration, now time.Time) {
	if trip > repeatTrip {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.paths[to]
	if p == nil {
		if len(r.paths) >= repeatPaths {
			return
		}
		if r.paths == nil {
			r.paths = make(map[netip.AddrPort]*repeatedPath)
		}
		p = &repeatedPath{}
		r.paths[to] = p
		r.active.Store(int32(len(r.paths)))
	}
	p.trip, p.until, p.left = trip, now.Add(repeatFor), repeatMost
}

// end has nothing more go again to an address.
func (r *repeats) end(to netip.AddrPort) {
	if r.active.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeLocked(to)
}

func (r *repeats) removeLocked(to netip.AddrPort) {
	delete(r.paths, to)
	r.active.Store(int32(len(r.paths)))
}

// sent notes a datagram of QUIC's. It reports whether it goes again.
func (r *repeats) sent(p, oob []byte, to netip.AddrPort, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := r.paths[to]
	if path == nil || path.left == 0 || now.After(path.until) {
		return false
	}
	path.left--
	path.copies = append(path.copies, datagramCopy{
		p: bytes.Clone(p), oob: bytes.Clone(oob), to: to, due: now.Add(repeatAfter),
	})
	return true
}

// due returns what goes again now, and whether there will be more.
func (r *repeats) due(now time.Time) (list []datagramCopy, more bool) {
	if r.active.Load() == 0 {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for to, path := range r.paths {
		path.copies = slices.DeleteFunc(path.copies, func(c datagramCopy) bool {
			if c.last && !now.Before(c.due) {
				list = append(list, c)
				return true
			}
			return false
		})
		for i := range path.copies {
			if c := &path.copies[i]; !now.Before(c.due) {
				list = append(list, *c)
				c.due, c.last = c.due.Add(path.trip), true
			}
		}
		if more = more || len(path.copies) > 0; len(path.copies) == 0 && now.After(path.until) {
			r.removeLocked(to)
		}
	}
	return list, more
}

// repeatQUIC sends again what is due, and reports whether there will be more.
func (ep *Endpoint) repeatQUIC() (more bool) {
	list, more := ep.repeats.due(time.Now())
	for _, c := range list {
		ep.mux.SendQUIC(c.p, c.oob, c.to)
	}
	return more
}

// sentQUIC notes what QUIC has sent.
func (ep *Endpoint) sentQUIC(p, oob []byte, to netip.AddrPort) {
	if ep.repeats.active.Load() != 0 && ep.repeats.sent(p, oob, to, time.Now()) {
		ep.wake()
	}
}
