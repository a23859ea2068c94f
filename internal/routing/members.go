package routing

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// member is a member's entry with its hash. It is a pointer to what never changes, and versions of a part
// share what they have in common, for a list of thousands is copied, and compared with the one before for
// each peer, at every change.
type member struct{ *memberEntry }

type memberEntry struct {
	hash    wire.EntryHash
	entry   []byte
	refused *refusal // why it cannot be in the part that it came for; nil: it can, or is our own member
}

// check returns an entry that came for the part as a member. Here is all that an entry costs: it is called
// for the entries of one message at a time, which has space for five that are long enough to have a
// signature; those that are in the content were verified. What is refused is kept, for it counts only if the
// home did sign the list.
func (pt *part) check(entry []byte) member {
	hash := wire.HashEntry(entry)
	if i, known := findHash(pt.content.members, &hash); known {
		return pt.content.members[i]
	}
	p := member{&memberEntry{hash: hash, entry: bytes.Clone(entry)}} // it would hold the whole message
	switch e, err := wire.ParseEntry(entry); {
	case err != nil:
		p.refused = refusedEntry
	case e.Room != pt.room || e.HomeRelay != pt.home:
		p.refused = refusedStranger
	}
	return p
}

// checkAll is check for the entries of an announcement, sorted. Whether there are two of one id the digest
// tells.
func (pt *part) checkAll(entries [][]byte) []member {
	if len(entries) == 0 {
		return nil
	}
	list := make([]member, len(entries))
	for i, entry := range entries {
		list[i] = pt.check(entry)
	}
	list, _ = sorted(list)
	return list
}

// sortMembers hashes and sorts entries. Where two have the same id, which nobody makes by accident, only the
// first is kept and ok is false.
func sortMembers(entries [][]byte) (list []member, ok bool) {
	list = make([]member, len(entries))
	for i, entry := range entries {
		list[i] = member{&memberEntry{hash: wire.HashEntry(entry), entry: entry}}
	}
	return sorted(list)
}

// sorted sorts list in place, unless it is sorted, and keeps one of those with the same id; ok is false if
// there were more.
func sorted(list []member) (_ []member, ok bool) {
	if !slices.IsSortedFunc(list, compareMembers) {
		slices.SortFunc(list, compareMembers)
	}
	n := len(list)
	list = slices.CompactFunc(list, func(a, b member) bool { return a.hash.Member() == b.hash.Member() })
	return list, len(list) == n
}

func compareMembers(a, b member) int {
	if a == b {
		return 0
	}
	return bytes.Compare(a.hash[:], b.hash[:])
}

// findHash returns where in a sorted list an entry is, or belongs.
func findHash(list []member, hash *wire.EntryHash) (at int, found bool) {
	return slices.BinarySearchFunc(list, hash, func(p member, hash *wire.EntryHash) int {
		return bytes.Compare(p.hash[:], hash[:])
	})
}

// findID returns where in a sorted list a member is, or belongs.
func findID(list []member, id wire.MemberID) (at int, found bool) {
	return slices.BinarySearchFunc(list, id, func(p member, id wire.MemberID) int {
		return bytes.Compare(p.hash[:len(id)], id[:])
	})
}

// digestOf is wire.MemberDigest without a copy of all hashes.
func digestOf(list []member) (digest [32]byte) {
	h := sha256.New()
	some := make([]byte, 0, 64*len(wire.EntryHash{})) // a write costs more than a copy
	for _, p := range list {
		if some = append(some, p.hash[:]...); len(some) == cap(some) {
			h.Write(some)
			some = some[:0]
		}
	}
	h.Write(some)
	h.Sum(digest[:0])
	return digest
}

// signedList reports whether a list is that of the record, sorted and with no id twice. The digest of 2000 is
// the dearest part of a small change, so this is called once for each version.
func signedList(r *wire.RoomRecord, list []member) bool {
	if len(list) != int(r.Members) {
		return false
	}
	for i := 1; i < len(list); i++ {
		const id = len(wire.MemberID{})
		if bytes.Compare(list[i-1].hash[:id], list[i].hash[:id]) >= 0 {
			return false
		}
	}
	return digestOf(list) == r.Digest
}

func entriesOf(list []member) [][]byte {
	if len(list) == 0 {
		return nil
	}
	entries := make([][]byte, len(list))
	for i := range list {
		entries[i] = list[i].entry
	}
	return entries
}

func idsOf(list []member) []wire.MemberID {
	if len(list) == 0 {
		return nil
	}
	ids := make([]wire.MemberID, len(list))
	for i := range list {
		ids[i] = list[i].hash.Member()
	}
	return ids
}

// difference returns who is only in one of two sorted lists. What is before and after a small change costs a
// comparison of pointers.
func difference(before, after []member) (left, joined []member) {
	if len(before) == len(after) && (len(before) == 0 || &before[0] == &after[0]) {
		return nil, nil
	}
	same := 0
	for same < min(len(before), len(after)) && before[same] == after[same] {
		same++
	}
	before, after = before[same:], after[same:]
	b, a := len(before), len(after)
	for b > 0 && a > 0 && before[b-1] == after[a-1] {
		b, a = b-1, a-1
	}
	before, after = before[:b], after[:a]
	for len(before) > 0 && len(after) > 0 {
		switch c := compareMembers(before[0], after[0]); {
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

// edited returns a sorted list without some ids and then with some members added, few enough for a message.
// What stays is copied in runs.
func edited(list, in []member, out []wire.MemberID) []member {
	gone := make([]int, 0, len(out))
	for _, id := range out {
		if at, found := findID(list, id); found {
			gone = append(gone, at)
		}
	}
	slices.Sort(gone)
	next := make([]member, 0, len(list)+len(in))
	from := 0
	for _, at := range slices.Compact(gone) {
		next = append(next, list[from:at]...)
		from = at + 1
	}
	next = append(next, list[from:]...)
	for _, p := range in {
		if at, found := findHash(next, &p.hash); !found {
			next = slices.Insert(next, at, p)
		}
	}
	return next
}
