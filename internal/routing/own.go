package routing

import (
	"bytes"
	"strings"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// version orders the states of a relay's part of a room. The zero version is before all others.
type version struct{ boot, sequence uint64 }

func versionOf(r *wire.RoomRecord) version { return version{r.Boot, r.Sequence} }

func (v version) less(o version) bool {
	return v.boot < o.boot || v.boot == o.boot && v.sequence < o.sequence
}

func (v version) max(o version) version {
	if v.less(o) {
		return o
	}
	return v
}

// sameRecord reports whether two records are the same, signature included: what is known of one is known of
// the other.
func sameRecord(a, b *wire.RoomRecord) bool {
	return a.Boot == b.Boot && a.Sequence == b.Sequence && a.Members == b.Members && a.Digest == b.Digest &&
		a.Home == b.Home && a.Room == b.Room && bytes.Equal(a.Signature, b.Signature)
}

// emptyDigest is that of a record without members.
var emptyDigest = wire.MemberDigest(nil)

// authentic reports whether pt's home signed r. Several links bring the same record; it is verified once.
func (t *Table) authentic(pt *part, r *wire.RoomRecord) *refusal {
	if pt != nil {
		known := pt.recordOf(versionOf(r))
		switch {
		case known == nil:
		case sameRecord(known, r):
			return nil
		case t.verify(r):
			return refusedOther
		default:
			return refusedSigned
		}
	}
	if !t.verify(r) {
		return refusedSigned
	}
	if r.Members == 0 && r.Digest != emptyDigest {
		return refusedDigest
	}
	return nil
}

func (t *Table) verify(r *wire.RoomRecord) bool {
	t.verified++
	return r.Verify()
}

// recordOf returns the verified record of a version, if it is kept.
func (pt *part) recordOf(v version) *wire.RoomRecord {
	if pt.content.version == v && pt.content.signed() {
		return &pt.content.record
	}
	for _, n := range pt.pending {
		if n.version == v {
			return &n.record
		}
	}
	return nil
}

// mostSteps is how many messages a change of our own members is spread over. A bigger one is made in one
// version, and peers fetch the list.
const mostSteps = 32

// SetLocal says who of our own members is in a room now; none if the room is not global. The entries, which
// must not change afterwards, were checked by the caller. It makes the change in versions whose difference
// fits a message, and signs each.
func (t *Table) SetLocal(room string, entries [][]byte, now time.Time) {
	key := PartKey{t.self, wire.HashRoom(room)}
	pt := t.parts[key]
	had := pt != nil
	var members []member
	if t.isGlobal(room) {
		members, _ = sortMembers(entries)
	}
	switch {
	case !had && len(members) == 0:
		return
	case !had:
		pt = &part{key: key, home: t.identity.Public(), room: room, own: true}
		t.parts[key] = pt
	}
	for _, step := range ownSteps(room, pt.content.members, members) {
		t.publish(pt, step, now)
	}
	if len(members) == 0 {
		t.forget(pt, now)
	}
	if had == (len(members) > 0) {
		return
	}
	for _, other := range t.partsIn(key.Room) {
		t.update(other, now) // whether we want its media may have changed
	}
}

// publish makes a version of our own part, signs it and announces it.
func (t *Table) publish(pt *part, members []member, now time.Time) {
	t.sequence++
	record := wire.RoomRecord{Room: pt.room, Boot: t.boot, Sequence: t.sequence,
		Members: uint32(len(members)), Digest: digestOf(members)}
	record.Sign(t.identity)
	t.setContent(pt, nil, &record, members, now)
}

// ownSteps returns the lists that lead from one to the other, in steps whose announcement fits a message for
// everybody who passes it on. Who joined comes first, so that the list is not empty in between, which would
// end the part.
func ownSteps(room string, from, to []member) (steps [][]member) {
	left, joined := difference(from, to)
	if len(left)+len(joined) == 0 {
		return nil
	}
	const space, perID = wire.MaxUrgent, len(wire.MemberID{})
	overhead := overheadOf(room)
	used, list := overhead, from
	var in, out []member
	flush := func() {
		list = edited(list, in, idsOf(out))
		steps, in, out, used = append(steps, list), nil, nil, overhead
	}
	for _, p := range joined {
		if size := 2 + len(p.entry); used+size > space {
			flush()
		}
		in, used = append(in, p), used+2+len(p.entry)
	}
	for _, p := range left {
		if used+perID > space {
			flush()
		}
		out, used = append(out, p), used+perID
	}
	flush()
	if len(steps) > mostSteps {
		return [][]member{to}
	}
	return steps
}

// overheadOf is the size of the longest announcement of a room without ids and entries.
func overheadOf(room string) int {
	const most = 1<<62 - 1
	m := wire.FederationRoom{
		Serial: most, Base: most,
		Path: make([]wire.RelayID, wire.MaxHops), Label: strings.Repeat("x", wire.MaxName),
		Record: wire.RoomRecord{Room: room, Sequence: most, Members: 1<<32 - 1},
	}
	return wire.Size(&m) + 1 // the number of ids may take two bytes
}
