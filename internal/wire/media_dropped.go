package wire

// UrgentMediaDropped tells a client that the relay drops some of the media that it sends: AppendMediaDropped.
const UrgentMediaDropped UrgentKind = 14

// DropReason says why a relay drops media of a member.
type DropReason uint8

// The reasons. Those that came after this version are as good as any: something is dropped.
const (
	DropNone       DropReason = 0 // nothing is dropped any more
	DropPacketRate DropReason = 1 // the member sends too many packets a second
	DropMemberRate DropReason = 2 // the member sends too many bytes a second
	DropRoomRate   DropReason = 3 // the room has more media than is passed on, and this is above the member's share
	DropSendRate   DropReason = 4 // the relay has more packets to send than it may, and this is above the member's share
)

// String says it in words that go on "the relay drops part of what you say:".
func (r DropReason) String() string {
	switch r {
	case DropNone:
		return "it is over"
	case DropPacketRate:
		return "you send too many packets a second"
	case DropMemberRate:
		return "you send too many bytes a second"
	case DropRoomRate:
		return "too many people talk in the room at once"
	case DropSendRate:
		return "the relay has too much to do"
	default:
		return "for a reason that this version does not know"
	}
}

// Code names it for programs: "packet_rate", "member_rate", "room_rate", "send_rate", "other"; empty for DropNone.
func (r DropReason) Code() string {
	switch r {
	case DropNone:
		return ""
	case DropPacketRate:
		return "packet_rate"
	case DropMemberRate:
		return "member_rate"
	case DropRoomRate:
		return "room_rate"
	case DropSendRate:
		return "send_rate"
	default:
		return "other"
	}
}

// MediaDropped says what became of a client's media frames since the last such message.
type MediaDropped struct {
	Reason  DropReason // the newest one
	Dropped uint64     // frames; 0 with DropNone
	Sent    uint64     // those and the ones that were forwarded; below 2^32
}

const maxDropped = 1<<32 - 1

var (
	errDroppedShort = &FormatError{"media dropped", ErrTruncated, ""}
	errDroppedLong  = &FormatError{"media dropped", ErrInvalid, "goes on after its counts"}
	errDroppedCount = &FormatError{"media dropped", ErrInvalid, "more frames dropped than sent"}
	errDroppedLimit = &FormatError{"media dropped", ErrLimit, "counts must fit 32 bits"}
)

// AppendMediaDropped appends a message of kind [UrgentMediaDropped].
//
//	reason (1) || frames dropped (varint) || frames sent (varint)
func AppendMediaDropped(dst []byte, m MediaDropped) []byte {
	sent := min(m.Sent, maxDropped)
	dst = appendVarint(append(dst, byte(m.Reason)), min(m.Dropped, sent))
	return appendVarint(dst, sent)
}

// ParseMediaDropped reads such a message, of a known reason or not.
func ParseMediaDropped(message []byte) (MediaDropped, error) {
	r := reader{b: message}
	m := MediaDropped{Reason: DropReason(r.uint8()), Dropped: r.varint(), Sent: r.varint()}
	switch {
	case r.short:
		return MediaDropped{}, errDroppedShort
	case len(r.b) > 0:
		return MediaDropped{}, errDroppedLong
	case m.Dropped > m.Sent:
		return MediaDropped{}, errDroppedCount
	case m.Sent > maxDropped:
		return MediaDropped{}, errDroppedLimit
	}
	return m, nil
}
