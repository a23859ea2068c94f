package federation

import (
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Who looks for whom, in the event log: of those who are looked for half a hash, which tells lines about the
// same one apart from others and is no fingerprint.

// logRoute notes a query or an answer that went over the link with a peer.
func (f *Federation) logRoute(peer wire.RelayID, kind wire.UrgentKind, body []byte, action string) {
	if f.packets == nil {
		return
	}
	switch kind {
	case wire.UrgentRouteQuery:
		if m, err := wire.Parse[wire.RouteQuery](body); err == nil {
			f.packets.Log(eventlog.Event{Kind: eventlog.RouteQuery, Who: who(m.Target), Peer: peer,
				Action: action,
				Hops:   len(m.Path)})
		}
	case wire.UrgentRouteResponse:
		if m, err := wire.Parse[wire.RouteResponse](body); err == nil {
			f.packets.Log(eventlog.Event{Kind: eventlog.RouteResponse, Peer: peer, Action: action,
				Reason: m.Found.String(), Hops: len(m.Chain)})
		}
	}
}

// logResolved notes what one of our own was answered.
func (f *Federation) logResolved(e presence.Resolved) {
	if f.packets == nil {
		return
	}
	event := eventlog.Event{Kind: eventlog.RouteResolved, Who: who(e.Target), Reason: e.Route.Kind.String(),
		ToCount: len(e.Route.Records), Hops: max(len(e.Route.Chain)-1, 0)}
	if len(e.Route.Chain) > 1 {
		event.Peer = e.Route.Chain[1]
	}
	if e.Route.Unsure {
		event.Reason = wire.FoundUnsure.String()
	}
	f.packets.Log(event)
}

// who returns what stands for somebody.
func who(f identity.Fingerprint) (half [4]byte) {
	hash := wire.HashPresence(f)
	copy(half[:], hash[:])
	return half
}
