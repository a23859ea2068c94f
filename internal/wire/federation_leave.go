package wire

// FederationLeave takes a [FederationRoom] back: the sender has no route to the home relay's part of the room
// any more.
//
//	serial (varint) || home (8) || room hash (8)
type FederationLeave struct {
	Serial uint64 // of the same counter as FederationRoom.Serial
	Home   RelayID
	Room   RoomHash
}

func (*FederationLeave) kind() UrgentKind { return UrgentFederationLeave }

func (m *FederationLeave) fields(l *layout) {
	l.varint(&m.Serial)
	l.part(&m.Home, &m.Room)
}
