package simnet

import (
	"math"
	"math/rand/v2"
	"time"
)

// Every kind of choice has a random stream of its own, so that changing the jitter, say, leaves
// the losses as they were.
const (
	streamLoss = iota + 1
	streamJitter
	streamReorder
	streamDuplicate
)

func newStream(seed uint64, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream))
}

// mixSeed returns a seed for one of several things that share a profile.
func mixSeed(seed uint64, parts ...uint64) uint64 {
	for _, p := range parts {
		// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): neighbours become unrelated.
		seed += 0x9e3779b97f4a7c15 ^ p
		seed = (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		seed = (seed ^ seed>>27) * 0x94d049bb133111eb
		seed ^= seed >> 31
	}
	return seed
}

// losses is the loss process: independent, or two states of which the bad one loses everything.
//
//	         p = r L/(1-L)                 mean length of a burst   1/r
//	+------+ -------------> +-----+        share of packets lost    p/(p+r) = L
//	| good |                | bad |
//	+------+ <------------- +-----+        by packets: r = 1/Burst, one step a packet
//	               r                       by time:    r = 1/BurstTime, a rate
type losses struct {
	loss      float64
	burst     float64
	burstTime time.Duration

	rng     *rand.Rand
	started bool // the state has been drawn
	bad     bool
	last    time.Time // when the state was drawn
}

func newLosses(p Profile) losses {
	return losses{loss: p.Loss, burst: p.Burst, burstTime: p.BurstTime, rng: newStream(p.Seed, streamLoss)}
}

// configure changes the process and keeps its place in the random stream.
func (l *losses) configure(p Profile) {
	l.loss, l.burst, l.burstTime = p.Loss, p.Burst, p.BurstTime
}

// lose reports whether the packet that is on the air at now gets lost.
func (l *losses) lose(now time.Time) bool {
	u := l.rng.Float64() // always one draw a packet
	l.bad = u < l.probability(now)
	l.started = true
	l.last = now
	return l.bad
}

// probability returns how likely the bad state is now, given the state at the last packet.
func (l *losses) probability(now time.Time) float64 {
	certain := l.loss == 0 || l.loss == 1
	independent := l.burst == 0 && l.burstTime == 0
	if certain || independent || !l.started {
		return l.loss
	}
	if l.burst > 0 {
		r := 1 / l.burst
		if l.bad {
			return 1 - r
		}
		return r * l.loss / (1 - l.loss)
	}
	// A two-state Markov process in continuous time forgets its state at the sum of both rates.
	// Sampled at the packets it is exact, whatever their spacing.
	r := 1 / l.burstTime.Seconds()
	sum := r + r*l.loss/(1-l.loss)
	memory := math.Exp(-sum * max(0, now.Sub(l.last).Seconds()))
	state := 0.0
	if l.bad {
		state = 1
	}
	return l.loss + (state-l.loss)*memory
}
