package room

import (
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// aliasRest is how long a freed alias is not used for another stream: frames under way may still carry it.
const aliasRest = 5 * time.Second

// aliasTable gives a room's streams their aliases, the lowest first, for those travel shortest. The
// zero value is empty. It is pure; its Room locks it.
type aliasTable struct {
	streams []*Stream   // by alias; nil: free
	freed   []time.Time // by alias: when it was freed last
	used    int
}

// assign gives st an alias, or reports that there is none.
func (t *aliasTable) assign(st *Stream, now time.Time) bool {
	for alias, other := range t.streams {
		if other == nil && now.Sub(t.freed[alias]) >= aliasRest {
			t.streams[alias] = st
			st.alias = uint16(alias)
			t.used++
			return true
		}
	}
	if len(t.streams) >= wire.MaxAliases {
		return false
	}
	st.alias = uint16(len(t.streams))
	t.streams = append(t.streams, st)
	t.freed = append(t.freed, time.Time{})
	t.used++
	return true
}

// free takes st's alias back.
func (t *aliasTable) free(st *Stream, now time.Time) {
	if t.stream(st.alias) == st {
		t.streams[st.alias] = nil
		t.freed[st.alias] = now
		t.used--
	}
}

// stream returns what an alias stands for, or nil.
func (t *aliasTable) stream(alias uint16) *Stream {
	if int(alias) >= len(t.streams) {
		return nil
	}
	return t.streams[alias]
}
