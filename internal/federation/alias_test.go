package federation

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// mediaEpoch is when the tests of media begin: any time will do.
var mediaEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// mediaTime returns a time that long after mediaEpoch.
func mediaTime(d time.Duration) time.Time { return mediaEpoch.Add(d) }

// fakeStream is an outStream.
type fakeStream struct {
	kid  wire.KID
	room wire.RoomHash
	gone atomic.Bool
}

func (s *fakeStream) KID() wire.KID       { return s.kid }
func (s *fakeStream) Room() wire.RoomHash { return s.room }
func (s *fakeStream) Dropped() bool       { return s.gone.Load() }

// fakeStreams returns n streams of one room, by different talkers.
func fakeStreams(n int) []*fakeStream {
	list := make([]*fakeStream, n)
	for i := range list {
		list[i] = &fakeStream{kid: wire.MakeKID(wire.MemberID{4: byte(i >> 8), 5: byte(i)}, 0, 0), room: wire.HashRoom("lab")}
	}
	return list
}

// aliasOf returns the alias that a table gives a stream.
func aliasOf(t *testing.T, table *aliasTable, st outStream, ctr uint64, at time.Duration) (alias uint16, short bool) {
	t.Helper()
	alias, short, ok := table.of(st, ctr, mediaTime(at))
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
	if _, _, ok := table.of(last, 0, mediaTime(0)); ok {
		t.Fatal("there were more aliases than the limit")
	}
	// All but the first fall silent.
	aliasOf(t, &table, streams[0], 1, aliasIdle-1)
	if _, _, ok := table.of(last, 0, mediaTime(aliasIdle)); ok {
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
