package call

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	openingTime = 3 * time.Second        // at most, that nothing is said in until it is known who is there
	openingRest = 2 * time.Second        // after the list came, for its members to get their keys
	openingMost = 10 * time.Second       // from which on whoever is found is a newcomer
	openingAsk  = 300 * time.Millisecond // after which the list is asked for by an urgent message, too
)

// opening is the time after joining in which it is not known yet who is there, and so whom keys are for.
type opening struct {
	since  time.Time
	listed time.Time // when the list was complete
	asked  bool
	over   bool // something may be said
}

// lasts reports whether members that are found now are taken for such that were there before us.
func (o *opening) lasts(complete bool, now time.Time) bool {
	if complete && o.listed.IsZero() {
		o.listed = now
	}
	// Its members lack the keys of what was said before the list came; if it came at once, nothing was said.
	return now.Before(o.since.Add(openingMost)) &&
		(o.listed.IsZero() || o.asked && now.Before(o.listed.Add(openingRest)))
}

// decideOpening ends the opening, or returns when to decide again; zero: it is over.
func (k *keeper) decideOpening(complete bool, now time.Time) (next time.Time) {
	o := &k.opening
	if o.over {
		return time.Time{}
	}
	latest := o.since.Add(openingTime)
	switch ask := o.since.Add(openingAsk); {
	case complete, k.expected == 1, !now.Before(latest):
		o.over = true
		return time.Time{}
	case o.asked:
		return latest
	case now.Before(ask):
		return ask
	}
	o.asked = true
	if err := k.sender.urgent(wire.UrgentMembersWanted, nil, nil); err != nil {
		k.log.Debug("cannot ask for the members", "err", err)
	}
	return latest
}
