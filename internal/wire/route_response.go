package wire

// RouteResponse answers [RouteQuery]: one message for each device that was found, or one that says that there
// is none. More devices may follow, with the next index.
//
//	query id (8) || found (1) || index (1) || of (1) || n (1) || n relay ids (8 each)
//	|| reach record (178) if found is 1 or 3
type RouteResponse struct {
	ID QueryID
	Located
}

func (*RouteResponse) kind() UrgentKind { return UrgentRouteResponse }

func (m *RouteResponse) fields(l *layout) {
	l.bytes(m.ID[:])
	m.Located.fields(l)
}
