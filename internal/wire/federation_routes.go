package wire

// The short messages about routes and media on a peer link. Home and Room of each name one relay's part of one room.

// FederationLeave takes a [FederationRoom] back: the sender has no route to the home relay's part of the room any more.
type FederationLeave struct {
	Serial uint64 // of the same counter as FederationRoom.Serial
	Home   RelayID
	Room   RoomHash
}

// FederationWant says whether the sender wants the media of home's members in a room from the receiver.
type FederationWant struct {
	Serial uint64 // of the same counter as FederationRoom.Serial
	Home   RelayID
	Room   RoomHash
	Want   bool
}

// FederationFetch asks for the members of home in a room: [FederationMembers].
type FederationFetch struct {
	Home RelayID
	Room RoomHash
}

var (
	errRouteShort = &FormatError{"federation leave", ErrTruncated, ""}
	errRouteLong  = &FormatError{"federation leave", ErrInvalid, "goes on after its room"}
	errWantShort  = &FormatError{"federation want", ErrTruncated, ""}
	errWantLong   = &FormatError{"federation want", ErrInvalid, "goes on after its last byte"}
	errWantValue  = &FormatError{"federation want", ErrInvalid, "its last byte is 0 or 1"}
	errFetch      = &FormatError{"federation fetch", ErrInvalid, "a relay id and a room hash, 16 bytes"}
)

// AppendFederationLeave appends the message.
//
//	serial (varint) || home (8) || room hash (8)
func AppendFederationLeave(dst []byte, m *FederationLeave) []byte {
	return appendPart(appendVarint(dst, m.Serial), m.Home, m.Room)
}

// ParseFederationLeave reads the message.
func ParseFederationLeave(message []byte) (*FederationLeave, error) {
	r := reader{b: message}
	m := &FederationLeave{Serial: r.varint()}
	m.Home, m.Room = r.part()
	switch {
	case r.short:
		return nil, errRouteShort
	case len(r.b) > 0:
		return nil, errRouteLong
	}
	return m, nil
}

// AppendFederationWant appends the message.
//
//	serial (varint) || home (8) || room hash (8) || 0 or 1 (1)
func AppendFederationWant(dst []byte, m *FederationWant) []byte {
	dst = appendPart(appendVarint(dst, m.Serial), m.Home, m.Room)
	if m.Want {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// ParseFederationWant reads the message.
func ParseFederationWant(message []byte) (*FederationWant, error) {
	r := reader{b: message}
	m := &FederationWant{Serial: r.varint()}
	m.Home, m.Room = r.part()
	want := r.uint8()
	switch {
	case r.short:
		return nil, errWantShort
	case len(r.b) > 0:
		return nil, errWantLong
	case want > 1:
		return nil, errWantValue
	}
	m.Want = want == 1
	return m, nil
}

// AppendFederationFetch appends the message.
//
//	home (8) || room hash (8)
func AppendFederationFetch(dst []byte, m *FederationFetch) []byte {
	return appendPart(dst, m.Home, m.Room)
}

// ParseFederationFetch reads the message.
func ParseFederationFetch(message []byte) (*FederationFetch, error) {
	r := reader{b: message}
	m := &FederationFetch{}
	m.Home, m.Room = r.part()
	if r.short || len(r.b) > 0 {
		return nil, errFetch
	}
	return m, nil
}

// partSize is the length of what appendPart appends.
const partSize = len(RelayID{}) + len(RoomHash{})

// appendPart appends what names one relay's part of one room.
func appendPart(dst []byte, home RelayID, room RoomHash) []byte {
	return append(append(dst, home[:]...), room[:]...)
}

func (r *reader) part() (home RelayID, room RoomHash) {
	copy(home[:], r.take(len(home)))
	copy(room[:], r.take(len(room)))
	return home, room
}
