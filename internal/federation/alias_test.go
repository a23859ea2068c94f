package federation

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// mediaEpoch is when the tests of media begin: any time will do.
var mediaEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// mediaTime returns a time that long after mediaEpoch.
func mediaTime(d time.Duration) time.Time { return mediaEpoch.Add(d) }

// fakeStream is an outStream.
type fakeStream struct {
	kid  wire.KID
	room wire.RoomHash
	from room.Origin
	gone atomic.Bool
}

func (s *fakeStream) KID() wire.KID       { return s.kid }
func (s *fakeStream) Room() wire.RoomHash { return s.room }
func (s *fakeStream) Dropped() bool       { return s.gone.Load() }
func (s *fakeStream) Origin() room.Origin { return s.from }

// fakeStreams returns n streams of one room, by different talkers.
func fakeStreams(n int) []*fakeStream {
	list := make([]*fakeStream, n)
	for i := range list {
		list[i] = &fakeStream{kid: wire.MakeKID(wire.MemberID{4: byte(i >> 8), 5: byte(i)}, 0, 0),
			room: wire.HashRoom("lab")}
	}
	return list
}

// aliasOf returns the alias that a table gives a stream.
func aliasOf(t *testing.T, table *aliasTable, st outStream, ctr uint64, at time.Duration) (alias uint16,
	short bool) {
	t.Helper()
	alias, short, ok := table.of(st, ctr, nil, mediaTime(at))
	if !ok {
		t.Fatalf("%v got no alias", st.KID())
	}
	return alias, short
}

func TestAliasesLowestFirstAndRested(t *testing.T) {
	var table aliasTable
	streams := fakeStreams(5)
	for i, st := range streams[:3] {
		if alias, _ := aliasOf(t, &table, st, 0, 0); int(alias) != i {
			t.Errorf("stream %d has alias %d", i, alias)
		}
	}
	streams[1].gone.Store(true)
	table.sweep(mediaTime(2 * time.Second))
	if alias, _ := aliasOf(t, &table, streams[3], 0, 2*time.Second+aliasRest-1); alias != 3 {
		t.Errorf("alias %d, want 3: that of the dropped stream has not rested", alias)
	}
	if alias, _ := aliasOf(t, &table, streams[4], 0, 2*time.Second+aliasRest); alias != 1 {
		t.Errorf("alias %d, want 1: it is free, and has rested", alias)
	}
	if alias, _ := aliasOf(t, &table, streams[0], 1, 2*time.Second+aliasRest); alias != 0 {
		t.Errorf("the first stream changed its alias to %d", alias)
	}
}

func TestAliasesRunOutAndComeBack(t *testing.T) {
	var table aliasTable
	streams := fakeStreams(wire.MaxAliases + 1)
	for _, st := range streams[:wire.MaxAliases] {
		aliasOf(t, &table, st, 0, 0)
	}
	last := streams[wire.MaxAliases]
	if _, _, ok := table.of(last, 0, nil, mediaTime(0)); ok {
		t.Fatal("there were more aliases than the limit")
	}
	// All but the first fall silent.
	aliasOf(t, &table, streams[0], 1, aliasIdle-1)
	if _, _, ok := table.of(last, 0, nil, mediaTime(aliasIdle)); ok {
		t.Error("a freed alias was used at once")
	}
	if alias, _ := aliasOf(t, &table, last, 0, aliasIdle+aliasRest); alias != 1 {
		t.Errorf("alias %d, want 1", alias)
	}
	if n := len(table.used); n != 2 {
		t.Errorf("%d streams are held, want 2", n)
	}
}

func TestAliasShortOnlyWhenKnown(t *testing.T) {
	var table aliasTable
	st, other := fakeStreams(2)[0], fakeStreams(2)[1]
	alias, short := aliasOf(t, &table, st, 7, 0)
	if short {
		t.Error("the first frame is short")
	}
	table.acked(wire.AliasPair{Alias: alias, KID: other.kid})
	table.acked(wire.AliasPair{Alias: alias + 1, KID: st.kid})
	table.acked(wire.AliasPair{Alias: wire.MaxAliases - 1, KID: st.kid})
	if _, short = aliasOf(t, &table, st, 8, 0); short {
		t.Error("acknowledgements of other pairs made it short")
	}
	table.acked(wire.AliasPair{Alias: alias, KID: st.kid})
	for _, c := range []struct {
		name  string
		acked bool // again, before
		ctr   uint64
		at    time.Duration
		short bool
	}{
		{"the next", false, 9, 0, true},
		{"one below", false, 8, 0, true},
		{"far above", false, 8 + aliasAhead, 0, false},
		{"after that", false, 9 + aliasAhead, 0, false},
		{"acknowledged", true, 10 + aliasAhead, 0, true},
		{"far below", false, 9, 0, false},
		{"acknowledged again", true, 0, time.Second, true},
		{"after long silence", false, 1, time.Second + aliasIdle, false},
		{"and after that", false, 2, time.Second + aliasIdle, false},
	} {
		if c.acked {
			table.acked(wire.AliasPair{Alias: alias, KID: st.kid})
		}
		if _, short := aliasOf(t, &table, st, c.ctr, c.at); short != c.short {
			t.Errorf("%s: short is %v", c.name, short)
		}
	}
}

// An acknowledgement of what an alias stood for before says nothing of what it stands for now.
func TestAliasAckOfAnEarlierStream(t *testing.T) {
	var table aliasTable
	streams := fakeStreams(2)
	alias, _ := aliasOf(t, &table, streams[0], 0, 0)
	table.acked(wire.AliasPair{Alias: alias, KID: streams[0].kid})
	streams[0].gone.Store(true)
	table.sweep(mediaTime(time.Second))
	table.acked(wire.AliasPair{Alias: alias, KID: streams[0].kid})
	again, short := aliasOf(t, &table, streams[1], 0, time.Second+aliasRest)
	if again != alias || short {
		t.Fatalf("alias %d, short %v", again, short)
	}
	table.acked(wire.AliasPair{Alias: alias, KID: streams[0].kid})
	if _, short := aliasOf(t, &table, streams[1], 1, time.Second+aliasRest); short {
		t.Error("short, though the peer knows another stream by the alias")
	}
}

// streamsBy gives streams of one ingress aliases until there is none, at most limit, and returns those that
// got one.
func streamsBy(table *aliasTable, from ingress, limit int, at time.Duration) (streams []*fakeStream) {
	for _, st := range fakeStreams(limit) {
		if _, _, ok := table.of(st, 0, from, mediaTime(at)); !ok {
			break
		}
		streams = append(streams, st)
	}
	return streams
}

// held returns how many aliases an ingress has, those that rest included.
func held(table *aliasTable, from ingress) int {
	path := outPath(fakeStreams(1)[0], from)
	return table.slots.Held(path[:2])
}

// TestAliasesAreSharedByLinks wants who fills a link with streams to leave aliases to local talkers, and to
// other links.
func TestAliasesAreSharedByLinks(t *testing.T) {
	var table aliasTable
	many, few := new(trunk), new(trunk)
	if n := len(streamsBy(&table, many, wire.MaxAliases, 0)); n != wire.MaxAliases {
		t.Fatalf("one link has %d aliases, want all while nobody needs them", n)
	}
	if n := len(streamsBy(&table, few, 100, 0)); n != 100 {
		t.Errorf("%d of another link's 100 streams have aliases", n)
	}
	const local = wire.MaxAliases / 2
	if n := len(streamsBy(&table, nil, local-1, 0)); n != local-1 {
		t.Errorf("%d of the local talkers' %d streams have aliases", n, local-1)
	}
	if n := len(streamsBy(&table, few, 200, 0)); n != 200 {
		t.Errorf("%d of another link's 200 later streams have aliases", n)
	}
	if a, b, c := held(&table, many), held(&table, few), held(&table, nil); a != local+1-300 || b != 300 ||
		c != local-1 {
		t.Errorf("the links have %d and %d aliases, local talkers %d", a, b, c)
	}
	if n := len(table.used); n != wire.MaxAliases {
		t.Errorf("%d streams are held", n)
	}
}

// TestAliasesAreSharedByAddresses has members at one address, who need not know the room's secret, fill a
// link with streams. Local talkers at other addresses are heard beyond it, before and after, and likewise
// what is behind a peer.
func TestAliasesAreSharedByAddresses(t *testing.T) {
	at := func(list []*fakeStream, from room.Origin) []*fakeStream {
		for _, st := range list {
			st.from = from
		}
		return list
	}
	address := func(n byte) room.Origin {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 32)
		return room.FromAddress(p, p)
	}
	behind := func(n byte) room.Origin {
		return room.FromPeer(wire.RelayID{n}, wire.RelayID{9},
			wire.RelayID{n})
	}
	for name, test := range map[string]struct {
		from      ingress
		bad, good room.Origin
	}{"an address": {nil, address(1), address(2)}, "behind a peer": {new(trunk), behind(1), behind(2)}} {
		var table aliasTable
		for _, st := range at(fakeStreams(wire.MaxAliases), test.bad) {
			if _, _, ok := table.of(st, 0, test.from, mediaTime(0)); !ok {
				t.Fatalf("%s: there are too few aliases", name)
			}
		}
		good := at(fakeStreams(100), test.good)
		for _, st := range good {
			if _, _, ok := table.of(st, 0, test.from, mediaTime(0)); !ok {
				t.Fatalf("%s keeps others from aliases", name)
			}
		}
		for _, st := range at(fakeStreams(wire.MaxAliases), test.bad) {
			table.of(st, 0, test.from, mediaTime(time.Second))
		}
		for _, st := range good {
			if _, held := table.used[st]; !held {
				t.Fatalf("%s takes aliases of others", name)
			}
		}
	}
}

// TestAliasOfTheSilentIsTaken wants the stream that was silent for longest to give its alias, and no two that
// talk to take each other's in turn.
func TestAliasOfTheSilentIsTaken(t *testing.T) {
	var table aliasTable
	many, few := new(trunk), new(trunk)
	streams := streamsBy(&table, many, wire.MaxAliases, 0)
	for i, st := range streams {
		if i != 7 {
			table.of(st, 1, many, mediaTime(time.Second))
		}
	}
	one := fakeStreams(1)[0]
	if alias, short, ok := table.of(one, 0, few, mediaTime(time.Second)); !ok || short || alias != 7 {
		t.Errorf("alias %d, short %t, %t; want 7, of who was silent", alias, short, ok)
	}
	if _, _, ok := table.of(streams[7], 2, many, mediaTime(time.Second)); ok {
		t.Error("who has most takes an alias of who talks")
	}
	for _, st := range streams[8:] { // the others go on, but for those before
		table.of(st, 2, many, mediaTime(aliasRest+time.Second))
	}
	if alias, _, ok := table.of(streams[7], 2, many, mediaTime(aliasRest+time.Second)); !ok || alias != 0 {
		t.Errorf("alias %d, %t; want 0, of who was silent", alias, ok)
	}
}

// TestAliasesOfChangingStreams wants a link whose streams come and go to have no more aliases than one whose
// stay.
func TestAliasesOfChangingStreams(t *testing.T) {
	var table aliasTable
	many := new(trunk)
	for round := range 5 {
		for _, st := range streamsBy(&table, many, wire.MaxAliases, time.Duration(round)*time.Second) {
			st.gone.Store(true)
		}
	}
	const local = wire.MaxAliases / 4
	if n := len(streamsBy(&table, nil, local, 4*time.Second)); n != local {
		t.Errorf("%d of %d local streams have aliases", n, local)
	}
}
