package federation

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// participant is a member's entry with its hash. It is a pointer to what never changes, and versions of a part share
// what they have in common, for a list of thousands is copied, and compared with the one before for each peer, at
// every change.
type participant struct{ *memberEntry }

type memberEntry struct {
	hash    wire.EntryHash
	entry   []byte
	refused *refusal // why it cannot be in the part that it came for; nil: it can, or is our own member
}

// check returns an entry that came for the part as a participant. Here is all that an entry costs: it is called for the
// entries of one message at a time, which has space for five that are long enough to have a signature; those that are in the
// content were verified. What is refused is kept, for it counts only if the home did sign the list.
func (pt *part) check(entry []byte) participant {
	hash := wire.HashEntry(entry)
	if i, known := findHash(pt.content.members, &hash); known {
		return pt.content.members[i]
	}
	p := participant{&memberEntry{hash: hash, entry: bytes.Clone(entry)}} // it would hold the whole message
	switch e, err := wire.ParseEntry(entry); {
	case err != nil:
		p.refused = refusedEntry
	case e.Room != pt.room || e.HomeRelay != pt.home:
		p.refused = refusedStranger
	}
	return p
}

// checkAll is check for the entries of an announcement, sorted. Whether there are two of one id the digest tells.
func (pt *part) checkAll(entries [][]byte) []participant {
	if len(entries) == 0 {
		return nil
	}
	list := make([]participant, len(entries))
	for i, entry := range entries {
		list[i] = pt.check(entry)
	}
	list, _ = sorted(list)
	return list
}

// sortParticipants hashes and sorts entries. Where two have the same id, which nobody makes by accident, only the first
// is kept and ok is false.
func sortParticipants(entries [][]byte) (list []participant, ok bool) {
	list = make([]participant, len(entries))
	for i, entry := range entries {
		list[i] = participant{&memberEntry{hash: wire.HashEntry(entry), entry: entry}}
	}
	return sorted(list)
}

// sortLike is sortParticipants for entries most of which are in a sorted list, and in its order: those are not hashed again.
func sortLike(entries [][]byte, known []participant) []participant {
	list := make([]participant, len(entries))
	for i, entry := range entries {
		if len(known) > 0 && bytes.Equal(entry, known[0].entry) {
			list[i], known = known[0], known[1:]
			continue
		}
		hash := wire.HashEntry(entry)
		at, found := findHash(known, &hash)
		if found {
			list[i] = known[at]
			at++
		} else {
			list[i] = participant{&memberEntry{hash: hash, entry: entry}}
		}
		known = known[at:]
	}
	list, _ = sorted(list)
	return list
}

// sorted sorts list in place, unless it is sorted, and keeps one of those with the same id; ok is false if there were more.
func sorted(list []participant) (_ []participant, ok bool) {
	if !slices.IsSortedFunc(list, compareParticipants) {
		slices.SortFunc(list, compareParticipants)
	}
	n := len(list)
	list = slices.CompactFunc(list, func(a, b participant) bool { return a.hash.Member() == b.hash.Member() })
	return list, len(list) == n
}

func compareParticipants(a, b participant) int {
	if a == b {
		return 0
	}
	return bytes.Compare(a.hash[:], b.hash[:])
}

// findHash returns where in a sorted list an entry is, or belongs.
func findHash(list []participant, hash *wire.EntryHash) (at int, found bool) {
	return slices.BinarySearchFunc(list, hash, func(p participant, hash *wire.EntryHash) int {
		return bytes.Compare(p.hash[:], hash[:])
	})
}

// findID returns where in a sorted list a member is, or belongs.
func findID(list []participant, id wire.MemberID) (at int, found bool) {
	return slices.BinarySearchFunc(list, id, func(p participant, id wire.MemberID) int {
		return bytes.Compare(p.hash[:len(id)], id[:])
	})
}

// digestOf is wire.MemberDigest without a copy of all hashes.
func digestOf(list []participant) (digest [32]byte) {
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

// signedList reports whether a list is that of the record, sorted and with no id twice. The digest of 2000 is the
// dearest part of a small change, so this is called once for each version.
func signedList(r *wire.RoomRecord, list []participant) bool {
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

// difference returns who is only in one of two sorted lists. What is before and after a small change costs a comparison
// of pointers.
func difference(before, after []participant) (left, joined []participant) {
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

// edited returns a sorted list without some ids and then with some participants added, few enough for a message. What
// stays is copied in runs.
func edited(list, in []participant, out []wire.MemberID) []participant {
	gone := make([]int, 0, len(out))
	for _, id := range out {
		if at, found := findID(list, id); found {
			gone = append(gone, at)
		}
	}
	slices.Sort(gone)
	next := make([]participant, 0, len(list)+len(in))
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
