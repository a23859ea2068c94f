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

// Heard says that a frame of the stream came. One of which none comes for long is dropped when another needs its alias, and
// so are those of who has more than others; Bind makes it again.
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

// Bind returns the stream that a member announces, or nil if it may not: its key id is another
// member's, it makes new ones too fast, or the room has no alias for it.
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
	for _, to := range *room.receivers.Load() {
		to.SetAliasKnown(st.alias, false)
	}
	m.streams = append(m.streams, st)
	return st
}

// assign gives a new stream an alias, or reports that there is none for it. The caller holds room.mu.
func (room *Room) assign(st *Stream, now time.Time) bool {
	if room.aliases.free(st, now) {
		return true
	}
	room.dropIdle(true, now)
	if room.aliases.free(st, now) {
		return true
	}
	rooms := st.member.rooms
	taken, from, ok := room.aliases.take(st, now)
	if !ok {
		rooms.Drops.Add(drops.NoAlias, 1)
		return false
	}
	rooms.Drops.Add(drops.AliasTaken, 1)
	if taken != nil {
		taken.end()
	}
	if wide := from.Parent().Parent(); wide.Held() >= crowded {
		room.short(rooms, Shortage{What: ShortAliases, Group: wide.Key().group, Holds: wide.Held() + 1, Of: wire.MaxAliases}, now)
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

// AliasAcked notes that the member's client knows what an alias stands for, if it still stands for that. The member
// is a local one.
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

// Forward sends a media frame of a stream to the other local members of its room, of whom Admit says who gets it, and to the
// trunks of the talker's part of it but the one that it came from (nil: from a local talker). It returns how many of each
// those are.
// media has its full CTR; its KID, alias and form are replaced. short and long are scratch memory, wire.MaxPlaintext
// bytes each, for the two forms of the frame that local members get.
func (st *Stream) Forward(to Audience, media *wire.Media, tx Tx, short, long []byte, from Trunk) (local, trunks int) {
	if st.dropped.Load() {
		return 0, 0
	}
	local = st.ForwardHere(to, media, tx, short, long)
	if st.member.hidden.Load() {
		return local, 0
	}
	for _, trunk := range *st.member.trunks.list.Load() {
		if trunk != from {
			trunk.SendStream(tx, st, media, from)
			trunks++
		}
	}
	return local, trunks
}

// ForwardHere is Forward to local members alone.
func (st *Stream) ForwardHere(to Audience, media *wire.Media, tx Tx, short, long []byte) (local int) {
	if st.dropped.Load() {
		return 0
	}
	m := st.member
	media.Alias, media.KID, media.Tagged = st.alias, st.kid, false
	receivers := m.room.receivers.Load()
	if to == Few {
		receivers = m.room.few.Load()
	}
	if len(*receivers) > 0 {
		media.Long = false
		short = wire.AppendMedia(short[:0], media, true)
		media.Long = true
		long = wire.AppendMedia(long[:0], media, true)
		local = m.rooms.FanOut(tx, *receivers, m.receiver, st.alias, short, long)
	}
	return local
}

// oneByOne is the FanOut for receivers of any kind.
func oneByOne(tx Tx, to []Receiver, but Receiver, alias uint16, short, long []byte) (sent int) {
	for _, r := range to {
		if r != but {
			r.SendMedia(tx, alias, short, long)
			sent++
		}
	}
	return sent
}
