package budget

import (
	"encoding/binary"
	"sync"
	"time"
)

// Group is whose share a member's media counts in: an address block, or the link to another relay.
type Group struct {
	Link bool
	ID   uint64
}

// Source is who sent something.
type Source struct {
	Group  Group
	Member uint64
}

// ID returns the number that stands for an address, a link, a room or a member: its first 8 bytes.
func ID(b []byte) (id uint64) {
	var whole [8]byte
	copy(whole[:], b)
	return binary.BigEndian.Uint64(whole[:])
}

// Config is what a Pool shares out.
type Config struct {
	Rate int // bytes a second, above 0
	// Burst is how much may go through at once: what Rate gives in so long, in equal parts for those who are there.
	Burst time.Duration
	Least int // bytes that each may have at once, however many share Burst
	// QuietFirst gives of what remains, when those within their share have all they want, more to who sends less. It is
	// for links so narrow that equal parts of speech would be no use to anybody.
	QuietFirst bool
}

const (
	// drainEvery is how far apart looks at all queues are, at least.
	drainEvery = 5 * time.Millisecond
	// slack is how much of the rate's time may be under way before anything is counted for whom it comes from: as long
	// as nobody could have had too much, nothing is locked.
	slack = 100 * time.Millisecond
	// loudTime is over which time it is averaged how much somebody sends.
	loudTime = 3 * time.Second
	// loudLeast is what counts as next to nothing in that time, in bytes.
	loudLeast = 100
	// rounds bounds how often what one had no use for is offered to the others; what is left then waits for the next
	// time.
	rounds = 4
	// maxMembers bounds whom a pool knows at once; it forgets who has no queue.
	maxMembers = 1 << 14
)

// Pool shares a rate out: max-min fairly among groups, and what a group gets, among its members. It lets through
// what a router would that has a queue for each member, and takes turns between the groups whose queues are not empty,
// and within a group between the members; only that nothing waits: what would wait too long is refused at once. So who
// sends less than its share loses nothing, whatever others do, and what it leaves is the others'.
//
//	                  .── member: queue ──.
//	     .── group ───┤                   ├──.
//	     │            '── member: queue ──'  │ Rate bytes a second, in turns
//	n ───┤                                   ├──────────────────────────────>
//	     '── group ────── member: queue ─────'
//	                          │ longer than its part of Burst: refused
//
// While less than Rate goes through, that takes no lock: see slack. All methods are safe for concurrent use.
type Pool struct {
	through Bucket // everything that was let through

	mu      sync.Mutex // guards what follows; nothing is called with it held
	config  Config
	groups  []*group
	index   map[Group]*group
	members int
	queued  float64       // bytes in all queues
	drained time.Duration // when they were drained last
	left    float64       // bytes that nobody had a use for then
}

// group is who shares what one group gets.
type group struct {
	key     Group
	queue   // of all of them
	members []*member
	index   map[uint64]*member
}

type member struct {
	id uint64
	queue
}

// queue is how much would wait, and how much somebody sends.
type queue struct {
	bytes float64
	loud  float64 // bytes offered in about loudTime
}

// NewPool returns a pool in which nothing waits.
func NewPool(c Config) *Pool { return &Pool{config: c, index: make(map[Group]*group)} }

// Take reports whether n bytes of a member may go through now.
func (p *Pool) Take(s Source, n int, now time.Duration) bool {
	if !p.config.QuietFirst && p.through.Take(n, p.config.Rate, slack, now) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drain(now)
	g, m := p.find(s)
	if m == nil {
		return false
	}
	g.loud += float64(n)
	m.loud += float64(n)
	if size := m.bytes + float64(n); m.bytes > 0 && size > p.limit(g) {
		return false
	}
	m.bytes += float64(n)
	g.bytes += float64(n)
	p.queued += float64(n)
	if !p.config.QuietFirst {
		p.through.spend(n, p.config.Rate, now)
	}
	return true
}

// SetRate changes the rate of a pool with QuietFirst, in bytes a second.
func (p *Pool) SetRate(rate int, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drain(now)
	p.config.Rate = rate
}

// find returns the queues of a member, new ones if need be; nil: there are too many. The caller holds p.mu.
func (p *Pool) find(s Source) (*group, *member) {
	g := p.index[s.Group]
	if g == nil {
		if p.members >= maxMembers {
			return nil, nil
		}
		g = &group{key: s.Group, index: make(map[uint64]*member)}
		p.index[s.Group] = g
		p.groups = append(p.groups, g)
	}
	m := g.index[s.Member]
	if m == nil {
		if p.members >= maxMembers {
			return g, nil
		}
		m = &member{id: s.Member}
		g.index[s.Member] = m
		g.members = append(g.members, m)
		p.members++
	}
	return g, m
}

// limit returns how long a queue of a group may be. The caller holds p.mu.
func (p *Pool) limit(g *group) float64 {
	share := float64(p.config.Rate) * p.config.Burst.Seconds() / float64(max(1, len(p.groups))*max(1, len(g.members)))
	return max(float64(p.config.Least), share)
}

// drain takes out of the queues what would have left them by now, and forgets those that have nothing. The caller holds
// p.mu.
func (p *Pool) drain(now time.Duration) {
	past := now - p.drained
	if past < drainEvery {
		return
	}
	p.drained = now
	amount := float64(p.config.Rate)*past.Seconds() + p.left
	if p.left = 0; p.queued > 0 {
		left := share(p.groups, amount, p.config.QuietFirst)
		p.left = min(left, float64(p.config.Rate)*drainEvery.Seconds())
	}
	calm := 1 - min(1, past.Seconds()/loudTime.Seconds())
	p.queued, p.members = 0, 0
	p.groups = keep(p.groups, func(g *group) bool {
		g.bytes = 0
		g.members = keep(g.members, func(m *member) bool {
			if m.over(calm, p.config.QuietFirst) {
				delete(g.index, m.id)
				return false
			}
			g.bytes += m.bytes
			return true
		})
		p.queued += g.bytes
		p.members += len(g.members)
		if len(g.members) == 0 {
			delete(p.index, g.key)
			return false
		}
		g.over(calm, true)
		return true
	})
}

// over averages how loud somebody is, and reports whether there is nothing to remember. remember: how loud it is has
// to be.
func (q *queue) over(calm float64, remember bool) bool {
	q.loud *= calm
	return q.bytes == 0 && !(remember && q.loud >= loudLeast)
}

// sharer has a queue.
type sharer interface {
	size() float64
	weight(quietFirst bool) float64
	drain(amount float64, quietFirst bool) (left float64)
}

func (q *queue) size() float64 { return q.bytes }

// weight returns the part that somebody gets of what is shared. With the inverse square of how loud it is, nobody whom
// equal parts would give all that it wants gets less: it is among the quieter ones.
func (q *queue) weight(quietFirst bool) float64 {
	if !quietFirst {
		return 1
	}
	loud := max(q.loud, loudLeast)
	return 1 / (loud * loud)
}

func (q *queue) drain(amount float64, _ bool) (left float64) {
	taken := min(amount, q.bytes)
	if q.bytes -= taken; q.bytes < 1 { // less than rounding leaves
		q.bytes = 0
	}
	return amount - taken
}

func (g *group) drain(amount float64, quietFirst bool) (left float64) {
	left = share(g.members, amount, quietFirst)
	g.bytes = max(0, g.bytes-(amount-left))
	return left
}

// share drains an amount from queues by their weights: what one has no use for is the others'. It returns what is left.
func share[S sharer](all []S, amount float64, quietFirst bool) (left float64) {
	for range rounds {
		var weights float64
		for _, s := range all {
			if s.size() > 0 {
				weights += s.weight(quietFirst)
			}
		}
		if weights == 0 || amount < 1 {
			break
		}
		unit := amount / weights
		amount = 0
		for _, s := range all {
			if s.size() > 0 {
				amount += s.drain(unit*s.weight(quietFirst), quietFirst)
			}
		}
	}
	return amount
}

// keep removes in place what is not to be kept, and lets go of it.
func keep[T any](list []T, yes func(T) bool) []T {
	kept := list[:0]
	for _, t := range list {
		if yes(t) {
			kept = append(kept, t)
		}
	}
	clear(list[len(kept):])
	return kept
}
