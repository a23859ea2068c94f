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

func newStream(seed uint64, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

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
	rng     *rand.Rand
	started bool // the state has been drawn
	bad     bool
	last    time.Time // when the state was drawn
}

// lose reports whether the packet that is on the air at now gets lost.
func (l *losses) lose(p *Profile, now time.Time) bool {
	u := l.rng.Float64() // always one draw a packet
	l.bad = u < l.probability(p, now)
	l.started, l.last = true, now
	return l.bad
}

// probability returns how likely the bad state is now, given the state at the last packet.
func (l *losses) probability(p *Profile, now time.Time) float64 {
	certain := p.Loss == 0 || p.Loss == 1
	independent := p.Burst == 0 && p.BurstTime == 0
	if certain || independent || !l.started {
		return p.Loss
	}
	if p.Burst > 0 {
		r := 1 / p.Burst
		if l.bad {
			return 1 - r
		}
		return r * p.Loss / (1 - p.Loss)
	}
	// A two-state Markov process in continuous time forgets its state at the sum of both rates.
	// Sampled at the packets it is exact, whatever their spacing.
	r := 1 / p.BurstTime.Seconds()
	sum := r + r*p.Loss/(1-p.Loss)
	memory := math.Exp(-sum * max(0, now.Sub(l.last).Seconds()))
	state := 0.0
	if l.bad {
		state = 1
	}
	return p.Loss + (state-p.Loss)*memory
}
