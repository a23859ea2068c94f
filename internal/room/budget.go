package room

import (
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// How much media members may bring. A relay sends each frame to everybody in the room, so what counts is what
// that takes: a packet of its own for each listener, with all headers.

const (
	// frameOverhead is what a media frame takes on the wire beside its ciphertext: IPv4 20, UDP 8, sealed
	// header and tag, the frame's first byte and CTR.
	frameOverhead = 28 + wire.HeaderSize + wire.TagSize + 1 + 2
	// memberBurst is how much of its rate a member may send at once: what a path held back for a moment.
	memberBurst = 500 * time.Millisecond
	// roomBurst and roomLeast bound the same for a room that has too much: see budget.Config. Beside 30
	// floods it is a second of speech for each.
	roomBurst = time.Second
	roomLeast = 4000 // bytes: what was said just before the microphone opened comes at once
	// sendLeast is the same of the relay's rate of packets.
	sendLeast = 1000
)

// FrameSize returns what a media frame takes on the wire, in a packet to one listener.
func FrameSize(m *wire.Media) int { return frameOverhead + len(m.Ciphertext) }

// Source returns whose share the stream counts in, if it comes by way of a group: where its member is
// attached from, or the link that its frames come over.
func (st *Stream) Source(by budget.Group) budget.Source {
	return budget.Source{Group: by, Member: st.member.number}
}

// awayPart is the part of a room's rate that it sends to peers. To a peer all of it comes by one link, in
// which it cannot tell a crowd behind one address from single members. So we choose, and send so little that
// all of it gets through there, beside a few others who send too much.
const awayPart = 4

// Audience is which local members get a frame.
type Audience uint8

const (
	Everybody Audience = iota
	// Few are those of no crowd: of each Group the first fewOfGroup, when the relay has too much to send.
	Few
)

// fewOfGroup is how many listeners of one address, or part of the network, in one room are none of a crowd.
const fewOfGroup = 64

// Admit decides whether a frame of a stream may be forwarded, and to whom here, and counts it if not: a
// member has a rate, a room has one that its groups share, and the members of each, and so has the relay, of
// packets that it sends. RoomRateToPeers is for ForwardHere. at is a time on any clock that does not go back.
// It takes no lock while there is less than these rates.
//
// Who talks to a crowd sends much, and so does who brings a crowd to listen. So when there is too much,
// crowds are left out first: what a talker's share has to be enough for then nobody can raise by more than
// fewOfGroup listeners for each address.
func (st *Stream) Admit(from budget.Source, m *wire.Media, at time.Duration) (drops.Reason, Audience) {
	rooms, size, to := st.member.rooms, FrameSize(m), Everybody
	var why drops.Reason
	switch {
	case !st.member.sent.Take(size, rooms.limits.MemberRate, memberBurst, at):
		why = drops.MemberRate
	case !st.member.room.media.Take(from, size, at):
		why = drops.RoomRate
	case !st.maySend(from, at, &to):
		why = drops.SendRate
	case len(*st.member.trunks.list.Load()) > 0 && !st.member.hidden.Load() &&
		!st.member.room.away.Take(from, size, at):
		why = drops.RoomRateToPeers
	default:
		return drops.None, to
	}
	rooms.Drops.AddBytes(why, size)
	return why, to
}

// MaySend reports whether the relay may send one packet more, whose media counts in the share of who brings
// it.
func (r *Rooms) MaySend(from budget.Source, at time.Duration) bool {
	return r.send.Spare(1, at) || r.send.Take(from, 1, at)
}

// maySend reports whether the relay may send a frame to the local members now, or else to a Few of them.
func (st *Stream) maySend(from budget.Source, at time.Duration, to *Audience) bool {
	list, rooms := st.member.room.members.Load(), st.member.rooms
	all := list.sizes[Everybody]
	if all == 0 || rooms.send.Spare(all, at) {
		return true
	}
	few := list.sizes[Few]
	if !rooms.send.Take(from, few, at) {
		return false
	}
	*to = Few
	rooms.Drops.Add(drops.Crowd, max(0, all-few))
	return true
}
