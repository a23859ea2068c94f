package room

import (
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// maxStreams bounds the streams of one member; each key change makes a new one, and the oldest goes.
const maxStreams = 8

// Stream is one member's stream of media in a room. All members know it by the same alias.
type Stream struct {
	member *Member
	kid    wire.KID
	alias  uint16
}

// Bind returns the stream that a member announces, or nil if it may not: its key id is another
// member's, or the room has no alias left.
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
			return st
		}
	}
	if len(m.streams) >= maxStreams {
		room.aliases.free(m.streams[0], now)
		m.streams = append(m.streams[:0:0], m.streams[1:]...)
	}
	st := &Stream{member: m, kid: kid}
	if !room.aliases.assign(st, now) {
		return nil
	}
	for _, other := range *room.members.Load() {
		other.receiver.SetAliasKnown(st.alias, false)
	}
	m.streams = append(m.streams, st)
	return st
}

// AliasAcked notes that the member's client knows what an alias stands for, if it still stands for that.
func (m *Member) AliasAcked(pair wire.AliasPair) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	if st := m.room.aliases.stream(pair.Alias); st != nil && st.kid == pair.KID {
		m.receiver.SetAliasKnown(pair.Alias, true)
	}
}

// Forward sends a media frame of a stream to every other member of its room and returns how many that are.
// media has its full CTR; its KID and alias are replaced by the stream's. short and long are scratch memory,
// wire.MaxPlaintext bytes each, for the two forms of the frame.
func (st *Stream) Forward(media *wire.Media, tx Tx, short, long []byte) int {
	media.Alias, media.KID = st.alias, st.kid
	media.Long = false
	short = wire.AppendMedia(short[:0], media, true)
	media.Long = true
	long = wire.AppendMedia(long[:0], media, true)
	sent := 0
	for _, m := range *st.member.room.members.Load() {
		if m == st.member {
			continue
		}
		m.receiver.SendMedia(tx, st.alias, short, long)
		sent++
	}
	return sent
}
