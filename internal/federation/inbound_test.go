package federation

import (
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// nullReceiver is a room.Receiver of a member of another relay.
type nullReceiver struct{ _ byte }

func (*nullReceiver) SendMedia(*link.Tx, uint16, []byte, []byte) {}
func (*nullReceiver) SetAliasKnown(uint16, bool)                 {}
func (*nullReceiver) SendUrgent(wire.UrgentKind, []byte) error   { return nil }
func (*nullReceiver) SendUrgentThen(_ wire.UrgentKind, _ []byte, _ func(acked bool)) error {
	return nil
}
func (*nullReceiver) ReceivedWithin(time.Duration) bool { return true }

// inboundRoom is a room with members of another relay.
type inboundRoom struct {
	t     testing.TB
	rooms *room.Rooms
	hash  wire.RoomHash
}

func newInboundRoom(t testing.TB) *inboundRoom {
	return &inboundRoom{t,
		room.NewRooms(room.Limits{Rooms: 10, Members: 100, MemberRate: 32_000,
			RoomRate: 250_000}), wire.HashRoom("lab")}
}

// join adds a member whose entry is a text.
func (r *inboundRoom) join(entry string) *room.Member {
	r.t.Helper()
	from := room.FromPeer(wire.RelayID{1}, wire.RelayID{1}, wire.RelayID{})
	m, _, err := r.rooms.JoinRemote("lab", []byte(entry), from, new(nullReceiver), mediaEpoch)
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// find returns what looks for a talker in the room, as a newInbound needs it, and counts how often it did.
func (r *inboundRoom) find(kid wire.KID, looks *int) func() *room.Member {
	return func() *room.Member {
		*looks++
		return r.rooms.Find("lab", kid.Member())
	}
}

// newTestIntake returns an intake that takes what comes.
func newTestIntake() *intake { return newIntake(intakeLimits{}, new(intakeLog).reports()) }

// streamOf returns a stream that comes by a link.
func streamOf(kid int, by *intake) *inbound {
	return &inbound{key: dedupKey{kid: wire.KID(kid)}, intake: by}
}

// sweep forgets what is silent now.
func (d *dedups) sweep(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweepLocked(now)
}

// size returns how many streams are remembered.
func (d *dedups) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.streams)
}

func TestInboundTakesEachFrameOnce(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	kid := wire.MakeKID(r.join("someone").ID, 0, 0)
	key := dedupKey{r.hash, kid}
	d := newDedups(mediaEpoch)
	one, other := newTestIntake(), newTestIntake()
	a := newInbound(key, one, d, r.find(kid, &looks), mediaEpoch)
	b := newInbound(key, other, d, r.find(kid, &looks), mediaEpoch)
	if a == nil || b == nil || a.stream(mediaEpoch) == nil || a.stream(mediaEpoch) != b.stream(mediaEpoch) {
		t.Fatal("the stream was not found")
	}
	// While media moves from one link to the other, all frames come by both.
	for ctr := range uint64(100) {
		now := mediaTime(time.Duration(ctr) * 20 * time.Millisecond)
		if v := a.judge(ctr, now); v != forwarded {
			t.Fatalf("CTR %d: %v", ctr, v)
		}
		if v := b.judge(ctr, now.Add(time.Millisecond)); v != duplicate {
			t.Fatalf("CTR %d by the other link: %v", ctr, v)
		}
	}
	if v := b.judge(5000, mediaTime(2*time.Second)); v != forwarded {
		t.Errorf("%v", v)
	}
	if v := a.judge(100, mediaTime(2*time.Second)); v != late || v.String() != "late" {
		t.Errorf("%v", v)
	}
	if one.count(forwarded) != 100 || one.count(late) != 1 || one.count(duplicate) != 0 {
		t.Errorf("one link: %+v", &one.counts)
	}
	if other.count(forwarded) != 1 || other.count(duplicate) != 100 {
		t.Errorf("the other link: %+v", &other.counts)
	}
}

// Six talkers one after another, whose counters start equal, and one of them again with its next key, and in
// another room.
func TestInboundTalkersThatFollowEachOther(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	d, in := newDedups(mediaEpoch), newTestIntake()
	now := mediaEpoch
	talk := func(hash wire.RoomHash, kid wire.KID) {
		t.Helper()
		b := newInbound(dedupKey{hash, kid}, in, d, r.find(kid, &looks), now)
		if b == nil {
			t.Fatalf("%v has no stream", kid)
		}
		for ctr := range uint64(10) {
			now = now.Add(time.Millisecond)
			if v := b.judge(ctr, now); v != forwarded {
				t.Errorf("%v: CTR %d: %v", kid, ctr, v)
			}
		}
	}
	var first wire.MemberID
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		first = r.join(name).ID
		talk(r.hash, wire.MakeKID(first, 0, 0))
	}
	talk(r.hash, wire.MakeKID(first, 0, 1))
	talk(r.hash, wire.MakeKID(first, 1, 0))
	talk(wire.HashRoom("elsewhere"), wire.MakeKID(first, 0, 0))
}

func TestInboundFollowsItsTalker(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	m := r.join("someone")
	kid := wire.MakeKID(m.ID, 0, 0)
	find := r.find(kid, &looks)
	b := newInbound(dedupKey{r.hash, kid}, newTestIntake(), newDedups(mediaEpoch), find, mediaEpoch)
	before := b.stream(mediaEpoch)
	m.Leave(mediaTime(time.Second))
	looks = 0
	for i := range 100 { // what is still under way
		if b.stream(mediaTime(time.Second+time.Duration(i)*time.Millisecond)) != nil {
			t.Fatal("a stream of a talker that left")
		}
	}
	if looks != 1 {
		t.Errorf("looked %d times, want once", looks)
	}
	r.join("someone") // the same entry: its relay was out of reach for a while
	after := b.stream(mediaTime(2 * time.Second))
	if after == nil || after == before || after != b.stream(mediaTime(2*time.Second)) {
		t.Error("the talker's new stream was not found")
	}
	if newInbound(dedupKey{r.hash, 1}, newTestIntake(), newDedups(mediaEpoch), r.find(1, &looks),
		mediaEpoch) != nil {
		t.Error("a stream of nobody was bound")
	}
}

func TestInboundIsLimited(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	kid := wire.MakeKID(r.join("someone").ID, 0, 0)
	in := newIntake(intakeLimits{RoomMedia: 10}, new(intakeLog).reports())
	b := newInbound(dedupKey{r.hash, kid}, in, newDedups(mediaEpoch), r.find(kid, &looks), mediaEpoch)
	for ctr := range uint64(20) {
		want := forwarded
		if ctr >= 10 {
			want = overRoom
		}
		if v := b.judge(ctr, mediaEpoch); v != want {
			t.Errorf("CTR %d: %v", ctr, v)
		}
	}
	if v := b.judge(15, mediaTime(time.Second)); v != forwarded {
		t.Errorf("a frame that was dropped by the limit is %v when it comes again", v)
	}
	if in.count(forwarded) != 11 || in.count(overRoom) != 10 {
		t.Errorf("%+v", &in.counts)
	}
}

func TestDedupsForgetWhatIsSilent(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	kid := wire.MakeKID(r.join("someone").ID, 0, 0)
	key := dedupKey{r.hash, kid}
	d := newDedups(mediaEpoch)
	a := newInbound(key, newTestIntake(), d, r.find(kid, &looks), mediaEpoch)
	b := newInbound(key, newTestIntake(), d, r.find(kid, &looks), mediaEpoch)
	a.judge(1, mediaTime(time.Second))
	d.sweep(mediaTime(dedupFor))
	if n := d.size(); n != 1 {
		t.Fatalf("%d streams, want 1: it talked 1 s ago", n)
	}
	d.sweep(mediaTime(time.Second + dedupFor))
	if n := d.size(); n != 0 {
		t.Fatalf("%d streams, want none", n)
	}
	// Both links find the same one again.
	now := mediaTime(10 * time.Second)
	if v, w := b.judge(2, now), a.judge(2, now); v != forwarded || w != duplicate {
		t.Errorf("%v, then %v", v, w)
	}
}

func TestDedupsAreBounded(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	kid := wire.MakeKID(r.join("someone").ID, 0, 0)
	d, in := newDedups(mediaEpoch), newTestIntake()
	b := newInbound(dedupKey{r.hash, kid}, in, d, r.find(kid, &looks), mediaEpoch)
	d.sweep(mediaTime(dedupFor)) // forgets it
	now := mediaTime(dedupFor)
	var links [maxDedups / maxLinkDedups]*intake
	for i := range links {
		links[i] = newTestIntake()
	}
	for i := range maxDedups {
		if !d.add(streamOf(i, links[i/maxLinkDedups]), now) {
			t.Fatalf("no place for stream %d", i)
		}
	}
	now = now.Add(time.Second)
	if d.add(streamOf(maxDedups, in), now) {
		t.Error("more streams than the limit")
	}
	if v := b.judge(1, now); v != crowded || !v.limited() || in.count(crowded) != 1 {
		t.Errorf("%v, %+v", v, &in.counts)
	}
	if now = now.Add(dedupFor); b.judge(1, now) != forwarded {
		t.Error("silent streams leave no place")
	}
}

func TestInboundConcurrently(t *testing.T) {
	r := newInboundRoom(t)
	m := r.join("someone")
	kid := wire.MakeKID(m.ID, 0, 0)
	d, in := newDedups(mediaEpoch), newIntake(intakeLimits{MemberMedia: 5000}, new(intakeLog).reports())
	find := func() *room.Member { return r.rooms.Find("lab", kid.Member()) }
	b := newInbound(dedupKey{r.hash, kid}, in, d, find, mediaEpoch)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctr := range uint64(1000) {
				now := mediaTime(time.Duration(ctr) * time.Millisecond)
				b.judge(ctr, now)
				b.stream(now)
				d.sweep(now)
			}
		})
	}
	wg.Go(func() { m.Leave(mediaEpoch) })
	wg.Wait()
	if in.count(forwarded) != 1000 || in.count(duplicate) != 2000 {
		t.Errorf("%+v", &in.counts)
	}
}

func TestInboundAllocatesNothing(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	kid := wire.MakeKID(r.join("someone").ID, 0, 0)
	b := newInbound(dedupKey{r.hash, kid}, newTestIntake(), newDedups(mediaEpoch), r.find(kid, &looks),
		mediaEpoch)
	now, ctr := mediaEpoch, uint64(0)
	once := func() {
		now = now.Add(20 * time.Millisecond)
		ctr++
		if b.judge(ctr, now) != forwarded || b.stream(now) == nil {
			t.Fatal("not forwarded")
		}
	}
	once()
	if allocs := testing.AllocsPerRun(1000, once); allocs > 0 {
		t.Errorf("%v allocations a frame", allocs)
	}
}

// TestDedupsOfOneLink wants a link not to take all that there are, and what it had made to come back to it.
func TestDedupsOfOneLink(t *testing.T) {
	d, greedy, other := newDedups(mediaEpoch), newTestIntake(), newTestIntake()
	for i := range maxDedups {
		if d.add(streamOf(i, greedy), mediaEpoch) != (i < maxLinkDedups) {
			t.Fatalf("stream %d", i)
		}
	}
	if !d.add(streamOf(maxDedups, other), mediaEpoch) {
		t.Error("there is no place for another link's stream")
	}
	if !d.add(streamOf(maxDedups, greedy), mediaEpoch) {
		t.Error("a stream that is there cannot come by another link")
	}
	if !d.add(streamOf(maxDedups+1, greedy), mediaTime(dedupFor)) || len(d.made) != 1 {
		t.Errorf("silent streams leave no place; %d links are counted", len(d.made))
	}
}

// TestInboundOfNobodyCostsNothing wants no dedup for a stream that the room refuses, or one member could take
// them all.
func TestInboundOfNobodyCostsNothing(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	m := r.join("someone")
	d := newDedups(mediaEpoch)
	for i := range 1 << 12 {
		kid := wire.MakeKID(m.ID, uint8(i>>8), uint8(i))
		newInbound(dedupKey{r.hash, kid}, newTestIntake(), d, r.find(kid, &looks), mediaEpoch)
	}
	if n := d.size(); n > 100 {
		t.Errorf("one member has %d streams", n)
	}
}

// TestInboundKeepsItsStream wants who talks to keep its stream while others need aliases.
func TestInboundKeepsItsStream(t *testing.T) {
	r, looks := newInboundRoom(t), 0
	kid, silent := wire.MakeKID(r.join("someone").ID, 0, 0), wire.MakeKID(r.join("silent").ID, 0, 0)
	d, in := newDedups(mediaEpoch), newTestIntake()
	b := newInbound(dedupKey{r.hash, kid}, in, d, r.find(kid, &looks), mediaEpoch)
	c := newInbound(dedupKey{r.hash, silent}, in, d, r.find(silent, &looks), mediaEpoch)
	st, was := b.stream(mediaEpoch), c.stream(mediaEpoch)
	b.stream(mediaTime(20 * time.Second))
	other := r.join("newcomer")
	other.Bind(wire.MakeKID(other.ID, 0, 0), mediaTime(40*time.Second))
	if b.stream(mediaTime(40*time.Second)) != st || !was.Dropped() {
		t.Error("not the silent one's stream was dropped")
	}
	if again := c.stream(mediaTime(40 * time.Second)); again == nil || again == was {
		t.Error("who was silent is not heard again")
	}
}
