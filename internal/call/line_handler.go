package call

import (
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// lineHandler is the Line as internal/link sees it.
type lineHandler Line

var _ link.ClientHandler = (*lineHandler)(nil)

// Bind implements link.Handler: a stream is of the other end of the call whose room it is.
func (h *lineHandler) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	r := (*Line)(h).roomOf(m.KID.Member())
	if r == nil {
		return nil
	}
	if e := r.hearing.bind(m.KID); e != nil {
		return e
	}
	return nil
}

// roomOf returns the room of the call with a member; nil: there is none that is up.
func (l *Line) roomOf(other wire.MemberID) *Room {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.calls {
		if r := c.room.Load(); r != nil && c.keys.other == other {
			return r
		}
	}
	return nil
}

// AliasAcked implements link.Handler. Key ids are unlike in all rooms, so only the right one takes it.
func (h *lineHandler) AliasAcked(s *link.Session, pair wire.AliasPair) {
	for _, r := range (*Line)(h).rooms() {
		r.sender.aliasAcked(s, pair)
	}
}

// rooms returns those of all calls that are up.
func (l *Line) rooms() (list []*Room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.calls {
		if r := c.room.Load(); r != nil {
			list = append(list, r)
		}
	}
	return list
}

// Urgent implements link.Handler: run reads it.
func (h *lineHandler) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) (accepted bool) {
	switch kind {
	case wire.UrgentRoute, wire.UrgentCallOffer, wire.UrgentCallMessage, wire.UrgentCallState,
		wire.UrgentCallEnd, wire.UrgentKeptCall, wire.UrgentRecordRefused:
		accepted = h.inbox.put(kind, body)
		signal(h.wake)
		return accepted
	case wire.UrgentMediaDropped:
		_ = parsed(wire.Parse[wire.MediaDropped], body, func(m wire.MediaDropped) {
			for _, r := range (*Line)(h).rooms() {
				r.mediaDropped(m)
			}
		})
	case wire.UrgentShutdown:
		h.events.put(LineWarning{"the relay is shutting down"})
	}
	return true
}

// Opened implements link.ClientHandler.
func (h *lineHandler) Opened(*link.Session) link.Handler {
	h.inbox.opened()
	signal(h.wake)
	return h
}

// Attached implements link.ClientHandler.
func (h *lineHandler) Attached(_ *wire.Joined, fresh bool) {
	h.events.put(LineAttached{fresh})
	for _, r := range (*Line)(h).rooms() {
		r.events.put(Attached{Restarted: fresh})
	}
}

// Detached implements link.ClientHandler.
func (h *lineHandler) Detached(cause string) {
	h.events.put(LineDetached{cause})
	for _, r := range (*Line)(h).rooms() {
		r.events.put(Detached{cause})
	}
}
