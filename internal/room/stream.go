package room

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxStreams bounds the streams of one member; each key change makes a new one, and the oldest goes.
	maxStreams = 8
	// bindRate and bindBurst bound how fast a member makes new ones: each takes an alias of the room, and the
	// one that goes makes its alias rest. Keys change at most once a second.
	bindRate  = 4
	bindBurst = 16
	// aliasRest is how long a freed alias is not used for another stream, while there are others: frames
	// under way may still carry it.
	aliasRest = 5 * time.Second
	// aliasIdle is how long a stream may be silent and keep its alias when others need one, or, if it is a
	// remote member's, another of those makes a stream. Its next frame makes it again.
	aliasIdle = 30 * time.Second
	// aliasSweep is how far apart looks for such streams are, at least.
	aliasSweep = time.Second
	// crowded is from how many aliases on somebody is named who has more than others.
	crowded = 64
)

// Stream is one member's stream of media in a room. All members know it by the same alias.
type Stream struct {
	member  *Member
	kid     wire.KID
	alias   uint16
	made    time.Time   // by Bind
	dropped atomic.Bool // its alias was taken back, and may stand for another's stream
	// when Received was called last, in ns after made: the wall clock may be set meanwhile
	received atomic.Int64
}

// receivedEvery is how far apart the times are that Received keeps, at least: others read what it would
// write.
const receivedEvery = time.Second

// Received says that a frame of the stream came. One of which none comes for long is dropped when another
// needs its alias, and so are those of who has more than others; Bind makes it again.
func (st *Stream) Received(now time.Time) {
	if at := int64(now.Sub(st.made)); at-st.received.Load() >= int64(receivedEvery) {
		st.received.Store(at)
	}
}

// last returns when a frame of the stream came last.
func (st *Stream) last() time.Time { return st.made.Add(time.Duration(st.received.Load())) }

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
			st.Received(now)
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
	for _, to := range room.members.Load().local {
		to.receiver.SetAliasKnown(st.alias, false)
	}
	m.streams = append(m.streams, st)
	return st
}

// assign gives a new stream the lowest alias that is free, for those travel shortest, or reports that there
// is none for it. When all are taken, first the streams that are silent for long give theirs back, then
// whoever has most gives way, as internal/share says. The caller holds room.mu.
func (room *Room) assign(st *Stream, now time.Time) bool {
	path := st.member.path()
	alias, ok := room.aliases.Free(path[:], st, now)
	if !ok {
		room.dropIdle(true, now)
		alias, ok = room.aliases.Free(path[:], st, now)
	}
	if !ok {
		alias, ok = room.displaceStream(path[:], st, now)
	}
	st.alias = uint16(alias)
	return ok
}

// displaceStream gives a stream the alias of whoever gives way. The caller holds room.mu.
func (room *Room) displaceStream(path []holder, st *Stream, now time.Time) (alias int, ok bool) {
	rooms := st.member.rooms
	alias, displaced, from, ok := room.aliases.Take(path, st, now)
	if !ok {
		rooms.Drops.Add(drops.NoAlias, 1)
		return 0, false
	}
	rooms.Drops.Add(drops.AliasTaken, 1)
	if displaced != nil {
		displaced.end()
	}
	if wide := from.Parent().Parent(); wide.Held() >= crowded {
		who, holds := wide.Key().group, wide.Held()+1
		room.short(rooms, Shortage{What: ShortAliases, Group: who, Holds: holds, Of: wire.MaxAliases}, now)
	}
	return alias, true
}

// dropIdle drops streams that were silent for long, once a second at most. The caller holds room.mu.
func (room *Room) dropIdle(all bool, now time.Time) {
	swept := &room.swept[0]
	if all {
		swept = &room.swept[1]
	}
	if now.Sub(*swept) < aliasSweep {
		return
	}
	*swept = now
	for _, st := range room.aliases.All() {
		if (all || st.member.remote()) && st.silent(now) >= aliasIdle {
			room.drop(st, now)
		}
	}
}

// drop takes a stream's alias back; nothing of the stream is forwarded any more. The caller holds room.mu.
func (room *Room) drop(st *Stream, now time.Time) {
	st.end()
	if alias := int(st.alias); room.aliases.Get(alias) == st {
		room.aliases.Release(alias, st.silent(now) >= aliasIdle, now)
	}
}

// end has nothing of the stream be forwarded any more. The caller holds room.mu.
func (st *Stream) end() {
	st.dropped.Store(true)
	m := st.member
	m.streams = slices.DeleteFunc(slices.Clone(m.streams), func(other *Stream) bool { return other == st })
}

// AliasAcked notes that a local member knows what an alias stands for, if it still does.
func (m *Member) AliasAcked(pair wire.AliasPair) {
	if m.remote() {
		return
	}
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	if st := m.room.aliases.Get(int(pair.Alias)); st != nil && st.kid == pair.KID {
		m.receiver.SetAliasKnown(pair.Alias, true)
	}
}
