package wire

import "github.com/wzp-voice/wzp/identity"

// QueryID names a query on one link, in one direction.
type QueryID [8]byte

// RouteQuery asks a peer where somebody can be called. It travels hop by hop, to nobody whom it has been to.
//
//	query id (8) || hops left (1) || n (1) || n relay ids (8 each) || fingerprint (16)
type RouteQuery struct {
	ID     QueryID   // of the sender's choice, for the answer
	Hops   uint8     // over how many more links it may go, this one included: 1 to MaxHops
	Path   []RelayID // the relays that it came by, 1 to MaxHops: first who asks, last the sender
	Target identity.Fingerprint
}

func (*RouteQuery) kind() UrgentKind { return UrgentRouteQuery }

func (m *RouteQuery) fields(l *layout) {
	l.bytes(m.ID[:])
	l.uint8(&m.Hops)
	n := uint8(len(m.Path))
	l.uint8(&n)
	l.require(m.Hops > 0, ErrInvalid, "no hops are left")
	l.require(m.Hops <= MaxHops, ErrLimit, "at most 8 hops")
	l.require(n > 0, ErrInvalid, "its path is empty")
	l.require(n <= MaxHops, ErrLimit, "a path has at most 8 relays")
	list(l, &m.Path, uint64(n), func(id *RelayID) { l.bytes(id[:]) })
	l.bytes(m.Target[:])
}
