package federation

import (
	"maps"
	"time"

	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// announceRest is between two announcements of our members of a room, after the first announceBurst,
	// which go at once: who joins just when another has left does not wait.
	announceRest  = 200 * time.Millisecond
	announceBurst = 4
	// lastWord is how long after a member has left its leave is announced: news travel as fast as media, and
	// what it said last would come after its leave, and be dropped.
	lastWord = 250 * time.Millisecond
)

// ourMember is a member of this relay as it is announced.
type ourMember struct {
	entry []byte
	left  time.Time // zero: it is here
}

// due is when the next announcement may be.
func (b *bridged) due() time.Time { return b.announced.Add(-(announceBurst - 1) * announceRest) }

// announceLocal announces our members of a room, none if it is not global. It returns when to do it again, if
// some have just left.
func (f *Federation) announceLocal(name string, now time.Time) (again time.Time) {
	var entries [][]byte
	b := f.bridged[wire.HashRoom(name)]
	switch members := f.rooms.Shown(name); {
	case !f.global(name):
		if b != nil {
			b.ours, b.named = nil, nil
		}
	case b != nil || len(members) > 0:
		b = f.bridgedRoom(name)
		before := b.ours
		b.ours = make(map[wire.MemberID]ourMember, len(members))
		for _, m := range members {
			b.ours[m.ID] = ourMember{entry: m.Entry}
			entries = append(entries, m.Entry)
		}
		var leaving [][]byte
		leaving, again = b.keepLeaving(before, now)
		entries = append(entries, leaving...)
		f.untold[b] = time.Time{}
	}
	f.decide(func() { f.table.SetLocal(name, entries, now) })
	if again.IsZero() {
		f.forgetEmpty(wire.HashRoom(name))
	}
	return again
}

// keepLeaving adds to our members those who were there before and have just left. It returns their entries,
// and when the next of them is announced as gone.
func (b *bridged) keepLeaving(before map[wire.MemberID]ourMember,
	now time.Time) (entries [][]byte, next time.Time) {
	for id, m := range before {
		if _, here := b.ours[id]; here {
			continue
		}
		if m.left.IsZero() {
			m.left = now
		}
		if due := m.left.Add(lastWord); now.Before(due) {
			b.ours[id] = m
			entries = append(entries, m.entry)
			next = routing.Soonest(next, due)
		}
	}
	if !maps.EqualFunc(before, b.ours, func(ourMember, ourMember) bool { return true }) {
		if b.announced.Before(now) {
			b.announced = now
		}
		b.announced = b.announced.Add(announceRest)
	}
	if due := b.due(); !next.IsZero() && next.Before(due) {
		next = due
	}
	return entries, next
}
