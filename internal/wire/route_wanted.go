package wire

import "github.com/wzp-voice/wzp/identity"

// RouteWanted asks a client's relay where somebody can be called.
//
//	fingerprint (16)
type RouteWanted struct{ Target identity.Fingerprint }

func (*RouteWanted) kind() UrgentKind { return UrgentRouteWanted }

func (m *RouteWanted) fields(l *layout) { l.bytes(m.Target[:]) }
