package routing

import (
	"cmp"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// content is who is in a part, as its home signed it.
type content struct {
	record  wire.RoomRecord // its signature was verified
	version version
	members []member  // sorted by hash, and so by member id; immutable; none is refused
	since   time.Time // it is known
	source  *peer     // whose limit it counts for; nil: our own
}

// signed reports whether there is a record: a part begins without one.
func (c *content) signed() bool { return c.record.Signature != nil }

// news is a version that was announced and cannot be reached yet: a version between is missing, or the whole
// list.
type news struct {
	record  wire.RoomRecord // verified
	version version
	base    uint64
	left    []wire.MemberID
	joined  []member // checked
	bare    bool     // path and version only
	from    *peer
}

// apply returns the list that n makes of c, and whether it is the one that the home signed. The base only
// says where it should start; what counts is the digest.
func (n *news) apply(c *content) (list []member, ok bool) {
	list = n.joined
	if n.base != 0 {
		list = edited(c.members, n.joined, n.left)
	}
	return list, signedList(&n.record, list)
}

// acceptContent takes the version and the members of a message whose record was verified.
func (t *Table) acceptContent(pt *part, q *peer, m *wire.FederationRoom, now time.Time) {
	v := versionOf(&m.Record)
	switch {
	case !pt.content.version.less(v), !pt.bad.less(v):
	case m.Record.Members == 0:
		t.end(pt, q, &m.Record, now)
	default:
		n := &news{record: m.Record, version: v, base: m.Base, left: m.Left, from: q}
		n.bare = m.Base == 0 && len(m.Joined) == 0 || isShaky(m)
		if t.queue(pt, n) {
			n.joined = pt.checkAll(m.Joined) // now: when n is applied, others that waited are, too
		}
		t.advance(pt, now)
		t.tryList(pt, now)
	}
	if pt.forgotten {
		return
	}
	if pt.content.version.boot < t.homes[pt.key.Home].boot && pt.content.signed() {
		t.holdContent(pt, content{since: now}) // the home restarted, and the new list is not here yet
	}
	t.planFetch(pt, m.Base == 0 && !pt.content.signed(), now)
}

// end takes that the home's part of the room is over. Routes to what was before are void, whoever announced
// them.
func (t *Table) end(pt *part, q *peer, r *wire.RoomRecord, now time.Time) {
	t.setContent(pt, q, r, nil, now)
	for _, a := range t.states(pt.key) {
		if a.route != nil && !pt.content.version.less(a.route.version) {
			a.route = nil
		}
	}
	t.dropOld(pt)
}

// queue adds n to the news that wait, of which there is one for each version. It reports whether n's change
// will be used.
func (t *Table) queue(pt *part, n *news) bool {
	i, found := slices.BinarySearchFunc(pt.pending, n.version, compareNews)
	switch {
	case found && (n.bare || !pt.pending[i].bare && pt.pending[i].base <= n.base):
		return false // no better than what is there
	case found:
		pt.pending[i] = n
		return !n.bare
	case t.pending >= t.limits.newsTotal:
		n.bare, n.left, n.joined = true, nil, nil // the list is fetched, but the record is needed for that
	}
	pt.pending = slices.Insert(pt.pending, i, n)
	t.pending++
	if len(pt.pending) > t.limits.news || len(pt.pending) > 1 && t.pending > t.limits.newsTotal {
		pt.pending = slices.Delete(pt.pending, 0, 1) // a list that is fetched is newer than the oldest
		t.pending--
		return !n.bare && i > 0
	}
	return !n.bare
}

func compareNews(n *news, v version) int {
	return cmp.Or(cmp.Compare(n.version.boot, v.boot), cmp.Compare(n.version.sequence, v.sequence))
}

// dropOld removes the news that the content has overtaken.
func (t *Table) dropOld(pt *part) {
	n := 0
	for n < len(pt.pending) && !pt.content.version.less(pt.pending[n].version) {
		n++
	}
	pt.pending = slices.Delete(pt.pending, 0, n)
	t.pending -= n
}

func (t *Table) dropPending(pt *part) {
	t.pending -= len(pt.pending)
	pt.pending = nil
}

// advance applies what news can be applied.
func (t *Table) advance(pt *part, now time.Time) {
	for i := 0; i < len(pt.pending); {
		n := pt.pending[i]
		complete := n.base == 0
		have := pt.content.version
		exact := complete || n.base == have.sequence && n.version.boot == have.boot
		if n.bare || !complete && (n.version.boot != have.boot || n.base > have.sequence) {
			i++
			continue
		}
		list, ok := n.apply(&pt.content)
		n.bare = true // whatever comes of it, it is not tried again
		joined := n.joined
		n.left, n.joined = nil, nil
		switch {
		case ok && t.admit(pt, n.from, n.version, list, joined, now):
			t.setContent(pt, n.from, &n.record, list, now)
			t.dropOld(pt)
			i = 0
		case !ok && exact:
			t.refuse(n.from.id, refusedDigest)
			i++
		default:
			i++
		}
	}
}

// admit checks what a list that the home signed adds to the content: whether there is space, and what was
// found of those that joined, which may be all of the list, when they came.
func (t *Table) admit(pt *part, from *peer, v version, list, joined []member, now time.Time) bool {
	if more := len(list) - len(pt.content.members); more > 0 &&
		(t.members+more > t.limits.total || from.members+more > t.limits.fromPeer) {
		t.refuse(from.id, refusedSpace)
		t.hide(pt, v, now) // who is in the old list may have left
		return false
	}
	for _, p := range joined {
		if p.refused != nil {
			t.refuse(from.id, p.refused)
			t.rejectContent(pt, v, now)
			return false
		}
	}
	return true
}

// rejectContent is for a version that the home signed and that is not taken, now or later. What was before is
// not true any more.
func (t *Table) rejectContent(pt *part, v version, now time.Time) {
	pt.bad, pt.highest, pt.floor = pt.bad.max(v), pt.highest.max(v), pt.floor.max(v)
	t.holdContent(pt, content{since: now})
}

// setContent makes a verified list that of the part, and tells everybody.
func (t *Table) setContent(pt *part, from *peer, r *wire.RoomRecord, list []member, now time.Time) {
	t.holdContent(pt, content{record: *r, version: versionOf(r), members: list, since: now, source: from})
	if pt.own {
		pt.highest = pt.content.version
	}
	for _, a := range t.states(pt.key) {
		a.tries = 0
	}
	t.update(pt, now)
}

// holdContent replaces the content and keeps the counts.
func (t *Table) holdContent(pt *part, c content) {
	if !pt.own {
		t.members += len(c.members) - len(pt.content.members)
		if pt.content.source != nil {
			pt.content.source.members -= len(pt.content.members)
		}
		if c.source != nil {
			c.source.members += len(c.members)
		}
	}
	pt.content = c
}
