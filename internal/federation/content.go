package federation

import (
	"bytes"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// content is who is in a part, as its home signed it.
type content struct {
	record  wire.RoomRecord // its signature was verified
	version version
	members []participant // sorted by hash, and so by member id; immutable
	since   time.Time     // it is known
	source  *neighbour    // whose limit it counts for; nil: our own
}

// signed reports whether there is a record: a part begins without one.
func (c *content) signed() bool { return c.record.Signature != nil }

// participant is a member's entry with its hash.
type participant struct {
	hash  wire.EntryHash
	entry []byte
}

// news is a version that was announced and cannot be reached yet: a version between is missing, or the whole list.
type news struct {
	record  wire.RoomRecord // verified
	version version
	base    uint64
	left    []wire.MemberID
	joined  []participant
	bare    bool // path and version only
	from    *neighbour
}

// sortParticipants hashes and sorts entries. Where two have the same id, which nobody makes by accident, only the first
// is kept and ok is false.
func sortParticipants(entries [][]byte) (list []participant, ok bool) {
	list = make([]participant, len(entries))
	for i, entry := range entries {
		list[i] = participant{wire.HashEntry(entry), entry}
	}
	slices.SortFunc(list, compareParticipants)
	n := len(list)
	list = slices.CompactFunc(list, func(a, b participant) bool { return a.hash.Member() == b.hash.Member() })
	return list, len(list) == n
}

func compareParticipants(a, b participant) int { return bytes.Compare(a.hash[:], b.hash[:]) }

func digestOf(list []participant) [32]byte {
	hashes := make([]wire.EntryHash, len(list))
	for i := range list {
		hashes[i] = list[i].hash
	}
	return wire.MemberDigest(hashes)
}

func entriesOf(list []participant) [][]byte {
	if len(list) == 0 {
		return nil
	}
	entries := make([][]byte, len(list))
	for i := range list {
		entries[i] = list[i].entry
	}
	return entries
}

func idsOf(list []participant) []wire.MemberID {
	if len(list) == 0 {
		return nil
	}
	ids := make([]wire.MemberID, len(list))
	for i := range list {
		ids[i] = list[i].hash.Member()
	}
	return ids
}

// difference returns who is only in one of two sorted lists.
func difference(before, after []participant) (left, joined []participant) {
	if len(before) == len(after) && (len(before) == 0 || &before[0] == &after[0]) {
		return nil, nil
	}
	for len(before) > 0 && len(after) > 0 {
		switch c := compareParticipants(before[0], after[0]); {
		case c < 0:
			left, before = append(left, before[0]), before[1:]
		case c > 0:
			joined, after = append(joined, after[0]), after[1:]
		default:
			before, after = before[1:], after[1:]
		}
	}
	return append(left, before...), append(joined, after...)
}

// patched returns a sorted list with participants added and taken out.
func patched(list, in, out []participant) []participant {
	gone := make(map[wire.EntryHash]bool, len(out))
	for _, p := range out {
		gone[p.hash] = true
	}
	next := make([]participant, 0, len(list)+len(in))
	for _, p := range list {
		if !gone[p.hash] {
			next = append(next, p)
		}
	}
	next = append(next, in...)
	slices.SortFunc(next, compareParticipants)
	return next
}

// apply returns the list that n makes of c, and whether it is the one that the home signed. The base only says where it
// should start; what counts is the digest.
func (n *news) apply(c *content) (list []participant, ok bool) {
	list = n.joined
	if n.base != 0 {
		gone := make(map[wire.MemberID]bool, len(n.left))
		for _, id := range n.left {
			gone[id] = true
		}
		list = make([]participant, 0, len(c.members)+len(n.joined))
		for _, p := range c.members {
			if !gone[p.hash.Member()] {
				list = append(list, p)
			}
		}
		list = append(list, n.joined...)
		slices.SortFunc(list, compareParticipants)
		list = slices.CompactFunc(list, func(a, b participant) bool { return a.hash == b.hash })
	}
	return list, signedList(&n.record, list)
}

// signedList reports whether a sorted list is that of the record, and no id is in it twice.
func signedList(r *wire.RoomRecord, list []participant) bool {
	if len(list) != int(r.Members) || digestOf(list) != r.Digest {
		return false
	}
	for i := 1; i < len(list); i++ {
		if list[i-1].hash.Member() == list[i].hash.Member() {
			return false
		}
	}
	return true
}

// learn takes the version and the participants of a message whose record was verified.
func (t *table) learn(pt *part, q *neighbour, m *wire.FederationRoom, now time.Time) {
	v := versionOf(&m.Record)
	switch {
	case !pt.content.version.less(v), !pt.bad.less(v):
	case m.Record.Members == 0:
		t.end(pt, q, &m.Record, now)
	default:
		n := &news{record: m.Record, version: v, base: m.Base, left: m.Left, from: q}
		n.bare = m.Base == 0 && len(m.Joined) == 0 || isShaky(m)
		if !n.bare {
			n.joined, _ = sortParticipants(m.Joined) // whose digest tells whether it was changed
		}
		t.queue(pt, n)
		t.advance(pt, now)
		t.tryList(pt, now)
	}
	if pt.forgotten {
		return
	}
	if pt.content.version.boot < t.homes[pt.key.home].boot && pt.content.signed() {
		t.holdContent(pt, content{since: now}) // the home restarted, and the new list is not here yet
	}
	t.planFetch(pt, m.Base == 0 && !pt.content.signed(), now)
}

// end takes that the home's part of the room is over. Routes to what was before are void, whoever announced them.
func (t *table) end(pt *part, q *neighbour, r *wire.RoomRecord, now time.Time) {
	t.setContent(pt, q, r, nil, now)
	for _, o := range t.order {
		if a := o.parts[pt.key]; a != nil && a.route != nil && !pt.content.version.less(a.route.version) {
			a.dropRoute(o)
		}
	}
	t.dropOld(pt)
}

// queue adds n to the news that wait, of which there is one for each version.
func (t *table) queue(pt *part, n *news) {
	i, found := slices.BinarySearchFunc(pt.pending, n.version, compareNews)
	switch {
	case found && (n.bare || !pt.pending[i].bare && pt.pending[i].base <= n.base):
		return // no better than what is there
	case found:
		pt.pending[i] = n
		return
	case t.pending >= t.limits.newsTotal:
		n.bare, n.left, n.joined = true, nil, nil // the list is fetched, but the record is needed for that
	}
	pt.pending = slices.Insert(pt.pending, i, n)
	t.pending++
	if len(pt.pending) > t.limits.news || len(pt.pending) > 1 && t.pending > t.limits.newsTotal {
		pt.pending = slices.Delete(pt.pending, 0, 1) // a list that is fetched is newer than the oldest
		t.pending--
	}
}

func compareNews(n *news, v version) int {
	switch {
	case n.version.less(v):
		return -1
	case v.less(n.version):
		return 1
	}
	return 0
}

// dropOld removes the news that the content has overtaken.
func (t *table) dropOld(pt *part) {
	n := 0
	for n < len(pt.pending) && !pt.content.version.less(pt.pending[n].version) {
		n++
	}
	pt.pending = slices.Delete(pt.pending, 0, n)
	t.pending -= n
}

func (t *table) dropPending(pt *part) {
	t.pending -= len(pt.pending)
	pt.pending = nil
}

// advance applies what news can be applied.
func (t *table) advance(pt *part, now time.Time) {
	for i := 0; i < len(pt.pending); {
		n := pt.pending[i]
		complete := n.base == 0
		exact := complete || n.base == pt.content.version.sequence && n.version.boot == pt.content.version.boot
		if n.bare || !complete && (n.version.boot != pt.content.version.boot || n.base > pt.content.version.sequence) {
			i++
			continue
		}
		list, ok := n.apply(&pt.content)
		n.bare = true // whatever comes of it, it is not tried again
		n.left, n.joined = nil, nil
		switch {
		case ok && t.admit(pt, n.from, n.version, list, now):
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

// admit checks what a list adds to the content: the entries, and whether there is space.
func (t *table) admit(pt *part, from *neighbour, v version, list []participant, now time.Time) bool {
	_, joined := difference(pt.content.members, list)
	if more := len(list) - len(pt.content.members); more > 0 &&
		(t.participants+more > t.limits.total || from.members+more > t.limits.fromPeer) {
		t.refuse(from.id, refusedSpace)
		pt.fetch.notBefore = now.Add(spacePause)
		return false
	}
	for _, p := range joined {
		e, err := wire.ParseEntry(p.entry)
		switch {
		case err != nil:
			t.refuse(from.id, refusedEntry)
		case e.Room != pt.room || e.HomeRelay != pt.home:
			t.refuse(from.id, refusedStranger)
		default:
			continue
		}
		t.rejectContent(pt, v, now)
		return false
	}
	for i := range list {
		j, known := slices.BinarySearchFunc(pt.content.members, list[i], compareParticipants)
		if known {
			list[i] = pt.content.members[j]
		} else {
			list[i].entry = bytes.Clone(list[i].entry) // it would hold the whole message
		}
	}
	return true
}

// rejectContent is for a version that the home signed and that is not taken, now or later. What was before is not true any more.
func (t *table) rejectContent(pt *part, v version, now time.Time) {
	pt.bad, pt.highest, pt.floor = pt.bad.max(v), pt.highest.max(v), pt.floor.max(v)
	t.holdContent(pt, content{since: now})
}

// setContent makes a verified list that of the part, and tells everybody.
func (t *table) setContent(pt *part, from *neighbour, r *wire.RoomRecord, list []participant, now time.Time) {
	t.holdContent(pt, content{record: *r, version: versionOf(r), members: list, since: now, source: from})
	if pt.own {
		pt.highest = pt.content.version
	}
	for _, q := range t.order {
		if a := q.parts[pt.key]; a != nil {
			a.tries = 0
		}
	}
	t.update(pt, now)
}

// holdContent replaces the content and keeps the counts.
func (t *table) holdContent(pt *part, c content) {
	if !pt.own {
		t.participants += len(c.members) - len(pt.content.members)
		if pt.content.source != nil {
			pt.content.source.members -= len(pt.content.members)
		}
		if c.source != nil {
			c.source.members += len(c.members)
		}
	}
	pt.content = c
}
