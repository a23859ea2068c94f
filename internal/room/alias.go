package room

import (
	"time"

	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// aliasRest is how long a freed alias is not used for another stream, while there are others: frames under way may
	// still carry it.
	aliasRest = 5 * time.Second
	// aliasIdle is how long a stream may be silent and keep its alias when others need one, or, if it is a remote member's,
	// another of those makes a stream. Its next frame makes it again.
	aliasIdle = 30 * time.Second
	// aliasSweep is how far apart looks for such streams are, at least.
	aliasSweep = time.Second
)

// aliasTable gives a room's streams their aliases, the lowest first, for those travel shortest. When none is left, first
// the streams that are silent for long give theirs back, then whoever has most gives way, as internal/share says. The zero
// value is empty. It is pure; its Room locks it.
type aliasTable struct {
	slots   *share.Slots[Holder] // aliases; nil: none was given yet
	streams []*Stream            // by alias; nil: none
	swept   [2]time.Time         // when idle was called last, for streams of remote members and for all
}

// used returns how many aliases stand for something.
func (t *aliasTable) used() int {
	if t.slots == nil {
		return 0
	}
	return t.slots.Used()
}

// free gives st an alias that is nobody's, or reports that there is none.
func (t *aliasTable) free(st *Stream, now time.Time) bool {
	if t.slots == nil {
		t.slots = share.NewSlots[Holder](wire.MaxAliases, aliasRest, func(alias int) time.Time {
			return t.streams[alias].last()
		})
	}
	path := st.member.path()
	alias, ok := t.slots.Free(path[:], now)
	if ok {
		t.give(st, alias)
	}
	return ok
}

// take gives st an alias of whoever gives way, or reports that nobody does. taken is the stream that had it, or nil; from
// is who that is.
func (t *aliasTable) take(st *Stream, now time.Time) (taken *Stream, from *share.Group[Holder], ok bool) {
	path := st.member.path()
	alias, from, ok := t.slots.Take(path[:], now)
	if !ok {
		return nil, nil, false
	}
	taken = t.streams[alias]
	t.give(st, alias)
	return taken, from, true
}

// give makes an alias stand for st.
func (t *aliasTable) give(st *Stream, alias int) {
	for alias >= len(t.streams) {
		t.streams = append(t.streams, nil)
	}
	t.streams[alias] = st
	st.alias = uint16(alias)
}

// idle returns the streams that were silent for long, of remote members or of all. It looks once a second at most.
func (t *aliasTable) idle(all bool, now time.Time) (streams []*Stream) {
	swept := &t.swept[0]
	if all {
		swept = &t.swept[1]
	}
	if now.Sub(*swept) < aliasSweep {
		return nil
	}
	*swept = now
	for _, st := range t.streams {
		if st != nil && (all || st.member.remote()) && st.silent(now) >= aliasIdle {
			streams = append(streams, st)
		}
	}
	return streams
}

// release takes st's alias back.
func (t *aliasTable) release(st *Stream, now time.Time) {
	if t.stream(st.alias) == st {
		t.streams[st.alias] = nil
		t.slots.Release(int(st.alias), st.silent(now) >= aliasIdle, now)
	}
}

// stream returns what an alias stands for, or nil.
func (t *aliasTable) stream(alias uint16) *Stream {
	if int(alias) >= len(t.streams) {
		return nil
	}
	return t.streams[alias]
}
