package simnet

import (
	"math/rand/v2"
	"time"
)

// Outcome is what becomes of a packet.
type Outcome uint8

const (
	Delivered    Outcome = iota // it arrives
	Lost                        // the loss model took it
	QueueDropped                // the queue in front of the rate limit was full
	Blocked                     // the channel is blocked
)

// Verdict is a [Channel]'s decision about one packet.
type Verdict struct {
	Outcome Outcome
	At      time.Time // when it arrives, if Delivered
	Copies  int       // how often it arrives: 0 unless Delivered, 2 if duplicated
}

// Counters counts a channel's decisions. Sent = Lost + QueueDropped + Blocked + Delivered.
// Bytes include [HeaderBytes] a packet.
type Counters struct {
	Sent           uint64 `json:"packets_in"` // packets offered to the channel
	Lost           uint64 `json:"packets_lost"`
	QueueDropped   uint64 `json:"packets_queue_dropped"`
	Blocked        uint64 `json:"packets_blocked"`
	Delivered      uint64 `json:"-"`                  // packets, without second copies
	Duplicated     uint64 `json:"packets_duplicated"` // second copies
	Reordered      uint64 `json:"packets_reordered"`  // packets that arrive before one that was sent earlier
	BytesSent      uint64 `json:"bytes_in"`
	BytesDelivered uint64 `json:"-"` // second copies included
}

// Add adds the counts of o to c.
func (c *Counters) Add(o Counters) {
	c.Sent += o.Sent
	c.Lost += o.Lost
	c.QueueDropped += o.QueueDropped
	c.Blocked += o.Blocked
	c.Delivered += o.Delivered
	c.Duplicated += o.Duplicated
	c.Reordered += o.Reordered
	c.BytesSent += o.BytesSent
	c.BytesDelivered += o.BytesDelivered
}

// Channel applies a [Profile] to a sequence of packets. It is deterministic: the same profile and
// the same packets at the same times get the same verdicts. It is not safe for concurrent use.
type Channel struct {
	profile Profile
	blocked bool
	now     time.Time // of the latest packet: time never runs backwards

	idle      time.Time // when the link behind the queue falls idle
	losses    losses
	jitter    *rand.Rand
	reorder   *rand.Rand
	duplicate *rand.Rand
	lastAt    time.Time // the latest arrival so far: FIFO order holds it as a floor

	counters Counters
}

// NewChannel returns an unused channel, or the error of [Profile.Validate].
func NewChannel(p Profile) (*Channel, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	c := new(Channel)
	c.reset(p)
	return c, nil
}

func (c *Channel) reset(p Profile) {
	c.profile = p
	c.idle, c.lastAt = time.Time{}, time.Time{}
	c.losses = losses{rng: newStream(p.Seed, streamLoss)}
	c.jitter = newStream(p.Seed, streamJitter)
	c.reorder = newStream(p.Seed, streamReorder)
	c.duplicate = newStream(p.Seed, streamDuplicate)
}

// Counters returns the counts so far.
func (c *Channel) Counters() Counters { return c.counters }

// Block makes the channel refuse every packet, or ends that. What is under way still arrives.
func (c *Channel) Block(on bool) { c.blocked = on }

// SetProfile puts another profile in force, or returns the error of [Profile.Validate] and changes
// nothing. It is as if the path were replaced: what is under way arrives when it would have, and
// packets sent from now on do not wait for it. A new rate or queue begins with an empty queue;
// what does not change keeps its state, and a new seed starts everything anew.
func (c *Channel) SetProfile(p Profile) error {
	if err := p.Validate(); err != nil {
		return err
	}
	old := c.profile
	if p.Seed != old.Seed {
		c.reset(p)
		return nil
	}
	c.profile = p
	sameLink := p.Rate == old.Rate && p.queue() == old.queue()
	if !sameLink {
		c.idle = time.Time{}
	}
	if !sameLink || p.Delay != old.Delay || p.Jitter != old.Jitter {
		c.lastAt = time.Time{}
	}
	return nil
}

// Send decides about a packet of size bytes of UDP payload that is sent at now.
func (c *Channel) Send(now time.Time, size int) Verdict {
	if now.Before(c.now) {
		now = c.now
	}
	c.now = now
	wire := size + HeaderBytes
	c.counters.Sent++
	c.counters.BytesSent += uint64(wire)
	if c.blocked {
		c.counters.Blocked++
		return Verdict{Outcome: Blocked}
	}
	leaves, ok := c.admit(now, wire)
	if !ok {
		c.counters.QueueDropped++
		return Verdict{Outcome: QueueDropped}
	}
	if c.losses.lose(&c.profile, leaves) {
		c.counters.Lost++
		return Verdict{Outcome: Lost}
	}
	v := Verdict{Outcome: Delivered, At: c.arrival(leaves), Copies: 1}
	if c.duplicate.Float64() < c.profile.Duplicate {
		v.Copies = 2
		c.counters.Duplicated++
	}
	c.counters.Delivered++
	c.counters.BytesDelivered += uint64(v.Copies * wire)
	return v
}

// arrival returns when a packet that leaves the bottleneck then arrives.
func (c *Channel) arrival(leaves time.Time) time.Time {
	jitter := time.Duration((2*c.jitter.Float64() - 1) * float64(c.profile.Jitter))
	if c.reorder.Float64() < c.profile.Reorder {
		if leaves.Before(c.lastAt) {
			c.counters.Reordered++
		} else {
			c.lastAt = leaves
		}
		return leaves
	}
	at := leaves.Add(max(0, c.profile.Delay+jitter))
	if at.Before(c.lastAt) {
		at = c.lastAt
	}
	c.lastAt = at
	return at
}

// admit returns when a packet of wire bytes, headers included, has left the link of fixed rate, or false when
// the queue in front of that has no room for it.
func (c *Channel) admit(now time.Time, wire int) (time.Time, bool) {
	rate := c.profile.Rate
	if rate == 0 {
		return now, true
	}
	if wait := c.idle.Sub(now); wait > 0 {
		queued := wait.Seconds() * float64(rate) / 8
		if queued+float64(wire) > float64(c.profile.queue()) {
			return time.Time{}, false
		}
	} else {
		c.idle = now
	}
	c.idle = c.idle.Add(time.Duration(int64(wire) * 8 * int64(time.Second) / rate))
	return c.idle, true
}
