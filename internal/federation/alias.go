package federation

import (
	"time"

	"github.com/wzp-voice/wzp/wire"
)

const (
	// aliasRest is how long a freed alias is not used for another stream: frames under way may still carry it.
	aliasRest = 5 * time.Second
	// aliasIdle is how long a stream may be silent and keep its alias. A talker's key changes make a new stream each,
	// so a link would run out of aliases for streams that nobody uses any more.
	aliasIdle = 30 * time.Second
	// aliasSweep is how far apart looks for aliases to free are, at least.
	aliasSweep = time.Second
	// aliasAhead is how far a stream's CTR may move between two frames that both travel short. Their 16 bits
	// stand for the value nearest to the last one, so after a greater step the peer has to acknowledge it again. A
	// stream that went another way for some minutes makes one when it comes back.
	aliasAhead = 1 << 14
)

// outStream is a stream of a room as a trunk sees it. It is room.Stream.
type outStream interface {
	KID() wire.KID
	Room() wire.RoomHash
	Dropped() bool
}

// aliasTable gives the streams that go over one link their aliases, the lowest first, for those below 28 travel
// shortest. The zero value is empty. It is pure and has no clock; its trunk locks it.
type aliasTable struct {
	used    map[outStream]uint16
	entries []aliasEntry // by alias; at most wire.MaxAliases
	swept   time.Time
}

// aliasEntry is what an alias stands for.
type aliasEntry struct {
	stream outStream // nil: free
	known  bool      // the peer has acknowledged it
	ctr    uint64    // of the frame sent last
	at     time.Time // when that was; of a free one, when it was freed
}

// of returns the alias of a stream, which it gets if it has none yet, and whether its frame with this CTR may
// travel short. ok is false if all aliases are taken.
func (t *aliasTable) of(st outStream, ctr uint64, now time.Time) (alias uint16, short, ok bool) {
	alias, found := t.used[st]
	if !found {
		if alias, ok = t.assign(st, now); !ok {
			return 0, false, false
		}
		t.entries[alias].ctr = ctr
	}
	e := &t.entries[alias]
	near := ctr-e.ctr+aliasAhead < 2*aliasAhead
	e.known = e.known && near && now.Sub(e.at) < aliasIdle
	e.ctr, e.at = ctr, now
	return alias, e.known, true
}

// assign gives a stream the lowest alias that is free and has rested.
func (t *aliasTable) assign(st outStream, now time.Time) (alias uint16, ok bool) {
	t.sweep(now)
	if t.used == nil {
		t.used = make(map[outStream]uint16)
	}
	for i := range t.entries {
		if e := &t.entries[i]; e.stream == nil && now.Sub(e.at) >= aliasRest {
			*e = aliasEntry{stream: st, at: now}
			t.used[st] = uint16(i)
			return uint16(i), true
		}
	}
	if len(t.entries) >= wire.MaxAliases {
		return 0, false
	}
	alias = uint16(len(t.entries))
	t.entries = append(t.entries, aliasEntry{stream: st, at: now})
	t.used[st] = alias
	return alias, true
}

// sweep frees the aliases of streams that are dropped, or were silent for long. It looks once a second at most.
func (t *aliasTable) sweep(now time.Time) {
	if now.Sub(t.swept) < aliasSweep {
		return
	}
	t.swept = now
	for i := range t.entries {
		if e := &t.entries[i]; e.stream != nil && (e.stream.Dropped() || now.Sub(e.at) >= aliasIdle) {
			delete(t.used, e.stream)
			*e = aliasEntry{at: now}
		}
	}
}

// acked notes that the peer knows what an alias stands for, if it still stands for that.
func (t *aliasTable) acked(pair wire.AliasPair) {
	if int(pair.Alias) >= len(t.entries) {
		return
	}
	if e := &t.entries[pair.Alias]; e.stream != nil && e.stream.KID() == pair.KID {
		e.known = true
	}
}
