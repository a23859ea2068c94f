package wire

import (
	"encoding/binary"
	"strconv"
)

// Limits of urgent messages, docs/protocol.md, section 4.4.
const (
	MaxUrgent      = 1024 // bytes of a message, without number and kind
	UrgentUnderWay = 256  // messages that may wait for their acknowledgement
	UrgentWindow   = 1024 // numbers this far above the receiver's base, or farther, are ignored
)

// UrgentKind says what an urgent message is. Unknown ones are acknowledged and ignored.
type UrgentKind uint8

// All kinds. Each that is not empty has a file of its own.
const (
	UrgentMembersJoined UrgentKind = 1  // from the relay: AppendMembersJoined
	UrgentMembersLeft   UrgentKind = 2  // from the relay: AppendMembersLeft
	UrgentRefetch       UrgentKind = 3  // from the relay: fetch the member list again; empty
	UrgentShutdown      UrgentKind = 4  // from the relay: it shuts down; empty
	UrgentLeave         UrgentKind = 5  // from the client: it leaves; empty
	UrgentSenderKey     UrgentKind = 6  // from the client: SenderKey
	UrgentKeyWraps      UrgentKind = 7  // from the client: AppendKeyWraps
	UrgentKey           UrgentKind = 8  // from the relay: Key
	UrgentKeysWanted    UrgentKind = 9  // from both: AppendKeysWanted
	UrgentKeyDelivered  UrgentKind = 10 // from the relay: KeyDelivered
	UrgentMembersWanted UrgentKind = 11 // from the client: it does not get the member list; empty
	UrgentKeyReceived   UrgentKind = 12 // between relays, inside of FederationMessage only: KeyReceived
	UrgentRelays        UrgentKind = 13 // from the relay: AppendRelays
	UrgentMediaDropped  UrgentKind = 14 // from the relay: MediaDropped

	// Calls, docs/protocol.md, sections 11 to 13: the structs of these names.
	UrgentAvailable   UrgentKind = 15 // from the client: a record of SignReach, or empty
	UrgentRouteWanted UrgentKind = 16 // from the client
	UrgentRoute       UrgentKind = 17 // from the relay
	UrgentCallForward UrgentKind = 18 // from the client
	UrgentCallOffer   UrgentKind = 19 // from the relay: CallForward
	UrgentCallMessage UrgentKind = 20 // from both
	UrgentCallState   UrgentKind = 21 // from the relay
	UrgentCallEnd     UrgentKind = 22 // from both
	UrgentCallMedia   UrgentKind = 23 // from the client
	UrgentKeptWanted  UrgentKind = 24 // from the client
	UrgentKeptCall    UrgentKind = 25 // from the relay

	UrgentRecordRefused UrgentKind = 26 // from the relay

	// Between relays, docs/protocol.md, section 9.2: the structs of these names.
	UrgentFederationRoom    UrgentKind = 32
	UrgentFederationLeave   UrgentKind = 33
	UrgentFederationWant    UrgentKind = 34
	UrgentFederationFetch   UrgentKind = 35
	UrgentFederationMembers UrgentKind = 36
	UrgentFederationMessage UrgentKind = 37

	// Between relays, docs/protocol.md, section 11: the structs of these names.
	UrgentPresenceHome     UrgentKind = 40
	UrgentPresenceGone     UrgentKind = 41
	UrgentPresenceNews     UrgentKind = 42
	UrgentPresenceCompare  UrgentKind = 43
	UrgentPresenceContents UrgentKind = 44

	UrgentRouteQuery     UrgentKind = 45
	UrgentRouteResponse  UrgentKind = 46
	UrgentSessionForward UrgentKind = 48 // CallForward
	UrgentSessionAnswer  UrgentKind = 49 // CallState
	UrgentSessionMessage UrgentKind = 50 // CallMessage
	UrgentSessionEnd     UrgentKind = 51 // CallEnd
)

var urgentNames = [...]string{1: "members joined", "members left", "refetch", "shutdown", "leave",
	6: "sender key", "key wraps", "key", "keys wanted", "key delivered", "members wanted", "key received",
	13: "relays", "media dropped",
	15: "available", "route wanted", "route", "call forward", "call offer", "call message", "call state",
	22: "call end", "call media", "kept wanted", "kept call", "record refused",
	32: "federation room", "federation leave", "federation want", "federation fetch", "federation members",
	"federation message",
	40: "presence home", "presence gone", "presence news", "presence compare", "presence contents",
	45: "route query", "route response",
	48: "session forward", "session answer", "session message", "session end"}

// String returns a name, or the number of an unknown kind.
func (k UrgentKind) String() string {
	if int(k) < len(urgentNames) && urgentNames[k] != "" {
		return urgentNames[k]
	}
	return "urgent kind " + strconv.Itoa(int(k))
}

// Urgent is an urgent frame: a message that is repeated until it is acknowledged. Numbers count from
// 0 for each direction of a session.
type Urgent struct {
	Number  uint64
	Kind    UrgentKind
	Message []byte // at most MaxUrgent bytes; aliases the packet
}

var (
	errUrgentShort   = &FormatError{"urgent frame", ErrTruncated, ""}
	errUrgentLimit   = &FormatError{"urgent frame", ErrLimit, "a message has at most 1024 bytes"}
	errUrgentEmpty   = &FormatError{"urgent message", ErrInvalid, "this kind is empty"}
	errUrgentAck     = &FormatError{"urgent ack", ErrTruncated, ""}
	errUrgentAckLong = &FormatError{"urgent ack", ErrInvalid, "goes on after its bitmap"}
)

// AppendUrgent appends u as a frame. It does not check the limit of its message.
//
//	number (varint) || kind (1) || message
func AppendUrgent(dst []byte, u *Urgent, last bool) []byte {
	dst = appendFrameStart(dst, KindTyped, FrameUrgent, u.bodySize(), last)
	dst = append(appendVarint(dst, u.Number), byte(u.Kind))
	return append(dst, u.Message...)
}

// Size is how many bytes [AppendUrgent] appends.
func (u *Urgent) Size(last bool) int { return FrameSize(u.bodySize(), last) }

func (u *Urgent) bodySize() int { return varintLen(u.Number) + 1 + len(u.Message) }

// ParseUrgent reads the body of an urgent frame, of a known kind or not. The message itself is read by
// [ParseMembersJoined] and the like; of the kinds that have none it was checked to be empty.
func ParseUrgent(body []byte) (Urgent, error) {
	r := reader{b: body}
	u := Urgent{Number: r.varint(), Kind: UrgentKind(r.uint8())}
	switch {
	case r.short:
		return Urgent{}, errUrgentShort
	case len(r.b) > MaxUrgent:
		return Urgent{}, errUrgentLimit
	}
	switch u.Kind {
	case UrgentRefetch, UrgentShutdown, UrgentLeave, UrgentMembersWanted:
		if len(r.b) > 0 {
			return Urgent{}, errUrgentEmpty
		}
	}
	u.Message = r.b
	return u, nil
}

// UrgentAck acknowledges urgent messages: all numbers below Base, and Base+1+i for each bit i of
// Bitmap (i = 0 is the bit of value 1). Base itself is the lowest that is missing.
type UrgentAck struct {
	Base   uint64
	Bitmap uint64
}

// Has reports whether a acknowledges a number.
func (a UrgentAck) Has(number uint64) bool {
	if number <= a.Base {
		return number < a.Base
	}
	i := number - a.Base - 1
	return i < 64 && a.Bitmap>>i&1 == 1
}

// AppendUrgentAck appends a as a frame.
//
//	base (varint) || bitmap (8)
func AppendUrgentAck(dst []byte, a UrgentAck, last bool) []byte {
	dst = appendFrameStart(dst, KindTyped, FrameUrgentAck, varintLen(a.Base)+8, last)
	return binary.BigEndian.AppendUint64(appendVarint(dst, a.Base), a.Bitmap)
}

// ParseUrgentAck reads the body of an urgent ack. Base may be above anything that was sent.
func ParseUrgentAck(body []byte) (UrgentAck, error) {
	r := reader{b: body}
	a := UrgentAck{Base: r.varint(), Bitmap: r.uint64()}
	if r.short {
		return UrgentAck{}, errUrgentAck
	}
	if len(r.b) > 0 {
		return UrgentAck{}, errUrgentAckLong
	}
	return a, nil
}
