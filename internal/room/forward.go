package room

import (
	"slices"
	"sync/atomic"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Trunk is a link to another relay as a room sees it: it takes a frame once for all members behind it.
type Trunk interface {
	// SendStream sends a media frame of a stream. m has its KID, full CTR, layer and ciphertext; alias and
	// form are for the trunk to set, and may be whatever another trunk has set. Nothing of m may be kept.
	// from is the trunk that the frame came by; nil: from a local talker. It never blocks.
	SendStream(tx *link.Tx, st *Stream, m *wire.Media, from Trunk)
}

// Forward sends a frame to the other local members, as Admit said, and to the trunks of the talker's part but
// the one that it came from (nil: a local talker). It returns how many of each. media has its full CTR; KID,
// alias and form are replaced. short and long are scratch memory of wire.MaxPlaintext bytes.
func (st *Stream) Forward(to Audience, media *wire.Media, tx *link.Tx, short, long []byte,
	from Trunk) (local, trunks int) {
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
func (st *Stream) ForwardHere(to Audience, media *wire.Media, tx *link.Tx, short, long []byte) (local int) {
	if st.dropped.Load() {
		return 0
	}
	m := st.member
	media.Alias, media.KID, media.Tagged = st.alias, st.kid, false
	list := m.room.members.Load()
	if list.sizes[to] > 0 {
		media.Long = false
		short = wire.AppendMedia(short[:0], media, true)
		media.Long = true
		long = wire.AppendMedia(long[:0], media, true)
		local = list.fanOuts[to].SendMedia(tx, m.receiver, st.alias, short, long)
	}
	return local
}

// oneByOne is the FanOut of receivers of any kind.
type oneByOne []Receiver

func newOneByOne(list []Receiver) FanOut { return oneByOne(list) }

// SendMedia implements FanOut.
func (g oneByOne) SendMedia(tx *link.Tx, but Receiver, alias uint16, short, long []byte) (sent int) {
	for _, r := range g {
		if r != but {
			r.SendMedia(tx, alias, short, long)
			sent++
		}
	}
	return sent
}

// part is the members of one home in one room.
type part struct {
	room string
	home wire.RelayID // zero: here
}

// trunkSet is where the media of a part goes besides local members. All of its members share it, so that a
// change reaches them at once, and Forward needs no lock to find it.
type trunkSet struct {
	list    atomic.Pointer[[]Trunk] // never changed, only replaced
	members int                     // guarded by Rooms.mu
}

// SetTrunks says where the media of home's members of the room called name goes besides local members; the
// zero home is that of local ones. It replaces what was said before; no trunks are the same as never having
// said any. The room need not exist: what is said holds for every room of that name to come. The caller
// bounds for how many that is.
func (r *Rooms) SetTrunks(name string, home wire.RelayID, trunks []Trunk) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := part{name, home}
	if len(trunks) == 0 {
		delete(r.trunks, key)
	} else {
		r.trunks[key] = slices.Clone(trunks)
	}
	if room := r.rooms[name]; room != nil && room.trunks[home] != nil {
		list := r.trunks[key]
		room.trunks[home].list.Store(&list)
	}
}

// share gives a new member the trunks of its part. The caller holds Rooms.mu.
func (room *Room) share(m *Member) {
	set := room.trunks[m.home]
	if set == nil {
		set = new(trunkSet)
		list := m.rooms.trunks[part{room.name, m.home}]
		set.list.Store(&list)
		room.trunks[m.home] = set
	}
	set.members++
	m.trunks = set
}

// unshare forgets the trunks of a part with its last member. The caller holds Rooms.mu.
func (room *Room) unshare(m *Member) {
	if m.trunks.members--; m.trunks.members == 0 {
		delete(room.trunks, m.home)
	}
}
