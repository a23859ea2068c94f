package signalling

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
)

const (
	maxSeen      = 1024 // offers, of contacts and of strangers each
	offersSecond = 50   // that are opened, in bursts of as many again
	personCalls  = 10   // a minute, of one who may ring
	sharedCalls  = 64   // a minute, of all together; beyond that each has a share
	maxMinute    = 256  // a minute, whoever makes them
)

// seenOffers remembers offers that came, so that none counts twice, and bounds how many are opened. An offer
// is good for four minutes. Of those who may ring, only offers that count are remembered, of which maxMinute
// come in a minute: so each is remembered for as long as it is good. Strangers push out only strangers.
type seenOffers struct {
	known, strange seenSet

	tokens float64
	at     time.Time
	calls  []personCall // oldest first
}

type personCall struct {
	person identity.PublicKey
	at     time.Time
}

// seenSet are the newest path ids and call ids, two for each offer.
type seenSet struct {
	has  map[[16]byte]struct{}
	ring [][16]byte
	next int // in ring
}

func newSeenOffers() seenOffers {
	set := func() seenSet { return seenSet{has: make(map[[16]byte]struct{})} }
	return seenOffers{known: set(), strange: set(), tokens: 2 * offersSecond}
}

func (s *seenOffers) has(id [16]byte) bool {
	_, known := s.known.has[id]
	_, strange := s.strange.has[id]
	return known || strange
}

// add remembers an offer, of somebody who may ring or not.
func (s *seenOffers) add(known bool, ids ...[16]byte) {
	set := &s.strange
	if known {
		set = &s.known
	}
	for _, id := range ids {
		if len(set.ring) < 2*maxSeen {
			set.ring = append(set.ring, id)
		} else {
			delete(set.has, set.ring[set.next])
			set.ring[set.next] = id
			set.next = (set.next + 1) % len(set.ring)
		}
		set.has[id] = struct{}{}
	}
}

// allow reports whether one more offer may be opened, which costs a key agreement and two signatures.
func (s *seenOffers) allow(now time.Time) bool {
	if !s.at.IsZero() && now.After(s.at) {
		s.tokens = min(2*offersSecond, s.tokens+now.Sub(s.at).Seconds()*offersSecond)
	}
	s.at = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// allowPerson reports whether somebody who may ring may call once more: who calls much leaves the others
// their share.
func (s *seenOffers) allowPerson(person identity.PublicKey, now time.Time) bool {
	s.calls = slices.DeleteFunc(s.calls, func(c personCall) bool { return now.Sub(c.at) >= time.Minute })
	people, n := map[identity.PublicKey]bool{person: true}, 0
	for _, c := range s.calls {
		people[c.person] = true
		if c.person == person {
			n++
		}
	}
	most := personCalls
	if len(s.calls) >= sharedCalls {
		most = max(1, sharedCalls/len(people))
	}
	if n >= most || len(s.calls) >= maxMinute {
		return false
	}
	s.calls = append(s.calls, personCall{person, now})
	return true
}
