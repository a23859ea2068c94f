package routing

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestEntriesAreCheckedAsTheyCome says that the signatures of a list are not left for its last piece, nor
// those of news for the one that closes the gap, and that what is in the content is not verified again.
func TestEntriesAreCheckedAsTheyCome(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, peer := r.home(1), r.home(2).up()
	entries := home.entries("ops", 9)
	peer.says(r.announce(home.record("ops", entries[:3]), entries[:3], peer, home))
	pt := r.table.parts[PartKey{home.id, wire.HashRoom("ops")}]
	first := pt.content.members

	forged := bytes.Clone(entries[8])
	forged[100] ^= 1
	home.sequence++ // this one does not come
	m := r.announce(home.record("ops", append(entries[:4:4], forged)), [][]byte{forged}, peer, home)
	m.Base = home.sequence - 1
	peer.says(m)
	if len(pt.pending) != 1 || len(pt.pending[0].joined) != 1 ||
		pt.pending[0].joined[0].refused != refusedEntry {
		t.Error("an entry of news that wait was not checked")
	}

	record := home.record("ops", entries[:8])
	peer.says(r.announce(record, nil, peer, home))
	r.wait(time.Second)
	pieces := peer.pieces(record, entries[:8], 3)
	have := 0
	for i, piece := range pieces[:2] {
		peer.says(piece)
		have += len(piece.Entries)
		for at, p := range pt.fetch.list[:have] {
			known := slices.ContainsFunc(first, func(o member) bool { return o.hash == p.hash })
			if p.refused != nil || known != slices.Contains(first, p) {
				t.Errorf("after piece %d: entry %d: refused %v; the one that was known is not used again",
					i, at, p.refused)
			}
		}
	}
	r.wantView(home, "ops", 3)
	peer.says(pieces[2])
	r.wantView(home, "ops", 8)
	for _, p := range first {
		if !slices.Contains(pt.content.members, p) {
			t.Error("what was known is there once more")
		}
	}
	r.wantProblem()
}

// TestFetchedEntriesOfNobody says who is believed when a piece has an entry that does not count: if the home
// signed the list, nobody is shown; if it did not, the peer made it up, and another one is asked.
func TestFetchedEntriesOfNobody(t *testing.T) {
	for _, signed := range []bool{true, false} {
		r := newTableRig(t, defaultLimits())
		home, peer := r.home(1), r.home(2).up()
		entries := home.entries("ops", 7)
		peer.says(r.announce(home.record("ops", entries[:2]), entries[:2], peer, home))
		list := slices.Clone(entries)
		list[4] = bytes.Clone(list[4])
		list[4][100] ^= 1
		record := home.record("ops", entries)
		if signed {
			home.sequence--
			record = home.record("ops", list)
		}
		peer.says(r.announce(record, nil, peer, home))
		r.wait(time.Second)
		r.outbox = nil
		pieces := peer.pieces(record, list, 2)
		for _, piece := range pieces[:3] {
			peer.says(piece)
		}
		r.wantProblem() // it is not known yet whose fault it is
		r.wantView(home, "ops", 2)
		peer.says(pieces[3])
		r.wantProblem(problemContent)
		r.wait(time.Minute)
		asked := r.took(peer.id, wire.UrgentFederationFetch)
		if signed {
			r.wantView(home, "ops", 0)
		} else {
			r.wantView(home, "ops", 2)
		}
		if (asked > 0) == signed {
			t.Errorf("signed %v: asked %d times for the list", signed, asked)
		}
	}
}

// TestListInOrder says that the entries of a list come by member id, each once.
func TestListInOrder(t *testing.T) {
	for name, change := range map[string]func(list [][]byte) [][]byte{
		"swapped": func(list [][]byte) [][]byte { list[1], list[2] = list[2], list[1]; return list },
		"twice":   func(list [][]byte) [][]byte { list[2] = list[1]; return list },
	} {
		r := newTableRig(t, defaultLimits())
		home, peer := r.home(1), r.home(2).up()
		entries := home.entries("ops", 4)
		record := home.record("ops", entries)
		peer.says(r.announce(record, nil, peer, home))
		r.wait(time.Second)
		piece := peer.pieces(record, entries, 4)[0]
		piece.Entries = change(piece.Entries)
		peer.says(piece)
		r.wantProblem(problemContent)
		if r.wantView(home, "ops", 0); t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestFewSignaturesInAMessage bounds what a message may cost.
func TestFewSignaturesInAMessage(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	shortest, err := wire.SignEntry(testMember, wire.MemberEntry{Room: "x", HomeRelay: r.identity.Public()})
	if err != nil {
		t.Fatal(err)
	}
	if n := wire.MaxUrgent / len(shortest); n > 5 {
		t.Errorf("a message has space for %d entries", n)
	}
}

// TestLists compares what is done to sorted lists with what is obviously right.
func TestLists(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	all := make([][]byte, 400)
	for i := range all {
		all[i] = binaryEntry(rng)
	}
	list, _ := sortMembers(all)
	all = entriesOf(list)
	some := func(p float64) (list [][]byte) {
		for _, entry := range all {
			if rng.Float64() < p {
				list = append(list, entry)
			}
		}
		return list
	}
	for range 200 {
		a, b := some(rng.Float64()), some(rng.Float64())
		before, _ := sortMembers(a)
		after, _ := sortMembers(b)
		shuffled := slices.Clone(b)
		rng.Shuffle(len(b), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, _ := sortMembers(shuffled)
		if !slices.EqualFunc(after, again, func(x, y member) bool { return x.hash == y.hash }) {
			t.Fatal("sortMembers needs an order")
		}
		for i, p := range after {
			if at, known := findHash(before, &p.hash); known && rng.IntN(2) == 0 {
				after[i] = before[at] // as in versions that follow each other
			}
		}
		left, joined := difference(before, after)
		if len(before)-len(left)+len(joined) != len(after) {
			t.Fatal("the difference is too long")
		}
		out := idsOf(left)
		rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		out = append(out, out[:len(out)/3]...) // a hostile message may name one twice
		again = edited(before, joined, append(out, wire.MemberID{}))
		if !slices.EqualFunc(again, after, func(x, y member) bool { return x.hash == y.hash }) {
			t.Fatal("edited does not undo difference")
		}
		hashes := make([]wire.EntryHash, len(after))
		for i, p := range after {
			hashes[i] = p.hash
		}
		if digestOf(after) != wire.MemberDigest(hashes) {
			t.Fatalf("the digest of %d is wrong", len(after))
		}
	}
}

func binaryEntry(rng *rand.Rand) []byte {
	entry := make([]byte, 8)
	for i := range entry {
		entry[i] = byte(rng.Uint32())
	}
	return entry
}

// TestSameIDTwice says that a list in which two members have the same id is not taken, whoever signed it.
func TestSameIDTwice(t *testing.T) {
	one := member{&memberEntry{hash: wire.EntryHash{1, 2, 3, 4, 5, 6, 7}}}
	other := member{&memberEntry{hash: wire.EntryHash{1, 2, 3, 4, 5, 6, 8}}}
	list := []member{one, other}
	if signedList(&wire.RoomRecord{Members: 2, Digest: digestOf(list)}, list) {
		t.Error("two members with one id were taken")
	}
}

// TestManyAreShownInSteps: a crowd is not shown all at once, for packets wait meanwhile, but soon, and those
// who left in between never.
func TestManyAreShownInSteps(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	peer := r.home(1).up()
	entries := peer.entries("ops", 1000)
	record := peer.record("ops", entries)
	peer.says(r.announce(record, nil, peer))
	for _, piece := range peer.pieces(record, entries, 4) {
		peer.says(piece)
	}
	r.wantView(peer, "ops", showMost)
	r.wait(showPause)
	r.wantView(peer, "ops", 2*showMost)
	sorted, _ := sortMembers(entries)
	last := sorted[len(sorted)-1]
	less := peer.record("ops", entriesOf(sorted[:len(sorted)-1]))
	m := r.announce(less, nil, peer)
	m.Base, m.Left = record.Sequence, idsOf([]member{last})
	peer.says(m)
	r.wait(time.Second)
	r.wantView(peer, "ops", 999)
	r.wantProblem()
	r.table.down(peer.id, r.net.now)
	r.wait(time.Minute)
	r.wantView(peer, "ops", 0)
}
