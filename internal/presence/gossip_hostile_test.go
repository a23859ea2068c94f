package presence

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// A peer that lists as many as it can, itself and at homes that it makes up, takes nothing from another
// peer's homes, which come before it or after it.
func TestMillions(t *testing.T) {
	now := start
	table := small(1)
	honest, liar := newLiar(t, table, 2, Mesh, now), newLiar(t, table, 3, Mesh, now)
	first := hashesOf(0, 200)
	far := relayNumber(100)
	honest.claim(0, far, 1, stateOf(far, 1, 1, first, now), now)
	honest.answer(first, now)
	own := make([]identity.Fingerprint, 50)
	liar.claim(0, liar.id, 0, stateOf(liar.id, 1, 0, nil, now), now)
	for i := range 40 { // 2000 of its own
		for j := range own {
			own[j] = personNumber(10_000 + i*50 + j).Fingerprint()
		}
		liar.say(&wire.PresenceNews{Items: []wire.PresenceItem{{Rise: 1, Whole: own}}}, now)
		checkBounds(t, table)
	}
	for i := range 60 { // and some more at each of many homes
		id := relayNumber(byte(101 + i))
		few := hashesOf(100_000+1000*i, 30)
		liar.claim(uint64(1+i), id, 1, stateOf(id, 1, 1, few, now), now)
		if liar.asked() {
			liar.answer(few, now)
		}
		checkBounds(t, table)
	}
	last, late := relayNumber(200), hashesOf(500, 200)
	honest.claim(1, last, 1, stateOf(last, 1, 1, late, now), now)
	honest.answer(late, now)
	for _, who := range []int{0, 199, 500, 699} {
		ways := table.Ways(personNumber(who).Fingerprint())
		if len(ways) != 1 || ways[0].Next != honest.self {
			t.Errorf("person %d: %+v", who, ways)
		}
	}
	checkBounds(t, table)
	for range 100 {
		now = now.Add(time.Second)
		liar.listen(now)
		checkBounds(t, table)
	}
}

// A home that would hold more than all others is not asked for, whatever it has signed.
func TestTooLargeIsNotAskedFor(t *testing.T) {
	table := small(1)
	l := newLiar(t, table, 2, Mesh, start)
	id := relayNumber(9)
	s := stateOf(id, 1, 1, nil, start)
	s.Count = 1<<32 - 1
	s.Sign(id)
	l.claim(0, id, 1, s, start)
	if l.asked() {
		t.Error("it is asked for")
	}
	l.say(&wire.PresenceNews{Items: []wire.PresenceItem{{Number: 0, Rise: 1, Came: hashesOf(0, 10)}}}, start)
	if checkBounds(t, table); table.entries > 0 {
		t.Error("it holds something")
	}
	few := stateOf(id, 1, 2, hashesOf(0, 10), start.Add(10*time.Second))
	l.say(&wire.PresenceNews{Items: []wire.PresenceItem{{State: &few}}}, start.Add(10*time.Second))
	l.listen(start.Add(32 * time.Second))
	l.answer(hashesOf(0, 10), start.Add(32*time.Second)) // now there is room
	if ways := table.Ways(personNumber(3).Fingerprint()); len(ways) != 1 {
		t.Error(ways)
	}
}

// Hashes that are alike but for their ends cost no more than others.
func TestCraftedHashes(t *testing.T) {
	var s hashSet
	random := rand.New(rand.NewPCG(1, 1))
	crafted := func(i int) (h wire.PresenceHash) {
		binary.BigEndian.PutUint32(h[4:], uint32(i))
		return h
	}
	const n = 50_000
	for _, i := range random.Perm(n) {
		if !s.add(crafted(i)) || s.add(crafted(i)) {
			t.Fatal("added twice")
		}
	}
	for _, c := range s.chunks {
		if len(c) > chunkMost || len(c) == 0 || !slices.IsSortedFunc(c, wire.PresenceHash.Compare) {
			t.Fatal("a chunk of", len(c))
		}
	}
	list, more := s.between(crafted(1000), crafted(n), 100)
	if len(list) != 100 || !more || list[99] != crafted(1099) {
		t.Error(len(list), more)
	}
	for i := range n {
		if i%3 > 0 && (!s.remove(crafted(i)) || s.remove(crafted(i))) {
			t.Fatal("removed twice")
		}
	}
	if s.n != (n+2)/3 || !s.has(crafted(0)) || s.has(crafted(1)) {
		t.Error(s.n)
	}
}

// Whoever claims another relay's home, with what that has signed, is found out when that signs next, and the
// way behind it is used. Nobody is sent to a home that has not signed for 45 s.
func TestFalseHome(t *testing.T) {
	now := start
	table := small(1)
	honest, liar := newLiar(t, table, 2, Mesh, now), newLiar(t, table, 3, Mesh, now)
	home, people := relayNumber(9), hashesOf(0, 20)
	honest.claim(0, home, 1, stateOf(home, 1, 1, people, now), now, wire.RelayIDOf(relayNumber(8).Public()))
	honest.answer(people, now)
	liar.claim(0, home, 2, stateOf(home, 1, 1, people, now), now) // nearer, in a version of its own making
	liar.answer(hashesOf(100, 20), now)
	if ways := table.Ways(personNumber(0).Fingerprint()); len(ways) > 0 {
		t.Fatal("the liar is not used", ways)
	}
	for range 6 {
		now = now.Add(10 * time.Second)
		s := stateOf(home, 1, 1, people, now)
		for _, l := range []*liarOf{{honest}, {liar}} {
			l.say(&wire.PresenceNews{Items: []wire.PresenceItem{{State: &s}}}, now)
			if l.asked() {
				answer := people
				if l.liar == liar {
					answer = hashesOf(100, 20)
				}
				l.answer(answer, now)
			}
		}
	}
	ways := table.Ways(personNumber(0).Fingerprint())
	if len(ways) == 0 || ways[0].Next != honest.self {
		t.Errorf("%+v; complaints %q", ways, liar.wrong)
	}
	for range 5 { // neither brings a new one
		now = now.Add(10 * time.Second)
		old := stateOf(home, 1, 1, people, start)
		liar.claim(0, home, 1, old, now)
		liar.listen(now)
	}
	if ways := table.Ways(personNumber(0).Fingerprint()); len(ways) > 0 {
		t.Errorf("a home that has not signed for %v: %+v", 50*time.Second, ways)
	}
	checkBounds(t, table)
}

type liarOf struct{ *liar }

// What a home has signed before its last start is not taken, and to say again what it has signed since does
// not keep it for longer than 45 s.
func TestReplays(t *testing.T) {
	now := start
	table := small(1)
	l := newLiar(t, table, 2, Mesh, now)
	home, people := relayNumber(9), hashesOf(0, 20)
	old, current := stateOf(home, 1, 1, people, now), stateOf(home, 2, 1, people[:1], now)
	l.claim(0, home, 1, old, now)
	l.answer(people, now)
	l.claim(0, home, 1, current, now)
	if table.entries > 0 {
		t.Fatal("who was there before the start is there")
	}
	l.answer(people[:1], now)
	l.claim(0, home, 1, old, now)
	if ways := table.Ways(personNumber(5).Fingerprint()); len(ways) > 0 {
		t.Error("an old boot", ways)
	}
	for second := range 100 {
		now = now.Add(time.Second)
		l.say(&wire.PresenceGone{Numbers: []uint64{0}}, now)
		l.claim(0, home, 1, current, now) // it is new, says the liar each time
		if l.asked() {
			l.answer(people[:1], now)
		}
		if ways := table.Ways(personNumber(0).Fingerprint()); len(ways) > 0 && second > 45 {
			t.Fatalf("after %d s: %+v", second, ways)
		}
	}
	for _, off := range []time.Duration{-3 * time.Minute, 3 * time.Minute} {
		l.claim(0, home, 1, stateOf(home, 2, 1, nil, now.Add(off)), now)
		l.mustComplain(problemClock)
	}
}

// A home whose clock was wrong, by hours either way, is used when it signs with the right time.
func TestClockIsSet(t *testing.T) {
	for _, off := range []time.Duration{-5 * time.Hour, 5 * time.Hour} {
		table := small(1)
		l := newLiar(t, table, 2, Mesh, start)
		home, people := relayNumber(9), hashesOf(0, 5)
		l.claim(0, home, 1, stateOf(home, 1, 1, people, start.Add(off)), start)
		l.mustComplain(problemClock)
		if l.asked() || len(table.Ways(personNumber(0).Fingerprint())) > 0 {
			t.Fatal("it is used")
		}
		now := start.Add(10 * time.Second)
		s := stateOf(home, 1, 1, people, now)
		l.say(&wire.PresenceNews{Items: []wire.PresenceItem{{State: &s}}}, now)
		l.answer(people, now)
		if ways := table.Ways(personNumber(0).Fingerprint()); len(ways) != 1 || len(l.wrong) > 0 {
			t.Error(off, ways, l.wrong)
		}
	}
}

// What breaks the rules ends what a peer says, and nothing else.
func TestRules(t *testing.T) {
	now := start
	home, other := relayNumber(9), wire.RelayIDOf(relayNumber(8).Public())
	empty := stateOf(home, 1, 0, nil, now)
	before := func(ids ...wire.RelayID) *wire.PresenceHome {
		return &wire.PresenceHome{Number: 1, Home: home.Public(), Before: ids, State: empty}
	}
	forged := before()
	forged.State.Count++
	news := func(items ...wire.PresenceItem) *wire.PresenceNews { return &wire.PresenceNews{Items: items} }
	early := stateOf(home, 1, 7, nil, now.Add(20*time.Second))
	self := wire.RelayIDOf(relayNumber(2).Public())
	addressed := before(self)
	addressed.Address = "elsewhere:1"
	forged.Before = []wire.RelayID{self}
	for name, m := range map[string]wire.UrgentMessage{
		"another home as its own":    before(),
		"a path of another":          before(other),
		"a relay twice":              before(self, other, other),
		"the home twice":             before(self, wire.RelayIDOf(home.Public())),
		"an address of another":      addressed,
		"a forged state":             forged,
		"a home by two numbers":      before(self),
		"gone before it was told":    &wire.PresenceGone{Numbers: []uint64{7}},
		"news of nobody":             news(wire.PresenceItem{Number: 7, Rise: 1}),
		"whole, of another home":     news(wire.PresenceItem{Rise: 1, Whole: make([]identity.Fingerprint, 1)}),
		"an answer to no question":   &wire.PresenceContents{Last: true},
		"a state of a later version": news(wire.PresenceItem{State: &early}),
	} {
		table := small(1)
		l, honest := newLiar(t, table, 2, Mesh, now), newLiar(t, table, 3, Mesh, now)
		people := hashesOf(0, 5)
		far := relayNumber(20)
		honest.claim(0, far, 1, stateOf(far, 1, 1, people, now), now)
		honest.answer(people, now)
		l.claim(0, home, 0, empty, now)
		if l.say(m, now.Add(20*time.Second)); len(l.wrong) != 1 || !table.peers[l.self].deaf ||
			len(table.peers[l.self].allRoutes()) > 0 {
			t.Errorf("%s: %q", name, l.wrong)
		}
		l.claim(0, home, 0, empty, now)
		if len(table.peers[l.self].allRoutes()) > 0 || len(table.Ways(personNumber(0).Fingerprint())) != 1 {
			t.Errorf("%s: what follows", name)
		}
	}
}

// A path that has us in it is of no use, and a number that stood for something stands for nothing then.
func TestLoop(t *testing.T) {
	table := small(1)
	l := newLiar(t, table, 2, Mesh, start)
	home, people := relayNumber(9), hashesOf(0, 5)
	l.claim(0, home, 1, stateOf(home, 1, 1, people, start), start)
	l.answer(people, start)
	l.claim(0, home, 1, stateOf(home, 1, 1, people, start), start, table.self)
	if l.mustComplain(problemLoop); len(table.Ways(personNumber(0).Fingerprint())) > 0 {
		t.Error("it is used")
	}
	l.claim(1, relayNumber(1), 1, stateOf(relayNumber(1), 1, 1, people, start), start) // our own home
	l.mustComplain(problemLoop)
	l.say(&wire.PresenceNews{Items: []wire.PresenceItem{{Number: 1, Rise: 1, Came: people}}}, start)
	if checkBounds(t, table); len(l.wrong) > 0 || table.entries > 0 {
		t.Error(l.wrong)
	}
}

// Messages far ahead of the next one are not kept.
func TestSerials(t *testing.T) {
	table := small(1)
	l := newLiar(t, table, 2, Mesh, start)
	l.serial = 1
	for range heldMost - 1 {
		l.say(&wire.PresenceGone{Numbers: []uint64{0}}, start)
	}
	if checkBounds(t, table); len(table.peers[l.self].held) != heldMost-1 || len(l.wrong) > 0 {
		t.Error(len(table.peers[l.self].held), l.wrong)
	}
	l.say(&wire.PresenceGone{Numbers: []uint64{0}}, start)
	if l.mustComplain(problemRules); len(table.peers[l.self].held) > 0 {
		t.Error("they are kept")
	}
}

// A flood of questions is answered now and then, and two at once not at all.
func TestFloodOfQuestions(t *testing.T) {
	table := small(1)
	for i := range 1000 {
		table.Connect(SessionID(i), personNumber(i))
		table.Available(SessionID(i), reach(personNumber(i), 1, 1, start), nil, start)
	}
	table.Tick(start)
	l := newLiar(t, table, 2, Mesh, start)
	l.listen(start)
	answers, asked, now := 0, 0, start
	for range 1000 { // 100 s
		now = now.Add(100 * time.Millisecond)
		l.listen(now)
		answers += len(l.heard)
		l.heard = nil
		if table.peers[l.self].answer == nil {
			l.say(&wire.PresenceCompare{}, now)
			asked++
		}
	}
	if answers < 1000/60*20 || asked > 30 || len(l.wrong) > 0 {
		t.Errorf("%d messages for %d questions %q", answers, asked, l.wrong)
	}
	l.say(&wire.PresenceCompare{}, now)
	l.say(&wire.PresenceCompare{}, now)
	l.mustComplain(problemRules)
}

// A home that changes without end costs the links of others what one link may cost, and no more, and they
// know in the end who is there.
func TestFloodOfChanges(t *testing.T) {
	n := newNetwork(t, 3, 20*time.Millisecond, 0)
	n.connect(0, 1)
	far := n.connect(1, 2)
	n.run(time.Second)
	table := n.relays[0].table
	before := far.sent[0].bytes
	for i := range 500 { // 10 s with 5000 changes a second, past what a home of ours does
		change := change{rise: 1}
		for j := range 100 {
			f := personNumber(i%7*1000 + j).Fingerprint()
			hash := wire.HashPresence(f)
			if table.own.hashes.add(hash) {
				table.own.whole[hash] = f
				change.whole = append(change.whole, f)
			} else {
				table.own.hashes.remove(hash)
				delete(table.own.whole, hash)
				change.left = append(change.left, hash)
			}
		}
		table.own.version++
		n.relays[0].act(func() { table.push(table.own, change) })
		n.run(20 * time.Millisecond)
	}
	if rate := (far.sent[0].bytes - before) / 10; rate > 5*flushMost*1100+8*1100 {
		t.Errorf("%d bytes a second", rate)
	} else {
		t.Log(rate, "bytes a second")
	}
	n.run(20 * time.Second)
	for i := 1; i < 3; i++ {
		h := n.relays[i].table.homes[n.relays[0].id.Public()]
		if !h.exact || h.hashes.sum() != table.own.hashes.sum() {
			t.Errorf("relay %d does not know who is there", i)
		}
	}
	if len(n.problems) > 0 {
		t.Error(n.problems)
	}
}

// A peer that acknowledges nothing is sent nothing more, and nothing piles up for it.
func TestSilentPeer(t *testing.T) {
	table := small(1)
	l := newLiar(t, table, 2, Mesh, start)
	now, sent := start, 0
	for i := range 5000 {
		now = now.Add(20 * time.Millisecond)
		table.Connect(SessionID(i), personNumber(i))
		table.Available(SessionID(i), reach(personNumber(i), 1, 1, now), nil, now)
		table.Tick(now)
		for _, e := range table.Drain() {
			if _, is := e.(Send); is {
				sent++
			}
		}
		checkBounds(t, table)
	}
	if sent > windowMost || table.peers[l.self].inFlight != sent {
		t.Errorf("%d messages", sent)
	}
}

// What a peer is told by operators' words.
func TestNone(t *testing.T) {
	n := newNetwork(t, 3, hop, 0)
	n.connect(0, 1, None, Mesh)
	n.connect(1, 2, Mesh, None)
	for i := range 3 {
		n.join(i, i)
	}
	n.run(5 * time.Second)
	for i := range 3 {
		for j := range 3 {
			if i != j && n.knows(i, j, j) {
				t.Errorf("relay %d knows who is with relay %d", i, j)
			}
		}
	}
	if n.relays[0].table.Counts().Sent+n.relays[2].table.Counts().Sent > 0 {
		t.Error("something was told")
	}
}

// Two people of one hash, which takes hours of work to make, are one to others; when the one leaves, the
// other stays.
func TestCollidingPeople(t *testing.T) {
	table := small(1)
	l := newLiar(t, table, 2, Peer, start)
	hash := wire.PresenceHash{1, 2, 3}
	now := start
	for i := range 2 {
		table.Connect(SessionID(i), personNumber(i))
		table.registry.people[personNumber(i).Fingerprint()].hash = hash
	}
	step := func() {
		now = now.Add(time.Second)
		l.listen(now)
	}
	for i := range 2 {
		table.Available(SessionID(i), reach(personNumber(i), 1, 1, now), nil, now)
		step()
	}
	if table.own.hashes.n != 1 || table.Counts().Available != 2 {
		t.Error(table.own.hashes.n)
	}
	table.Disconnect(0, now)
	step()
	if table.own.hashes.n != 1 || table.own.whole[hash] != personNumber(1).Fingerprint() {
		t.Error("the other one is gone too")
	}
	table.Disconnect(1, now)
	step()
	if table.own.hashes.n != 0 || len(table.registry.taking) != 0 {
		t.Error("the last one stays")
	}
}
