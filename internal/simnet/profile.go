package simnet

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

const (
	// HeaderBytes is what a packet has beside its UDP payload: 20 bytes of IPv4 and 8 of UDP.
	// Rates, queues and byte counters include it.
	HeaderBytes = 28

	// DefaultQueue is the queue, in bytes, in front of a rate limit that states none: at 32 kbit/s
	// some 16 s of bufferbloat, as in a cellular modem.
	DefaultQueue = 64 << 10

	maxDelay = time.Minute
	maxBurst = 1e6
	maxRate  = 100_000_000_000
	maxQueue = 256 << 20
)

// Profile describes one direction of a path. The zero value is a perfect one.
type Profile struct {
	// Loss is the share of packets that get lost, from 0 to 1. Losses are independent of each
	// other unless Burst or BurstTime is set; these change how losses cluster, never how many.
	Loss float64

	// Burst is the mean length of a run of lost packets, in packets: a Gilbert model (Gilbert,
	// "Capacity of a Burst-Noise Channel", 1960, with a lossless good and a lossy bad state) that
	// takes a step with every packet. 0 for independent losses.
	Burst float64

	// BurstTime is the mean duration of a loss burst: the same two states, but time drives them
	// (exponentially distributed durations) and not packets, as with fading. 0 for none.
	BurstTime time.Duration

	// Delay is the one-way delay, at most a minute. What the queue adds comes on top.
	Delay time.Duration

	// Jitter makes the delay of each packet uniform in [Delay-Jitter, Delay+Jitter], never below
	// 0. It does not reorder: a packet that would overtake the one before it arrives together
	// with it, so that packets closer together than Jitter see a mean delay above Delay.
	Jitter time.Duration

	// Reorder is the probability that a packet skips Delay and Jitter and so overtakes whatever
	// is under way. It needs a Delay.
	Reorder float64

	// Duplicate is the probability that a packet that arrives does so twice.
	Duplicate float64

	// Rate is the capacity in bit/s, IP and UDP headers included; 0 for no limit.
	Rate int64

	// Queue bounds the FIFO in front of the rate limit, in bytes with headers and with the packet being
	// transmitted; 0 for [DefaultQueue]. It drops at its tail. An idle link takes a packet of any size.
	Queue int

	// Seed decides every random choice. [Network] and [Proxy] mix in which path it is, so that
	// paths with the same profile do not lose the same packets.
	Seed uint64
}

// Validate returns an error that names the first bad value and what would be a good one.
func (p Profile) Validate() error {
	for _, v := range values {
		switch value := v.of(&p).(type) {
		case *float64:
			if v.name != "burst" && !(*value >= 0 && *value <= 1) { // also refuses NaN
				return fmt.Errorf("%s %v is not between 0 and 1 (30 %% is 0.3)", v.name, *value)
			}
		case *time.Duration:
			if *value < 0 || *value > maxDelay {
				return fmt.Errorf("%s %v is not between 0 and %v", v.name, *value, maxDelay)
			}
		}
	}
	if p.Rate < 0 || p.Rate > maxRate {
		return fmt.Errorf("rate %d is not between 0 (no limit) and 100G bit/s", p.Rate)
	}
	if p.Queue < 0 || p.Queue > maxQueue {
		return fmt.Errorf("queue %d is not between 0 (for %d) and 256M bytes", p.Queue, DefaultQueue)
	}
	if p.Reorder > 0 && p.Delay == 0 {
		return errors.New("reorder needs a delay: nothing can be overtaken on a path without one")
	}
	return p.validateBurst()
}

func (p Profile) validateBurst() error {
	if p.Burst == 0 { // zero stands for independent losses
		return nil
	}
	if !(p.Burst >= 1 && p.Burst <= maxBurst) {
		return fmt.Errorf("burst %v is not a mean length from 1 to %d packets (0 for independent losses)",
			p.Burst, int(maxBurst))
	}
	if p.BurstTime > 0 {
		return errors.New("burst and burst-time exclude each other: give the length in packets or in time")
	}
	// Bursts are at least one packet apart, so short ones cannot add up to a high loss.
	if shortest := p.Loss / (1 - p.Loss); p.Loss < 1 && p.Burst < shortest {
		return fmt.Errorf("burst %v is too short for loss %v: it needs %.4g or more",
			p.Burst, p.Loss, shortest)
	}
	return nil
}

// queue returns the bound of the queue in bytes.
func (p Profile) queue() int { return cmp.Or(p.Queue, DefaultQueue) }
