package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestDeltasInAnyOrder feeds the changes of a room in every order, and each twice.
func TestDeltasInAnyOrder(t *testing.T) {
	orders := [][]int{}
	var permute func(done []int)
	permute = func(done []int) {
		if len(done) == 4 {
			orders = append(orders, slices.Clone(done))
		}
		for i := range 4 {
			if !slices.Contains(done, i) {
				permute(append(done, i))
			}
		}
	}
	permute(nil)
	r := newTableRig(t, defaultLimits())
	for n, order := range orders {
		home, peer := r.home(100+n), r.home(200+n).up()
		messages := make([]*wire.FederationRoom, 4)
		all := home.entries("ops", 5)
		messages[0] = r.announce(home.record("ops", all[:2]), all[:2], peer, home)
		messages[1] = r.announce(home.record("ops", all[:3]), all[2:3], peer, home)
		messages[2] = r.announce(home.record("ops", all[1:3]), nil, peer, home)
		messages[2].Left = []wire.MemberID{wire.EntryID(all[0])}
		messages[3] = r.announce(home.record("ops", all[1:5]), all[3:5], peer, home)
		for i := range messages[1:] {
			messages[i+1].Base = uint64(i + 1)
		}
		for _, i := range order {
			peer.says(messages[i])
			peer.says(messages[i])
			r.wait(10 * time.Millisecond)
		}
		r.wantView(home, "ops", 4)
		r.wait(time.Second)
		if r.took(peer.id, wire.UrgentFederationFetch) != 0 {
			t.Errorf("order %v: the list was asked for though nothing was missing", order)
		}
		r.wantProblem()
	}
}

// TestGapIsFetched says when the list is asked for, of whom, and how often.
func TestGapIsFetched(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, peer, other := r.home(1).up(), r.home(2).up(), r.home(3).up()
	all := home.entries("ops", 6)
	first := home.record("ops", all[:3])
	for _, p := range []*rigHome{peer, other} {
		p.says(r.announce(first, all[:3], p, home))
	}
	lost := home.record("ops", all[:4])
	third := home.record("ops", all[:5])
	for _, p := range []*rigHome{peer, other} {
		m := r.announce(third, all[4:5], p, home)
		m.Base = lost.Sequence
		p.says(m)
	}
	r.wait(gapWait - time.Millisecond)
	if r.took(peer.id, wire.UrgentFederationFetch)+r.took(other.id, wire.UrgentFederationFetch) > 0 {
		t.Error("the list was asked for before the gap could close")
	}
	r.wait(2 * time.Millisecond)
	asked, next := peer, other
	if other.id.Compare(peer.id) < 0 {
		asked, next = other, peer
	}
	if n := r.took(asked.id, wire.UrgentFederationFetch); n != 1 {
		t.Errorf("the better peer was asked %d times", n)
	}
	// It never answers. The other one is asked.
	r.wait(fetchSilence - 2*time.Millisecond)
	if len(r.outbox) > 0 {
		t.Error("somebody was asked too early")
	}
	r.wait(2 * time.Millisecond)
	if n := r.took(next.id, wire.UrgentFederationFetch); n != 1 {
		t.Errorf("the other peer was asked %d times", n)
	}
	pieces := next.pieces(third, all[:5], 2)
	next.says(pieces[2])
	next.says(pieces[0])
	// While the list is on its way, there is another change.
	fourth := home.record("ops", all)
	m := r.announce(fourth, all[5:], next, home)
	m.Base = third.Sequence
	next.says(m)
	r.wantView(home, "ops", 3)
	next.says(pieces[1])
	r.wantView(home, "ops", 6)
	r.wait(time.Minute)
	if len(r.outbox) > 0 &&
		r.took(asked.id, wire.UrgentFederationFetch)+r.took(next.id, wire.UrgentFederationFetch) > 0 {
		t.Error("somebody was asked for nothing")
	}
	r.wantProblem()
}

// TestSilentPeerIsAskedSeldom says that a peer that never answers is asked at growing intervals.
func TestSilentPeerIsAskedSeldom(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home, peer := r.home(1), r.home(2).up()
	peer.says(r.announce(home.record("ops", home.entries("ops", 20)), nil, peer, home))
	r.wait(10 * time.Minute)
	if n := r.took(peer.id, wire.UrgentFederationFetch); n < 15 || n > 30 {
		t.Errorf("it was asked %d times in 10 minutes", n)
	}
}

// TestRecordIsVerifiedOnce says that a record that several peers bring costs one signature.
func TestRecordIsVerifiedOnce(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	home := r.home(1).up()
	entries := home.entries("ops", 2)
	record := home.record("ops", entries)
	home.says(r.announce(record, entries, home))
	for i := range 6 {
		peer := r.home(10 + i).up()
		peer.says(r.announce(record, entries, peer, home))
	}
	if r.table.verified != 1 {
		t.Errorf("%d signatures were checked", r.table.verified)
	}
	// The same for news that wait.
	missed := home.record("ops", entries[:1])
	record = home.record("ops", entries)
	for i := range 6 {
		peer := r.home(10 + i)
		m := r.announce(record, entries[:1], peer, home)
		m.Base = missed.Sequence
		peer.says(m)
	}
	if r.table.verified != 2 {
		t.Errorf("%d signatures were checked", r.table.verified)
	}
}

// TestFetchIsAnswered says what a peer gets that asks, and that it cannot ask too often.
func TestFetchIsAnswered(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	self := &rigHome{rig: r, identity: r.identity, id: r.id}
	peer := r.home(2).up()
	entries := self.entries("ops", 100)
	r.table.local("ops", entries, r.net.now)
	r.wait(time.Second)
	r.outbox = nil
	fetch := &wire.FederationFetch{Home: r.id, Room: wire.HashRoom("ops")}
	peer.says(fetch)
	got := 0
	for _, m := range r.outbox {
		piece, err := wire.Parse[wire.FederationMembers](m.body)
		if err != nil || int(piece.First) != got || piece.Total != 100 {
			t.Fatalf("piece %+v, %v", piece, err)
		}
		got += len(piece.Entries)
	}
	if got != 100 {
		t.Errorf("%d entries came", got)
	}
	r.outbox = nil
	for range 8 {
		r.wait(time.Second)
		peer.says(fetch)
	}
	if r.took(peer.id, wire.UrgentFederationMembers) != 0 {
		t.Error("the same list was sent twice within seconds")
	}
	r.table.local("ops", entries[1:], r.net.now)
	peer.says(fetch)
	if r.took(peer.id, wire.UrgentFederationMembers) == 0 {
		t.Error("a new list was not sent")
	}
	peer.says(&wire.FederationFetch{Home: r.id, Room: wire.HashRoom("crew")})
	if len(r.outbox) > 0 {
		t.Error("a fetch of what was not announced was answered")
	}
}

// TestOwnChangesFit says that each version of our own members fits a message, whoever passes it on.
func TestOwnChangesFit(t *testing.T) {
	r := newTableRig(t, defaultLimits())
	self := &rigHome{rig: r, identity: r.identity, id: r.id}
	for _, n := range []int{1, 2, 3, 30, 90} {
		peer := r.home(2).up()
		entries := self.entries("ops", n)
		bare := 0
		r.table.local("ops", entries, r.net.now)
		r.ack()
		r.table.local("ops", append(self.entries("ops", 2), entries[n/2:]...), r.net.now)
		r.ack()
		for _, m := range r.outbox {
			got, err := wire.Parse[wire.FederationRoom](m.body)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Joined)+len(got.Left) == 0 {
				bare++
			}
			got.Path, got.Serial, got.Base = make([]wire.RelayID, 8), 1<<62-1, 1<<62-1
			got.Label = fmt.Sprintf("%064d", 1)
			if wire.Size(&got) > wire.MaxUrgent {
				t.Errorf("%d members: a message may grow to %d bytes", n, wire.Size(&got))
			}
		}
		if bare > 0 {
			t.Errorf("%d members: %d messages without a change", n, bare)
		}
		r.outbox = nil
		r.table.local("ops", nil, r.net.now)
		r.ack()
		if m := r.outbox; len(m) != 1 {
			t.Errorf("%d messages for the end of a room", len(m))
		}
		r.outbox = nil
		r.table.down(peer.id, r.net.now)
	}
}

// TestBigRooms lets rooms that do not fit a message go over several links, while they change.
func TestBigRooms(t *testing.T) {
	for _, delay := range []time.Duration{10 * time.Millisecond, 400 * time.Millisecond} {
		net := newTableNet(t, 4, 1)
		net.delay = delay
		net.connect(0, 1)
		net.connect(1, 2)
		net.connect(2, 3)
		net.connect(3, 1)
		net.join(0, "ops", 400)
		net.join(2, "ops", 90)
		for range 20 {
			net.run(net.random(2 * delay))
			net.join(0, "ops", 2)
			net.leave(0, "ops", 5)
		}
		net.settle()
		net.check()
		net.leave(0, "ops", 170)
		net.cut(1, 2)
		net.run(time.Second)
		net.connect(1, 2)
		net.settle()
		net.check()
	}
}
