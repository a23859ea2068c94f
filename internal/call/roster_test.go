package call

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// crew makes signed entries.
func crew(t testing.TB, n int) (entries [][]byte, ids []wire.MemberID) {
	t.Helper()
	for i := range n {
		e := wire.MemberEntry{Room: "r", Name: fmt.Sprint("m", i), HomeRelay: newIdentity(200).Public(),
			Commitment: [32]byte{byte(i >> 8), byte(i)}}
		b, err := wire.SignEntry(newIdentity(byte(i)), e)
		if err != nil {
			t.Fatal(err)
		}
		entries, ids = append(entries, b), append(ids, wire.EntryID(b))
	}
	return entries, ids
}

func newRoster() *roster {
	return &roster{room: "r", relay: newIdentity(200).Public(), read: wire.ParseEntry}
}

// checker follows news, and finds contradictions.
type checker struct {
	t       testing.TB
	present map[wire.MemberID]bool
}

func (c *checker) see(news []Event) {
	c.t.Helper()
	for _, e := range news {
		switch e := e.(type) {
		case MemberJoined:
			if c.present[e.Member.ID] {
				c.t.Errorf("%v joined twice", e.Member.ID)
			}
			c.present[e.Member.ID] = true
		case MemberLeft:
			if !c.present[e.Member.ID] {
				c.t.Errorf("%v left without having been there", e.Member.ID)
			}
			delete(c.present, e.Member.ID)
		}
	}
}

func (c *checker) want(ro *roster, what string, ids ...wire.MemberID) {
	c.t.Helper()
	var got []wire.MemberID
	for _, m := range ro.list() {
		got = append(got, m.ID)
	}
	slices.SortFunc(ids, wire.MemberID.Compare)
	if !slices.Equal(got, ids) {
		c.t.Errorf("%s: %v, want %v", what, got, ids)
	}
	if len(c.present) != len(got) {
		c.t.Errorf("%s: events say %d members, the list %d", what, len(c.present), len(got))
	}
}

func TestRosterFetch(t *testing.T) {
	entries, ids := crew(t, 5)
	ro, c := newRoster(), &checker{t: t, present: make(map[wire.MemberID]bool)}
	if !ro.beginFetch() || ro.beginFetch() {
		t.Fatal("one fetch at a time")
	}
	c.see(ro.addPage(entries[:2]))
	news, doubt := ro.addJoined(entries[2:3], epoch)
	c.see(news)
	if doubt {
		t.Error("doubt about a simple join")
	}
	news, again := ro.finishFetch(true, epoch)
	c.see(news)
	if !again {
		t.Error("the second fetch is forgotten")
	}
	c.want(ro, "fetched", ids[0], ids[1], ids[2])

	ro.beginFetch()
	c.see(ro.addPage(entries[1:2])) // 0 is not there any more
	news, _ = ro.removeLeft(ids[2:3], epoch)
	c.see(news)
	c.see(ro.addPage(entries[2:4])) // the page is older than 2's leave
	news, again = ro.finishFetch(true, epoch)
	c.see(news)
	if again {
		t.Error("fetch again for nothing")
	}
	c.want(ro, "fetched again", ids[1], ids[3])

	ro.beginFetch()
	c.see(ro.addPage(entries[4:5]))
	news, _ = ro.finishFetch(false, epoch)
	c.see(news)
	c.want(ro, "a fetch that failed removes nobody", ids[1], ids[3], ids[4])
}

func TestRosterWithoutSelf(t *testing.T) {
	entries, ids := crew(t, 2)
	ro := newRoster()
	ro.self = ids[0]
	if news, _ := ro.addJoined(entries, epoch); len(news) != 1 {
		t.Errorf("%v", news)
	}
}

func TestRosterDoubt(t *testing.T) {
	entries, ids := crew(t, 1)
	ro, c := newRoster(), &checker{t: t, present: make(map[wire.MemberID]bool)}
	step := func(what string, news []Event, doubt, want bool) {
		t.Helper()
		c.see(news)
		if doubt != want {
			t.Errorf("%s: doubt is %v", what, doubt)
		}
	}
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	news, doubt := ro.removeLeft(ids, at(0))
	step("a leave before the join", news, doubt, false)
	news, doubt = ro.addJoined(entries, at(1))
	step("the join after the leave", news, doubt, true)
	c.want(ro, "in doubt")
	ro.beginFetch()
	c.see(ro.addPage(entries))
	ro.finishFetch(true, epoch)
	c.want(ro, "the list says that it is there", ids...)
	news, doubt = ro.addJoined(entries, at(20))
	step("a second join", news, doubt, false)
	news, doubt = ro.removeLeft(ids, at(21))
	step("a leave after two joins", news, doubt, true)
	news, doubt = ro.addJoined(entries, at(32))
	step("a join long after", news, doubt, false)
	news, doubt = ro.removeLeft(ids, at(33))
	step("and a leave", news, doubt, false)
	c.want(ro, "in the end")
}

func TestRecentIsBounded(t *testing.T) {
	var r recent
	for i := range 3 * maxDoubted {
		r.add(wire.MemberID{1, byte(i >> 16), byte(i >> 8), byte(i)}, epoch)
	}
	if len(r) > maxDoubted {
		t.Errorf("%d remembered", len(r))
	}
	now := epoch.Add(doubtTime)
	r.add(wire.MemberID{2}, now)
	for i := range maxDoubted {
		r.add(wire.MemberID{3, byte(i >> 8), byte(i)}, now)
	}
	if r.has(wire.MemberID{1}, now) || len(r) > maxDoubted {
		t.Errorf("%d remembered", len(r))
	}
}

// TestRosterInAnyOrder plays a relay whose members come, go and come back while its news are delivered in any
// order within some seconds, and lists are fetched. In the end client and relay must agree.
func TestRosterInAnyOrder(t *testing.T) {
	entries, ids := crew(t, 12)
	for seed := range uint64(60) {
		s := &rosterSim{t: t, rng: rand.New(rand.NewPCG(seed, 1)), entries: entries, ids: ids,
			roster: newRoster(), truth: make(map[int]bool),
			checker: checker{t: t, present: make(map[wire.MemberID]bool)}}
		s.run(400)
		var want []wire.MemberID
		for i := range s.truth {
			want = append(want, ids[i])
		}
		s.checker.want(s.roster, fmt.Sprint("seed ", seed), want...)
		if t.Failed() {
			return
		}
	}
}

// rosterSim is a relay and its urgent messages under way.
type rosterSim struct {
	t       testing.TB
	rng     *rand.Rand
	entries [][]byte
	ids     []wire.MemberID
	roster  *roster
	checker checker
	now     time.Time
	truth   map[int]bool
	news    []rosterNews
	pages   []int // members still to be listed; nil: no fetch
	page    []int // a page under way, as it was when the relay made it
	pageAt  time.Time
}

type rosterNews struct {
	member int
	joined bool
	at     time.Time // of delivery
}

// run makes some steps of 100 ms, then lets everything arrive.
func (s *rosterSim) run(steps int) {
	s.now = epoch
	for range steps {
		if s.rng.IntN(4) == 0 {
			s.change(s.rng.IntN(len(s.ids)))
		}
		if s.rng.IntN(100) == 0 {
			s.fetch()
		}
		s.step()
	}
	for len(s.news) > 0 || s.pages != nil {
		s.step()
	}
}

// change has a member come or go; the news take up to 3 s.
func (s *rosterSim) change(i int) {
	joined := !s.truth[i]
	if joined {
		s.truth[i] = true
	} else {
		delete(s.truth, i)
	}
	s.news = append(s.news, rosterNews{i, joined,
		s.now.Add(time.Duration(s.rng.IntN(3000)) * time.Millisecond)})
}

// fetch starts a fetch, if none is under way.
func (s *rosterSim) fetch() {
	if s.roster.beginFetch() {
		s.pages = make([]int, 0, len(s.ids))
		for i := range s.ids {
			s.pages = append(s.pages, i)
		}
	}
}

func (s *rosterSim) step() {
	s.now = s.now.Add(100 * time.Millisecond)
	kept := s.news[:0]
	for _, n := range s.news {
		if n.at.After(s.now) {
			kept = append(kept, n)
			continue
		}
		var news []Event
		var doubt bool
		if n.joined {
			news, doubt = s.roster.addJoined(s.entries[n.member:n.member+1], s.now)
		} else {
			news, doubt = s.roster.removeLeft(s.ids[n.member:n.member+1], s.now)
		}
		s.checker.see(news)
		if doubt {
			s.fetch()
		}
	}
	s.news = kept
	s.stepPages()
}

// stepPages has a page of 5 members made, or the one under way delivered.
func (s *rosterSim) stepPages() {
	switch {
	case s.pages == nil || s.now.Before(s.pageAt):
	case s.page != nil:
		var entries [][]byte
		for _, i := range s.page {
			entries = append(entries, s.entries[i])
		}
		s.page = nil
		s.checker.see(s.roster.addPage(entries))
		if len(s.pages) == 0 {
			s.pages = nil
			news, again := s.roster.finishFetch(true, s.now)
			s.checker.see(news)
			if again {
				s.fetch()
			}
		}
	default:
		n := min(5, len(s.pages))
		s.page = []int{}
		for _, i := range s.pages[:n] {
			if s.truth[i] {
				s.page = append(s.page, i)
			}
		}
		s.pages = s.pages[n:]
		s.pageAt = s.now.Add(time.Duration(s.rng.IntN(1000)) * time.Millisecond)
	}
}

func TestEventsAreBounded(t *testing.T) {
	q := newEvents()
	for i := range 3 * maxEvents {
		q.put(MemberLeft{Member{Name: fmt.Sprint(i)}})
	}
	q.put(Ended{})
	q.close()
	q.close()
	q.put(Warning{Text: "too late"})
	var got []Event
	for e := range q.out {
		got = append(got, e)
	}
	if len(got) != maxEvents || got[len(got)-1] != (Ended{}) ||
		got[0] != (MemberLeft{Member{Name: fmt.Sprint(2*maxEvents + 1)}}) {
		t.Errorf("%d events, from %v to %v", len(got), got[0], got[len(got)-1])
	}
	if n := q.lost(); n != 2*maxEvents+1 {
		t.Errorf("%d lost", n)
	}
}

// TestWarningsAreNotWashedAway wants a warning to outlast any number of joins and leaves.
func TestWarningsAreNotWashedAway(t *testing.T) {
	q := newEvents()
	q.put(Warning{Text: "beware"})
	for range 3 * maxEvents {
		q.put(MemberLeft{})
	}
	for range 3 * maxEvents { // nor does it wash away everything else
		q.put(Warning{})
	}
	q.close()
	found := 0
	for e := range q.out {
		if e == (Warning{Text: "beware"}) {
			found++
		}
	}
	if found > 1 || q.lost() != 5*maxEvents+1 {
		t.Errorf("found %d times, %d events lost", found, q.lost())
	}
}

// TestLargeRoom wants a list of many pages to be complete, and changes to be seen.
func TestLargeRoom(t *testing.T) {
	entries, ids := crew(t, 500)
	byID := make(map[wire.MemberID][]byte)
	for i, e := range entries {
		byID[ids[i]] = e
	}
	sorted := slices.SortedFunc(maps.Keys(byID), wire.MemberID.Compare)
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		h.answer = func(m wire.Message) wire.Message {
			switch m := m.(type) {
			case *wire.Join:
				return &wire.Joined{Room: m.Room, Member: wire.EntryID(m.Entry),
					Members: uint32(len(entries))}
			case *wire.Members:
				return pageOf(sorted, byID, m.After)
			}
			return nil
		}
		a := l.joined("anna", "r")
		l.eventually("all are listed", 20*time.Second,
			func() bool { return len(a.room.Members()) == len(entries) })
		sorted = sorted[250:]
		h.tell(wire.UrgentRefetch, nil)
		l.eventually("half have gone", 20*time.Second,
			func() bool { return len(a.room.Members()) == len(entries)-250 })
	})
}

func pageOf(sorted []wire.MemberID, byID map[wire.MemberID][]byte, after *wire.MemberID) *wire.MemberPage {
	page := &wire.MemberPage{}
	for _, id := range sorted {
		if after != nil && id.Compare(*after) <= 0 {
			continue
		}
		if len(page.Entries) == wire.MaxPage {
			last := wire.EntryID(page.Entries[len(page.Entries)-1])
			page.Next = &last
			break
		}
		page.Entries = append(page.Entries, byID[id])
	}
	return page
}

// TestRosterOfManyRelays wants members of other relays to be taken, and shown with what our relay calls
// theirs, or with that one's id.
func TestRosterOfManyRelays(t *testing.T) {
	ro := newRoster()
	other := newIdentity(201).Public()
	entry := func(nonce byte, home identity.PublicKey) []byte {
		b, err := wire.SignEntry(newIdentity(7), wire.MemberEntry{Room: "r", Name: "anna", HomeRelay: home,
			Commitment: [32]byte{nonce}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	now := time.Now()
	news, _ := ro.addJoined([][]byte{entry(1, other), entry(2, newIdentity(200).Public())}, now)
	if got, want := news[0].(MemberJoined).Member.Relay, wire.RelayIDOf(other).String(); got != want {
		t.Errorf("its relay is shown as %q, want %q", got, want)
	}
	if got := news[1].(MemberJoined).Member.Relay; got != "" {
		t.Errorf("our own relay is shown as %q", got)
	}
	ro.setLabels([]wire.RelayLabel{{Relay: wire.RelayIDOf(other), Label: "Oslo"}})
	news, _ = ro.addJoined([][]byte{entry(3, other)}, now)
	if got := news[0].(MemberJoined).Member.Relay; got != "Oslo" {
		t.Errorf("its relay is shown as %q", got)
	}
	shown := 0
	for _, m := range ro.list() {
		if m.Relay == "Oslo" {
			shown++
		}
	}
	if shown != 2 {
		t.Errorf("%d members are shown at Oslo, want 2", shown)
	}
	for i := range 2 * maxLabels {
		ro.setLabels([]wire.RelayLabel{{Relay: wire.RelayID{byte(i), byte(i >> 8), 1}, Label: "x"}})
	}
	if n := len(ro.labels); n > maxLabels {
		t.Errorf("%d labels are kept", n)
	}
}
