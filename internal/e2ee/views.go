package e2ee

import (
	"maps"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Times and bounds of docs/protocol.md, section 7.2, "Differing views".
const (
	viewPast     = 3 * time.Second  // how far back own views count: news reach us before the talker, or after
	viewSpan     = 10 * time.Second // how long a talker's may differ
	maxViews     = 256              // own views that are remembered
	maxDiffering = 8                // views of a talker that match none
)

// askAfter is when a talker is asked for a new header, counted from its first view that matched none.
var askAfter = [...]time.Duration{3 * time.Second, 6 * time.Second}

// Views compares the member digests that talkers send with our own views of the room, and says when a talker
// has seen another room than we for too long: then a relay may have shown one of us a member that the other
// does not know of. The zero value is ready. One goroutine at a time may use it.
//
//	a digest that matches no view of the last 3 s
//	   |-- 3 s: ask -- 6 s: ask -- 10 s: warn, once
//	   +-- until it, or one that came later, matches a view
type Views struct {
	started bool // there is a view of our own
	current [32]byte
	past    []pastView // ascending
	talkers map[wire.MemberID]*talkerViews
}

// pastView is a view that was ours.
type pastView struct {
	digest [32]byte
	until  time.Time
}

// talkerViews is a talker with views that match none of ours.
type talkerViews struct {
	differing []differingView // each digest once, in the order in which they last came; at least one
	asked     int             // how many entries of askAfter are done
	warned    bool
}

type differingView struct {
	digest [32]byte
	since  time.Time // since when nothing matched, as far as this digest says
	latest time.Time // when it last came
}

// Mine says what we see now. Times run from the first view.
func (v *Views) Mine(digest [32]byte, now time.Time) {
	switch {
	case !v.started:
		v.started = true
		for _, talker := range v.talkers {
			for i := range talker.differing {
				talker.differing[i].since, talker.differing[i].latest = now, now
			}
		}
	case digest == v.current:
		return
	default:
		v.past = append(v.past, pastView{v.current, now})
		v.prune(now)
	}
	v.current = digest
	for id, talker := range v.talkers {
		for i := len(talker.differing) - 1; i >= 0; i-- {
			if talker.differing[i].digest == digest {
				v.matched(id, talker, i)
				break
			}
		}
	}
}

// prune forgets views that are too old, or too many.
func (v *Views) prune(now time.Time) {
	old := 0
	for old < len(v.past) && (len(v.past)-old > maxViews || now.Sub(v.past[old].until) > viewPast) {
		old++
	}
	v.past = slices.Delete(v.past, 0, old)
}

// matched notes that a view of a talker was ours, too. It settles what came before it last came.
func (v *Views) matched(id wire.MemberID, talker *talkerViews, i int) {
	settled := talker.differing[i].latest
	for j := i + 1; j < len(talker.differing); j++ {
		if view := &talker.differing[j]; view.since.Before(settled) {
			view.since = settled
		}
	}
	talker.differing = slices.Delete(talker.differing, 0, i+1)
	talker.asked, talker.warned = 0, false
	if len(talker.differing) == 0 {
		delete(v.talkers, id)
	}
}

// Theirs says what a talker saw when it signed a key that was accepted, or sealed a frame. The same digest
// may come again and again: it differs since it came first.
func (v *Views) Theirs(sender wire.MemberID, digest [32]byte, now time.Time) {
	v.prune(now)
	isOurs := func(past pastView) bool { return past.digest == digest }
	if v.started && (digest == v.current || slices.ContainsFunc(v.past, isOurs)) {
		delete(v.talkers, sender)
		return
	}
	if v.talkers == nil {
		v.talkers = map[wire.MemberID]*talkerViews{}
	}
	talker := v.talkers[sender]
	if talker == nil {
		talker = &talkerViews{}
		v.talkers[sender] = talker
	}
	talker.add(digest, now)
}

// add notes that a talker had a view that matches none of ours. One that it had before becomes the last.
func (p *talkerViews) add(digest [32]byte, now time.Time) {
	view := differingView{digest: digest, since: now, latest: now}
	if i := slices.IndexFunc(p.differing, func(o differingView) bool { return o.digest == digest }); i >= 0 {
		view.since = p.differing[i].since
		p.differing = slices.Delete(p.differing, i, i+1)
	}
	p.differing = append(p.differing, view)
	if len(p.differing) > maxDiffering {
		p.differing[1].since = p.since() // the second replaces the first, but nothing matched since then
		p.differing = slices.Delete(p.differing, 0, 1)
	}
}

// since returns since when no view of a talker matched one of ours.
func (p *talkerViews) since() time.Time {
	return slices.MinFunc(p.differing, func(a, b differingView) int { return a.since.Compare(b.since) }).since
}

// Retain forgets the talkers who are not inside.
func (v *Views) Retain(inside func(wire.MemberID) bool) {
	maps.DeleteFunc(v.talkers, func(id wire.MemberID, _ *talkerViews) bool { return !inside(id) })
}

// Due returns whom to ask for a new header and of whom to warn the user, in the order of member ids, each
// once; and when there is more to do (zero: not without another input).
func (v *Views) Due(now time.Time) (ask, warn []wire.MemberID, next time.Time) {
	if !v.started {
		return nil, nil, time.Time{}
	}
	for id, talker := range v.talkers {
		since := talker.since()
		asked := talker.asked
		for talker.asked < len(askAfter) && !now.Before(since.Add(askAfter[talker.asked])) {
			talker.asked++
		}
		if talker.asked > asked {
			ask = append(ask, id)
		}
		if !talker.warned && !now.Before(since.Add(viewSpan)) {
			talker.warned = true
			warn = append(warn, id)
		}
		switch {
		case talker.asked < len(askAfter):
			next = Soonest(next, since.Add(askAfter[talker.asked]))
		case !talker.warned:
			next = Soonest(next, since.Add(viewSpan))
		}
	}
	slices.SortFunc(ask, wire.MemberID.Compare)
	slices.SortFunc(warn, wire.MemberID.Compare)
	return ask, warn, next
}
