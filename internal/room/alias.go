package room

import (
	"time"

	"github.com/wzp-voice/wzp/wire"
)

const (
	// aliasRest is how long a freed alias is not used for another stream: frames under way may still carry it.
	aliasRest = 5 * time.Second
	// remoteIdle is how long a remote member's stream may be silent and keep its alias when others need one.
	remoteIdle = 30 * time.Second
	// remoteSweep is how far apart looks for such streams are, at least.
	remoteSweep = time.Second
	// remoteAliases and homeAliases bound the aliases of all remote members of a room, and of those with one home: a
	// peer may make members up, and local ones have to be heard all the same.
	remoteAliases = wire.MaxAliases / 2
	homeAliases   = wire.MaxAliases / 4
)

// aliasTable gives a room's streams their aliases, the lowest first, for those travel shortest. The
// zero value is empty. It is pure; its Room locks it.
type aliasTable struct {
	entries []aliasEntry // by alias; at most wire.MaxAliases
	used    int
	swept   time.Time // when idle was called last
}

// aliasEntry is what an alias stands for.
type aliasEntry struct {
	stream *Stream      // nil: free
	home   wire.RelayID // whose member has it, or had it before
	freed  time.Time    // when it was freed last
}

// counts reports whether the alias is not to be had, for it is used or rests.
func (e *aliasEntry) counts(now time.Time) bool {
	return e.stream != nil || !e.freed.IsZero() && now.Sub(e.freed) < aliasRest
}

// assign gives st an alias, or reports that there is none.
func (t *aliasTable) assign(st *Stream, now time.Time) bool {
	if st.home != (wire.RelayID{}) && !t.admits(st.home, now) {
		return false
	}
	for alias := range t.entries {
		if e := &t.entries[alias]; !e.counts(now) {
			t.give(st, alias)
			return true
		}
	}
	if len(t.entries) >= wire.MaxAliases {
		return false
	}
	t.entries = append(t.entries, aliasEntry{})
	t.give(st, len(t.entries)-1)
	return true
}

// give makes an alias stand for st.
func (t *aliasTable) give(st *Stream, alias int) {
	t.entries[alias] = aliasEntry{stream: st, home: st.home}
	st.alias = uint16(alias)
	t.used++
}

// admits reports whether a member with a home elsewhere may have one more alias. Those that rest count too: else who
// changes streams fast enough would have all of them.
func (t *aliasTable) admits(home wire.RelayID, now time.Time) bool {
	remote, same := 0, 0
	for alias := range t.entries {
		e := &t.entries[alias]
		if e.home == (wire.RelayID{}) || !e.counts(now) {
			continue
		}
		remote++
		if e.home == home {
			same++
		}
	}
	return remote < remoteAliases && same < homeAliases
}

// idle returns the streams of remote members that were silent for long. It looks once a second at most.
func (t *aliasTable) idle(now time.Time) (streams []*Stream) {
	if now.Sub(t.swept) < remoteSweep {
		return nil
	}
	t.swept = now
	for alias := range t.entries {
		st := t.entries[alias].stream
		if st != nil && st.home != (wire.RelayID{}) && now.UnixNano()-st.heard.Load() >= int64(remoteIdle) {
			streams = append(streams, st)
		}
	}
	return streams
}

// free takes st's alias back.
func (t *aliasTable) free(st *Stream, now time.Time) {
	if t.stream(st.alias) == st {
		t.entries[st.alias] = aliasEntry{home: st.home, freed: now}
		t.used--
	}
}

// stream returns what an alias stands for, or nil.
func (t *aliasTable) stream(alias uint16) *Stream {
	if int(alias) >= len(t.entries) {
		return nil
	}
	return t.entries[alias].stream
}
