package room

import (
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/wire"
)

// How much media members may bring. A relay sends each frame to everybody in the room, so what counts is what that
// takes: a packet of its own for each listener, with all headers.

const (
	// frameOverhead is what a media frame takes on the wire beside its ciphertext: IPv4 20, UDP 8, sealed header and tag,
	// the frame's first byte and CTR.
	frameOverhead = 28 + wire.HeaderSize + wire.TagSize + 1 + 2
	// memberBurst is how much of its rate a member may send at once: what a path held back for a moment.
	memberBurst = 500 * time.Millisecond
	// roomBurst and roomLeast bound the same for a room that has too much: see budget.Config. Beside 30 floods it is a second
	// of speech for each.
	roomBurst = time.Second
	roomLeast = 1200 // bytes
)

// Rates of media, in bytes a second, where nothing else is said: 256 kbit/s of a member, which is four times the best
// speech with its headers, and 2 Mbit/s of a room, which is some 40 people who speak at once.
const (
	DefaultMemberRate = 256_000 / 8
	DefaultRoomRate   = 2_000_000 / 8
)

// Refusal says why a frame is not forwarded.
type Refusal uint8

// The reasons.
const (
	Admitted Refusal = iota
	OverMemberRate
	OverRoomRate
	// OverAwayRate is of frames that are for local members only: the room has more than it sends to peers.
	OverAwayRate
	Refusals // how many there are
)

// String says it for the event log.
func (r Refusal) String() string {
	switch r {
	case OverMemberRate:
		return "the member sends too many bytes a second"
	case OverRoomRate:
		return "the room has more media than is passed on, and this is above the member's share"
	case OverAwayRate:
		return "the room has more media than is sent to peers, and this is above the member's share"
	default:
		return "admitted"
	}
}

// Dropped counts media that was not forwarded.
type Dropped struct{ Packets, Bytes uint64 }

// drops counts refused frames by the reason.
type drops [Refusals]struct{ packets, bytes atomic.Uint64 }

func (d *drops) total() (all [Refusals]Dropped) {
	for why := range d {
		all[why] = Dropped{d[why].packets.Load(), d[why].bytes.Load()}
	}
	return all
}

// FrameSize returns what a media frame takes on the wire, in a packet to one listener.
func FrameSize(m *wire.Media) int { return frameOverhead + len(m.Ciphertext) }

// Source returns whose share the stream counts in, if it comes by way of a group: where its member is attached from, or the
// link that its frames come over.
func (st *Stream) Source(by budget.Group) budget.Source {
	return budget.Source{Group: by, Member: st.member.number}
}

// awayPart is the part of a room's rate that it sends to peers. To a peer all of it comes by one link, as one group, in
// which it cannot tell a crowd that we know to be behind one address from those who sit alone. So we choose, and send so
// little that the link gets all of it through there, beside a few others who send too much.
const awayPart = 4

// Admit decides whether a frame of a stream may be forwarded, and counts it if not: a member has a rate, and a room has
// one that its groups share, and the members of each. OverAwayRate is for ForwardHere. at is a time on any clock that does
// not go back. It takes no lock while the room has less than its rate.
func (st *Stream) Admit(from budget.Source, m *wire.Media, at time.Duration) Refusal {
	limits, size := &st.member.rooms.limits, FrameSize(m)
	var why Refusal
	switch {
	case !st.member.sent.Take(size, limits.MemberRate, memberBurst, at):
		why = OverMemberRate
	case !st.member.room.media.Take(from, size, at):
		why = OverRoomRate
	case len(*st.member.trunks.list.Load()) > 0 && !st.member.room.away.Take(from, size, at):
		why = OverAwayRate
	default:
		return Admitted
	}
	count := &st.member.rooms.drops[why]
	count.packets.Add(1)
	count.bytes.Add(uint64(size))
	return why
}
