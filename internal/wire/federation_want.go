package wire

// FederationWant says whether the sender wants the media of home's members in a room from the receiver.
//
//	serial (varint) || home (8) || room hash (8) || 0 or 1 (1)
type FederationWant struct {
	Serial uint64 // of the same counter as FederationRoom.Serial
	Home   RelayID
	Room   RoomHash
	Want   bool
}

func (*FederationWant) kind() UrgentKind { return UrgentFederationWant }

func (m *FederationWant) fields(l *layout) {
	l.varint(&m.Serial)
	l.part(&m.Home, &m.Room)
	want := uint8(0)
	if m.Want {
		want = 1
	}
	l.uint8(&want)
	l.require(want <= 1, ErrInvalid, "its last byte is 0 or 1")
	m.Want = want == 1
}
