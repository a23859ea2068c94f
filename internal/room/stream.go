package room

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxStreams bounds the streams of one member; each key change makes a new one, and the oldest goes.
	maxStreams = 8
	// bindRate and bindBurst bound how fast a member makes new ones: each takes an alias of the room, and the
	// one that goes makes its alias rest. Keys change at most once a second.
	bindRate  = 4
	bindBurst = 16
	// crowded is from how many aliases on somebody is named who has more than others.
	crowded = 64
)

// Stream is one member's stream of media in a room. All members know it by the same alias.
type Stream struct {
	member  *Member
	kid     wire.KID
	alias   uint16
	made    time.Time    // by Bind
	dropped atomic.Bool  // its alias was taken back, and may stand for another's stream
	heard   atomic.Int64 // when Heard was called last, in ns after made: the wall clock may be set meanwhile
}

// heardEvery is how far apart the times are that Heard keeps, at least: others read what it would write.
const heardEvery = time.Second

// Heard says that a frame of the stream came. One of which none comes for long is dropped when another needs
// its alias, and so are those of who has more than others; Bind makes it again.
func (st *Stream) Heard(now time.Time) {
	if at := int64(now.Sub(st.made)); at-st.heard.Load() >= int64(heardEvery) {
		st.heard.Store(at)
	}
}

// last returns when a frame of the stream came last.
func (st *Stream) last() time.Time { return st.made.Add(time.Duration(st.heard.Load())) }

// silent returns for how long no frame of the stream has come.
func (st *Stream) silent(now time.Time) time.Duration { return now.Sub(st.last()) }

// KID returns whose stream it is, and with which key.
func (st *Stream) KID() wire.KID { return st.kid }

// Room returns the room that the stream is in.
func (st *Stream) Room() wire.RoomHash { return st.member.room.hash }

// Origin returns where its member comes from.
func (st *Stream) Origin() Origin { return *st.member.origin.Load() }

// Dropped reports that nothing of the stream is forwarded any more.
func (st *Stream) Dropped() bool { return st.dropped.Load() }

// Bind returns the stream that a member announces, or nil if it may not: its key id is another member's, it
// makes new ones too fast, or the room has no alias for it.
func (m *Member) Bind(kid wire.KID, now time.Time) *Stream {
	if kid.Member() != m.ID {
		return nil
	}
	room := m.room
	room.mu.Lock()
	defer room.mu.Unlock()
	if m.left {
		return nil
	}
	for _, st := range m.streams {
		if st.kid == kid {
			st.Heard(now)
			return st
		}
	}
	if !m.binds.AllowN(now, 1) {
		return nil
	}
	if m.remote() {
		room.dropIdle(false, now)
	}
	st := &Stream{member: m, kid: kid, made: now}
	if !room.assign(st, now) {
		return nil
	}
	if len(m.streams) >= maxStreams {
		room.drop(m.streams[0], now)
	}
	for _, to := range room.members.Load().receivers {
		to.SetAliasKnown(st.alias, false)
	}
	m.streams = append(m.streams, st)
	return st
}

// assign gives a new stream an alias, or reports that there is none for it. The caller holds room.mu.
func (room *Room) assign(st *Stream, now time.Time) bool {
	if room.aliases.assignFree(st, now) {
		return true
	}
	room.dropIdle(true, now)
	if room.aliases.assignFree(st, now) {
		return true
	}
	rooms := st.member.rooms
	displaced, from, ok := room.aliases.displace(st, now)
	if !ok {
		rooms.Drops.Add(drops.NoAlias, 1)
		return false
	}
	rooms.Drops.Add(drops.AliasTaken, 1)
	if displaced != nil {
		displaced.end()
	}
	if wide := from.Parent().Parent(); wide.Held() >= crowded {
		who, holds := wide.Key().group, wide.Held()+1
		room.short(rooms, Shortage{What: ShortAliases, Group: who, Holds: holds, Of: wire.MaxAliases}, now)
	}
	return true
}

// dropIdle drops streams that were silent for long, of remote members or of all. The caller holds room.mu.
func (room *Room) dropIdle(all bool, now time.Time) {
	for _, idle := range room.aliases.idle(all, now) {
		room.drop(idle, now)
	}
}

// drop takes a stream's alias back; nothing of the stream is forwarded any more. The caller holds room.mu.
func (room *Room) drop(st *Stream, now time.Time) {
	st.end()
	room.aliases.release(st, now)
}

// end has nothing of the stream be forwarded any more. The caller holds room.mu.
func (st *Stream) end() {
	st.dropped.Store(true)
	m := st.member
	m.streams = slices.DeleteFunc(slices.Clone(m.streams), func(other *Stream) bool { return other == st })
}

// AliasAcked notes that the member's client knows what an alias stands for, if it still stands for that. The
// member is a local one.
func (m *Member) AliasAcked(pair wire.AliasPair) {
	if m.remote() {
		return
	}
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	if st := m.room.aliases.stream(pair.Alias); st != nil && st.kid == pair.KID {
		m.receiver.SetAliasKnown(pair.Alias, true)
	}
}

const (
	// aliasRest is how long a freed alias is not used for another stream, while there are others: frames
	// under way may still carry it.
	aliasRest = 5 * time.Second
	// aliasIdle is how long a stream may be silent and keep its alias when others need one, or, if it is a
	// remote member's, another of those makes a stream. Its next frame makes it again.
	aliasIdle = 30 * time.Second
	// aliasSweep is how far apart looks for such streams are, at least.
	aliasSweep = time.Second
)

// aliasTable gives a room's streams their aliases, the lowest first, for those travel shortest. When none is
// left, first the streams that are silent for long give theirs back, then whoever has most gives way, as
// internal/share says. The zero value is empty. It is pure; its Room locks it.
type aliasTable struct {
	slots   *share.Slots[holder] // aliases; nil: none was given yet
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

// assignFree gives st an alias that is nobody's, or reports that there is none.
func (t *aliasTable) assignFree(st *Stream, now time.Time) bool {
	if t.slots == nil {
		t.slots = share.NewSlots[holder](wire.MaxAliases, aliasRest, func(alias int) time.Time {
			return t.streams[alias].last()
		})
	}
	path := st.member.path()
	alias, ok := t.slots.Free(path[:], now)
	if ok {
		t.set(st, alias)
	}
	return ok
}

// displace gives st an alias of whoever gives way, or reports that nobody does. old is the stream that
// had it, or nil; from is who that is.
func (t *aliasTable) displace(st *Stream, now time.Time) (old *Stream, from *share.Group[holder], ok bool) {
	path := st.member.path()
	alias, from, ok := t.slots.Take(path[:], now)
	if !ok {
		return nil, nil, false
	}
	old = t.streams[alias]
	t.set(st, alias)
	return old, from, true
}

// set makes an alias stand for st.
func (t *aliasTable) set(st *Stream, alias int) {
	if alias == len(t.streams) { // slots are given out in order
		t.streams = append(t.streams, nil)
	}
	t.streams[alias] = st
	st.alias = uint16(alias)
}

// idle returns the streams that were silent for long, of remote members or of all, at most once a second.
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
