package routing

import (
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// A trail is the last versions of a part, kept while a peer is behind. Where all that has changed since does
// not fit one message, they do, one by one, and the peer need not ask for the whole list.

const (
	mostTrail  = mostSteps // versions of one part, and so messages of one announcement
	mostTrails = 4096      // in all parts, 1 KiB each
)

// trail is a part's. The zero value is empty.
type trail struct {
	steps   []*wire.FederationRoom // each begins where the one before ends; without path and label
	version version
	members []member // of that version
}

// track notes how the part has changed, if a peer is behind.
func (t *Table) track(pt *part) {
	c, tr := &pt.content, &pt.trail
	if tr.version == c.version {
		return
	}
	before, members := tr.version, tr.members
	tr.version, tr.members = c.version, c.members
	if before.boot != c.version.boot || len(members) == 0 || len(c.members) == 0 || !t.isBehind(pt) {
		t.dropTrail(pt)
		return
	}
	left, joined := difference(members, c.members)
	tr.steps = append(tr.steps, &wire.FederationRoom{
		Record: c.record, Base: before.sequence, Left: idsOf(left), Joined: entriesOf(joined),
	})
	if t.trails++; len(tr.steps) > mostTrail {
		tr.steps = slices.Delete(tr.steps, 0, 1)
		t.trails--
	}
	if t.trails > mostTrails {
		t.dropTrail(pt)
	}
}

// isBehind reports whether an announcement of the part is under way to a peer, or waits.
func (t *Table) isBehind(pt *part) bool {
	for _, a := range t.states(pt.key) {
		if a.announcing.busy() {
			return true
		}
	}
	return false
}

func (t *Table) dropTrail(pt *part) {
	t.trails -= len(pt.trail.steps)
	pt.trail.steps = nil
}

// steps returns the messages that lead from what the peer was told to the newest version, of which m has path
// and label; nil if they are not known, or one is too long.
func (pt *part) steps(before *announced, m *wire.FederationRoom) (list []*wire.FederationRoom) {
	if before == nil || before.version.boot != m.Record.Boot {
		return nil
	}
	for _, step := range pt.trail.steps {
		if len(list) == 0 && step.Base != before.version.sequence {
			continue
		}
		next := *step
		next.Path, next.Label = m.Path, m.Label
		if wire.Size(&next) > wire.MaxUrgent {
			return nil
		}
		list = append(list, &next)
	}
	if n := len(list); n == 0 || versionOf(&list[n-1].Record) != versionOf(&m.Record) {
		return nil
	}
	return list
}
