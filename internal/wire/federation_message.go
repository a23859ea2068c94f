package wire

// FederationMessage carries an urgent message to a member of another relay: from peer link to peer link, to
// the member's home.
//
//	hops left (1) || room hash (8) || recipient (6) || kind (1) || body
type FederationMessage struct {
	Hops uint8      // over how many more links it may go, this one included: 1 to MaxHops
	Room RoomHash   // the room of talker and listener
	To   MemberID   // who gets it
	Kind UrgentKind // UrgentKey, UrgentKeysWanted or UrgentKeyReceived
	Body []byte     // the message of that kind, not checked but for its length; aliases what was parsed
}

func (*FederationMessage) kind() UrgentKind { return UrgentFederationMessage }

func (m *FederationMessage) fields(l *layout) {
	l.uint8(&m.Hops)
	l.bytes(m.Room[:])
	l.bytes(m.To[:])
	l.uint8((*uint8)(&m.Kind))
	l.require(m.Hops > 0, ErrInvalid, "no hops are left")
	l.require(m.Hops <= MaxHops, ErrLimit, "at most 8 hops")
	l.require(m.Kind == UrgentKey || m.Kind == UrgentKeysWanted || m.Kind == UrgentKeyReceived,
		ErrUnknown, "of a kind that is not for members of other relays")
	l.rest(&m.Body)
}
