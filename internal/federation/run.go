package federation

import (
	"context"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// news is what run does not know yet. The zero value is empty.
type news struct {
	mu    sync.Mutex          // guards what follows
	rooms map[string]struct{} // global ones whose local members have changed: no more than there are rooms
	do    []func(now time.Time)
}

func (n *news) roomChanged(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rooms == nil {
		n.rooms = make(map[string]struct{})
	}
	n.rooms[name] = struct{}{}
}

// drain returns what is to be done, in its order, and the rooms.
func (n *news) drain() (do []func(now time.Time), rooms map[string]struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do, rooms = n.do, n.rooms
	n.do, n.rooms = nil, nil
	return do, rooms
}

// later has run do something, after what was given to later before: about links that come and go, and a new
// configuration.
func (f *Federation) later(do func(now time.Time)) {
	f.news.mu.Lock()
	f.news.do = append(f.news.do, do)
	f.news.mu.Unlock()
	f.wakeUp()
}

// wakeUp has run see what there is to do.
func (f *Federation) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run reads what peers say, has the table decide, carries that out, and announces what changes here. It alone
// changes bridged rooms, so that what is decided is done in order and without a lock.
func (f *Federation) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			f.readNews(time.Now()) // the links' ends
			return
		case <-f.wake:
		case <-timer.C:
		}
		now := time.Now()
		next := f.work(now)
		f.releaseEarly(now)
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), 10*time.Millisecond))
		}
	}
}

// work brings the table and our members up to date and returns when it has something to do next; zero: never,
// by time alone.
func (f *Federation) work(now time.Time) (next time.Time) {
	linesWait := f.readLines(now)
	f.readNews(now)
	f.readSessions(now)
	f.readRoutes(now)
	if f.readInboxes(now) || linesWait {
		f.wakeUp() // but not before the others had their turn
	}
	next = f.dirty.do(now, func(name string) time.Time { return f.announceLocal(name, now) })
	f.decide(func() { next = routing.Soonest(next, f.table.Tick(now)) })
	f.decidePresence(func() { next = routing.Soonest(next, f.who.Tick(now)) })
	f.mu.Lock()
	next = routing.Soonest(next, f.missed.box.Tick(now))
	f.mu.Unlock()
	f.decideRoutes(func() { next = routing.Soonest(next, f.resolver.Tick(now)) })
	next = routing.Soonest(next, f.unplaced.do(now, func(h *home) (again time.Time) {
		list := h.unplaced
		h.unplaced = nil
		for _, entry := range list {
			f.join(h, entry, now) // which notes those that are left
		}
		return again
	}))
	next = routing.Soonest(next, f.untold.do(now, func(b *bridged) time.Time { return f.tellRoom(b, now) }))
	next = routing.Soonest(next, f.workCalls(now))
	parked := f.parked.do(now, func(p *livePeer) time.Time { return f.retryParked(p, now) })
	return routing.Soonest(next, parked)
}

// readNews does what was given to later, and notes which rooms have changed.
func (f *Federation) readNews(now time.Time) {
	do, rooms := f.news.drain()
	for _, one := range do {
		one(now)
	}
	for name := range rooms {
		due := time.Time{}
		if b := f.bridged[wire.HashRoom(name)]; b != nil {
			due = b.due()
		}
		f.dirty[name] = due
	}
}

// decide has the table told something, by tell, and carries out what follows from it. Only run calls it.
func (f *Federation) decide(tell func()) {
	f.mu.Lock()
	tell()
	effects := f.table.Drain()
	f.mu.Unlock()
	for _, e := range effects {
		f.carryOut(e)
	}
}

// agenda says of some things when each is due, of which zero is at once.
type agenda[K comparable] map[K]time.Time

// do does what is due and returns when the next is; zero: there is none. one returns when it is due again.
func (a agenda[K]) do(now time.Time, one func(K) time.Time) (next time.Time) {
	for key, due := range a {
		if !now.Before(due) {
			delete(a, key)
			again := one(key)
			if due = routing.Soonest(again, a[key]); due.IsZero() {
				continue
			}
			a[key] = due
		}
		next = routing.Soonest(next, due)
	}
	return next
}
