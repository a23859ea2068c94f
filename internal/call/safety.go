package call

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
)

const (
	numberRest = time.Second     // that the people must not change for, before their safety number is made,
	numberLate = 5 * time.Second // but after which it is made, whatever they do
)

// safetyNumber is slow on purpose. Tests of other things, under the race detector, have no time for it.
var safetyNumber = e2ee.SafetyNumber

// safety is the number of who is inside. It belongs to keeper.run, but for the number.
type safety struct {
	identities []identity.PublicKey // of who is inside, each once and sorted
	since      time.Time            // when these are the people
	staleAt    time.Time            // since when there is no number of them; zero: there is
	numbered   []identity.PublicKey
	number     atomic.Pointer[string] // nil: being made
}

// setMembers notes who is inside now, besides self.
func (s *safety) setMembers(self identity.PublicKey, members []member, now time.Time) {
	list := []identity.PublicKey{self}
	for _, m := range members {
		list = append(list, m.Identity)
	}
	slices.SortFunc(list, func(a, b identity.PublicKey) int { return slices.Compare(a[:], b[:]) })
	list = slices.Compact(list)
	if slices.Equal(list, s.identities) {
		return
	}
	s.identities, s.since = list, now
	if s.staleAt.IsZero() {
		s.staleAt = now
		s.number.Store(nil) // it is the number of others
	}
}

// makeNumber makes the safety number of who is here now, once that has settled, or will not settle.
func (k *keeper) makeNumber(complete bool, now time.Time) (next time.Time) {
	s := &k.safety
	if !complete || s.staleAt.IsZero() {
		return time.Time{}
	}
	latest := s.staleAt.Add(numberLate)
	if due := e2ee.Soonest(s.since.Add(numberRest), latest); now.Before(due) {
		return due
	}
	number := safetyNumber(k.room, s.identities, k.secret) // takes a while
	k.mu.Lock()
	changed := k.inputs.changed
	k.mu.Unlock()
	if changed && now.Before(latest) {
		return now // it would be the number of others
	}
	again := slices.Equal(s.identities, s.numbered)
	s.numbered, s.staleAt = s.identities, time.Time{}
	s.number.Store(&number)
	if !again { // or they are back, and it was said before
		k.events.put(SafetyNumber{Number: number, People: len(s.identities)})
	}
	return time.Time{}
}
