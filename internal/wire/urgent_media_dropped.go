package wire

import "math"

// DropReason says why a relay drops media of a member.
type DropReason uint8

// The reasons. Those that came after this version are as good as any: something is dropped.
const (
	DropNone       DropReason = 0 // nothing is dropped any more
	DropPacketRate DropReason = 1 // the member sends too many packets a second
	DropMemberRate DropReason = 2 // the member sends too many bytes a second
	DropRoomRate   DropReason = 3 // the room has more than is passed on, and this is above the member's share
	DropSendRate   DropReason = 4 // the relay may not send all, and this is above the member's share
)

// dropReasons are the reasons' codes and words.
var dropReasons = [...]struct{ code, words string }{
	DropNone:       {"", "it is over"},
	DropPacketRate: {"packet_rate", "you send too many packets a second"},
	DropMemberRate: {"member_rate", "you send too many bytes a second"},
	DropRoomRate:   {"room_rate", "too many people talk in the room at once"},
	DropSendRate:   {"send_rate", "the relay has too much to do"},
}

// String says it in words that go on "the relay drops part of what you say:".
func (r DropReason) String() string {
	if int(r) < len(dropReasons) {
		return dropReasons[r].words
	}
	return "for a reason that this version does not know"
}

// Code names it for programs: "packet_rate", "member_rate", "room_rate", "send_rate", "other"; empty for
// DropNone.
func (r DropReason) Code() string {
	if int(r) < len(dropReasons) {
		return dropReasons[r].code
	}
	return "other"
}

// MediaDropped says what became of a client's media frames since the last such message.
//
//	reason (1) || frames dropped (varint) || frames sent (varint)
type MediaDropped struct {
	Reason  DropReason // the newest one, known or not
	Dropped uint64     // frames; 0 with DropNone
	Sent    uint64     // those and the ones that were forwarded; below 2^32
}

func (*MediaDropped) kind() UrgentKind { return UrgentMediaDropped }

func (m *MediaDropped) fields(l *layout) {
	const most = math.MaxUint32
	dropped, sent := uint32(min(m.Dropped, m.Sent, most)), uint32(min(m.Sent, most))
	l.uint8((*uint8)(&m.Reason))
	l.varint32(&dropped)
	l.varint32(&sent)
	l.require(dropped <= sent, ErrInvalid, "more frames dropped than sent")
	m.Dropped, m.Sent = uint64(dropped), uint64(sent)
}
