package wire

// FederationFetch asks for the members of home in a room, which [FederationMembers] lists. With zeros it asks
// for all announcements again.
//
//	home (8) || room hash (8)
type FederationFetch struct {
	Home RelayID
	Room RoomHash
}

func (*FederationFetch) kind() UrgentKind { return UrgentFederationFetch }

func (m *FederationFetch) fields(l *layout) { l.part(&m.Home, &m.Room) }
