package peer

import (
	"slices"
	"time"
)

const (
	swapsMany = 3               // links that took each other's place
	swapSpan  = time.Minute     // within so long
	swapGap   = 3 * time.Second // one dial may be several attempts, which count as one
)

// swaps sees whether links of one key come from several places in turn: then two relays have it, each of
// which dials as soon as the other one has taken its link. It is pure; its owner locks it. The zero value has
// seen none.
type swaps struct {
	recent []swap // the oldest first, at most swapsMany
	told   time.Time
}

// swap is a link that took another one's place, or tried to.
type swap struct {
	at       time.Time
	old, new string // where they come from
}

// note notes a swap. It returns the addresses if that is to be logged: many came in a short time, from more
// than one address, and it was not said within the last swapSpan.
func (s *swaps) note(old, new string, now time.Time) (addresses []string) {
	if n := len(s.recent); n > 0 && now.Sub(s.recent[n-1].at) < swapGap {
		return nil
	}
	if len(s.recent) == swapsMany {
		s.recent = slices.Delete(s.recent, 0, 1)
	}
	s.recent = append(s.recent, swap{now, old, new})
	if len(s.recent) < swapsMany || now.Sub(s.recent[0].at) > swapSpan ||
		!s.told.IsZero() && now.Sub(s.told) < swapSpan {
		return nil
	}
	for _, one := range s.recent {
		addresses = append(addresses, one.old, one.new)
	}
	slices.Sort(addresses)
	if addresses = slices.Compact(addresses); len(addresses) < 2 {
		return nil
	}
	s.told = now
	return addresses
}

// swappedLocked notes that a link of p from another address takes the place of one, or would. The caller
// holds ls.mu, and calls say when it does not any more.
func (ls *Links) swappedLocked(p *peer, old, new string, now time.Time) (say func()) {
	addresses, label := p.swaps.note(old, new, now), p.label
	return func() {
		if addresses != nil {
			ls.log.Warn("two relays seem to run with the same identity", "label", label, "fingerprint",
				p.fingerprint, "addresses", addresses, "do", "make a new identity on one of them")
		}
	}
}
