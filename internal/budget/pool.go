package budget

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// Group is whose share a member's media counts in: an address, or the link to another relay.
type Group struct {
	Link bool
	// Address says that ID is of an address: of IPv6 the first 64 bits, of IPv4 its 32. One customer has
	// many, so those of a prefix have a share together, and share it among prefixes within: see path.
	Address bool
	ID      uint64
}

// Customer returns the group as one customer has it: of IPv6 a /48.
func (g Group) Customer() Group {
	if g.Address && g.ID>>32 != 0 {
		g.ID = g.ID >> 16 << 16
	}
	return g
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
	// Burst is how much may go through at once, in time of Rate; whoever is there has an equal part.
	Burst time.Duration
	Least int // bytes that each may have at once, however many share Burst
	// QuietFirst gives of what remains, when those within their share have all they want, more to who sends
	// less. It is for links so narrow that equal parts of speech would be no use to anybody.
	QuietFirst bool
}

const (
	// drainEvery is how far apart looks at all queues are, at least.
	drainEvery = 5 * time.Millisecond
	// slack is how much of the rate's time may be under way before anything is counted for whom it comes
	// from: as long as nobody could have had too much, nothing is locked.
	slack = 100 * time.Millisecond
	// loudTime is over which time it is averaged how much somebody sends.
	loudTime = 3 * time.Second
	// loudLeast is what counts as next to nothing in that time, in bytes.
	loudLeast = 100
	// rounds bounds how often what one has no use for is offered to others at a time.
	rounds = 4
	// maxMembers bounds whom a pool knows at once; it forgets who has no queue.
	maxMembers = 1 << 14
	// most is how much of Burst may be in all queues: more than one, so that who comes to others who have
	// theirs gets its part, too; but not one for each who comes.
	most = 1.5
	// levels is how many queues a member is in: those of three prefixes or its link, and its own.
	levels = 4
)

// Pool shares a rate out: max-min fairly among groups, and what a group gets, among its members. It lets
// through what a router would that has a queue for each member, and takes turns between the groups whose
// queues are not empty, and within a group between the members; only that nothing waits: what would wait too
// long is refused at once. So who sends less than its share loses nothing, whatever others do, and what it
// leaves is the others'. Groups that are addresses are in groups themselves, which are prefixes.
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
	all     node // in which everybody is
	members int
	drained time.Duration // when the queues were drained last
	left    float64       // bytes that nobody had a use for then
}

// node is a member, or a group of nodes, who share what it gets.
type node struct {
	key   key
	bytes float64 // that would wait
	loud  float64 // bytes offered in about loudTime
	nodes []*node
	index map[key]*node // the same; nil: a member
}

// key tells the nodes of a group apart.
type key struct {
	id     uint64
	bits   uint8 // that are left out of a prefix
	link   bool
	member bool
}

// path returns the nodes that a member's media is in, the coarsest first. Of IPv6 a customer has a /48 at
// most, often a /56, and a network is a /64; of IPv4 neighbouring addresses are often one's, too.
func (s Source) path() (path [levels]key, n int) {
	g := s.Group
	add := func(k key) { path[n], n = k, n+1 }
	switch {
	case !g.Address:
		add(key{id: g.ID, link: g.Link})
	case g.ID>>32 == 0: // no IPv6 network begins with so many zeros
		add(key{id: g.ID >> 8, bits: 8})
		add(key{id: g.ID})
	default:
		add(key{id: g.ID >> 16, bits: 16})
		add(key{id: g.ID >> 8, bits: 8})
		add(key{id: g.ID})
	}
	add(key{id: s.Member, member: true})
	return path, n
}

// NewPool returns a pool in which nothing waits.
func NewPool(c Config) *Pool { return &Pool{config: c, all: node{index: make(map[key]*node)}} }

// Take reports whether n bytes of a member may go through now.
func (p *Pool) Take(s Source, n int, now time.Duration) bool {
	if p.Spare(n, now) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drain(now)
	nodes, depth := p.find(s)
	if depth == 0 {
		return false
	}
	m := nodes[depth-1]
	for _, o := range nodes[:depth] {
		o.loud += float64(n)
	}
	if m.bytes > 0 && p.isOver(nodes[:depth], float64(n)) {
		return false
	}
	p.all.bytes += float64(n)
	for _, o := range nodes[:depth] {
		o.bytes += float64(n)
	}
	if !p.config.QuietFirst {
		p.through.spend(n, p.config.Rate, now)
	}
	return true
}

// Spare is Take while less than Rate goes through, whoever it comes from. It takes no lock.
func (p *Pool) Spare(n int, now time.Duration) bool {
	return !p.config.QuietFirst && p.through.Take(n, p.config.Rate, slack, now)
}

// SetRate changes the rate of a pool with QuietFirst, in bytes a second.
func (p *Pool) SetRate(rate int, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drain(now)
	p.config.Rate = rate
}

// find returns a member's queues, new ones if need be; 0: too many members. The caller holds p.mu.
func (p *Pool) find(s Source) (nodes [levels]*node, depth int) {
	path, depth := s.path()
	in := &p.all
	for i, k := range path[:depth] {
		next := in.index[k]
		if next == nil {
			if p.members >= maxMembers {
				return nodes, 0
			}
			next = &node{key: k}
			if k.member {
				p.members++
			} else {
				next.index = make(map[key]*node)
			}
			in.index[k] = next
			in.nodes = append(in.nodes, next)
		}
		nodes[i], in = next, next
	}
	return nodes, depth
}

// burst returns how many bytes may wait. The caller holds p.mu.
func (p *Pool) burst() float64 { return float64(p.config.Rate) * p.config.Burst.Seconds() }

// isOver reports whether n bytes more are too many for a member, the last of the nodes, which are coarsest
// first. It may have its part of Burst, however loud others are; and Least if that is more, as long as each
// group that it is in has no more than its own part, or Least: or a crowd would have it a thousand times, and
// fill what is for all. The caller holds p.mu.
func (p *Pool) isOver(nodes []*node, n float64) bool {
	size, least := nodes[len(nodes)-1].bytes+n, float64(p.config.Least)
	part, siblings, crowded := p.burst(), len(p.all.nodes), false
	for _, o := range nodes {
		part /= float64(siblings)
		crowded = crowded || o.bytes+n > max(part, least)
		siblings = len(o.nodes)
	}
	if size <= least {
		return size > part && crowded
	}
	return size > part || p.all.bytes+n > most*p.burst()
}

// drain removes what would have left the queues by now, and who has nothing. The caller holds p.mu.
func (p *Pool) drain(now time.Duration) {
	past := now - p.drained
	if past < drainEvery {
		return
	}
	p.drained = now
	amount := float64(p.config.Rate)*past.Seconds() + p.left
	if p.left = 0; p.all.bytes > 0 {
		left := p.all.drain(amount, p.config.QuietFirst)
		p.left = min(left, float64(p.config.Rate)*drainEvery.Seconds())
	}
	calm := 1 - min(1, past.Seconds()/loudTime.Seconds())
	p.members = 0
	p.all.tidy(calm, p.config.QuietFirst, &p.members)
}

// tidy averages how loud everybody in a node is, forgets those that have nothing, and counts the others that
// are members. It reports whether the node has nothing. remember: how loud members are has to be remembered.
func (o *node) tidy(calm float64, remember bool, members *int) (over bool) {
	o.loud *= calm
	if o.index == nil {
		if over = o.bytes == 0 && !(remember && o.loud >= loudLeast); !over {
			*members++
		}
		return over
	}
	o.bytes = 0
	o.nodes = slices.DeleteFunc(o.nodes, func(in *node) bool {
		over := in.tidy(calm, remember, members)
		if over {
			delete(o.index, in.key)
		}
		o.bytes += in.bytes
		return over
	})
	return len(o.nodes) == 0
}

// weight returns the part that somebody gets of what is shared. With the inverse square of how loud it is,
// nobody whom equal parts would give all that it wants gets less: it is among the quieter ones.
func (o *node) weight(quietFirst bool) float64 {
	if !quietFirst {
		return 1
	}
	loud := max(o.loud, loudLeast)
	return 1 / (loud * loud)
}

// drain takes an amount out of a queue: of a group out of those in it, by their weights, and what one has no
// use for is the others'. It returns what is left.
func (o *node) drain(amount float64, quietFirst bool) (left float64) {
	if o.index == nil {
		taken := min(amount, o.bytes)
		if o.bytes -= taken; o.bytes < 1 { // less than rounding leaves
			o.bytes = 0
		}
		return amount - taken
	}
	left = amount
	for range rounds {
		var weights float64
		for _, in := range o.nodes {
			if in.bytes > 0 {
				weights += in.weight(quietFirst)
			}
		}
		if weights == 0 || left < 1 {
			break
		}
		unit := left / weights
		left = 0
		for _, in := range o.nodes {
			if in.bytes > 0 {
				left += in.drain(unit*in.weight(quietFirst), quietFirst)
			}
		}
	}
	o.bytes = max(0, o.bytes-(amount-left))
	return left
}
