package federation

import (
	"time"

	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// aliasRest is how long a freed alias is not used for another stream: frames under way may still carry
	// it.
	aliasRest = 5 * time.Second
	// aliasIdle is how long a stream may be silent and keep its alias. A talker's key changes make a new
	// stream each, so a link would run out of aliases for streams that nobody uses any more.
	aliasIdle = 30 * time.Second
	// aliasSweep is how far apart looks for aliases to free are, at least.
	aliasSweep = time.Second
	// aliasAhead is how far a stream's CTR may move between two frames that both travel short. Their 16 bits
	// stand for the value nearest to the last one, so after a greater step the peer has to acknowledge it
	// again. A stream that went another way for some minutes makes one when it comes back.
	aliasAhead = 1 << 14
	// aliasBarred is how long talkers who have none get none after one of their group did not: looking for
	// one is work.
	aliasBarred = 100 * time.Millisecond
)

// ingress is what a stream comes by: the trunk of another link, or nil for local talkers. It is comparable.
// Whoever is behind a link may make up members, homes and streams, but not links, so aliases are shared out
// by those.
type ingress = room.Trunk

// outStream is a stream of a room, or of a call, as a trunk sees it. It is a room.Stream or a callStream.
type outStream interface {
	KID() wire.KID
	Room() wire.RoomHash
	Dropped() bool
	Origin() room.Origin
}

// aliasTable gives the streams that go over one link their aliases, the lowest first, for those below 28
// travel shortest. When all are taken, whoever has most gives one to others (package share): local talkers
// have one half if they need it, by their addresses, and those who come by other links the other, by those.
// The zero value is empty. It is pure and has no clock; its trunk locks it.
type aliasTable struct {
	used   map[outStream]uint16
	slots  *share.Slots[outHolder, *aliasEntry] // aliases; nil: none was given yet
	swept  time.Time
	taken  uint64                     // aliases that others had to give
	barred map[[3]outHolder]time.Time // groups of whom some got no alias lately, until when
}

// aliasEntry is what an alias stands for.
type aliasEntry struct {
	stream outStream
	known  bool      // the peer has acknowledged it
	ctr    uint64    // of the frame sent last
	at     time.Time // when that was
}

// outHolder is a step of the path of who holds an alias: local talkers or others, then by address or link,
// then by address or what is behind the link, then by talker.
type outHolder struct {
	local  bool
	from   ingress
	group  room.Group
	room   wire.RoomHash
	member wire.MemberID
}

// outPath returns the steps for a stream that comes by an ingress.
func outPath(st outStream, from ingress) [4]outHolder {
	origin := st.Origin()
	path := [4]outHolder{{local: from == nil}, {from: from}, {group: origin.Narrow},
		{room: st.Room(), member: st.KID().Member()}}
	if from == nil {
		path[1].group = origin.Wide
	}
	return path
}

// of returns the alias of a stream, which it gets if it has none yet, and whether its frame with this CTR may
// travel short. ok is false if there is no alias for it.
func (t *aliasTable) of(st outStream, ctr uint64, from ingress,
	now time.Time) (alias uint16, short, ok bool) {
	alias, found := t.used[st]
	if !found {
		if alias, ok = t.assign(st, ctr, from, now); !ok {
			return 0, false, false
		}
	}
	e := t.slots.Get(int(alias))
	near := ctr-e.ctr+aliasAhead < 2*aliasAhead
	e.known = e.known && near && now.Sub(e.at) < aliasIdle
	e.ctr, e.at = ctr, now
	return alias, e.known, true
}

// assign gives a stream the lowest alias that is free and has rested, or else one of whoever gives way: what
// frames of that under way may lose is theirs.
func (t *aliasTable) assign(st outStream, ctr uint64, from ingress, now time.Time) (alias uint16, ok bool) {
	path := outPath(st, from)
	group := [3]outHolder(path[:])
	if until, barred := t.barred[group]; barred && now.Before(until) && t.slots.Held(path[:]) == 0 {
		return 0, false
	}
	if t.slots == nil {
		t.used = make(map[outStream]uint16)
		last := func(e *aliasEntry) time.Time { return e.at }
		t.slots = share.NewSlots[outHolder](wire.MaxAliases, aliasRest, last)
	}
	t.sweep(now)
	e := &aliasEntry{stream: st, ctr: ctr, at: now}
	n, ok := t.slots.Free(path[:], e, now)
	if !ok {
		var old *aliasEntry
		if n, old, _, ok = t.slots.Take(path[:], e, now); !ok {
			t.bar(group, now)
			return 0, false
		}
		t.taken++
		if old != nil {
			delete(t.used, old.stream)
		}
	}
	t.used[st] = uint16(n)
	return uint16(n), true
}

// bar notes that there is no alias for a talker of a group.
func (t *aliasTable) bar(group [3]outHolder, now time.Time) {
	if t.barred == nil {
		t.barred = make(map[[3]outHolder]time.Time)
	}
	for who, until := range t.barred {
		if !now.Before(until) {
			delete(t.barred, who)
		}
	}
	t.barred[group] = now.Add(aliasBarred)
}

// sweep frees the aliases of streams that are dropped, or were silent for long. It looks once a second at
// most.
func (t *aliasTable) sweep(now time.Time) {
	if now.Sub(t.swept) < aliasSweep {
		return
	}
	t.swept = now
	if t.slots == nil {
		return
	}
	for n, e := range t.slots.All() {
		if e.stream.Dropped() || now.Sub(e.at) >= aliasIdle {
			delete(t.used, e.stream)
			t.slots.Release(n, false, now)
		}
	}
}

// acked notes that the peer knows what an alias stands for, if it still stands for that.
func (t *aliasTable) acked(pair wire.AliasPair) {
	if t.slots == nil {
		return
	}
	if e := t.slots.Get(int(pair.Alias)); e != nil && e.stream.KID() == pair.KID {
		e.known = true
	}
}
