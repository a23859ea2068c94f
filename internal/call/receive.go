package call

import (
	"math/rand/v2"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// roomHandler is the Room as internal/link sees it.
type roomHandler Room

var _ link.ClientHandler = (*roomHandler)(nil)

// Bind implements link.Handler. That a stream exists is no news yet: anybody on the way could say so.
// It becomes one with its first frame that decrypts.
func (h *roomHandler) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	if e := h.hearing.bind(m.KID); e != nil {
		return e
	}
	return nil
}

// AliasAcked implements link.Handler.
func (h *roomHandler) AliasAcked(s *link.Session, pair wire.AliasPair) { h.sender.aliasAcked(s, pair) }

// Urgent implements link.Handler. A message that is wrong is accepted, or it would come again.
func (h *roomHandler) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) bool {
	if err := (*Room)(h).urgent(kind, body); err != nil {
		h.client.config.Log.Debug("the relay sent a bad urgent message", "kind", kind, "err", err)
	}
	return true
}

// urgent handles an urgent message.
func (r *Room) urgent(kind wire.UrgentKind, body []byte) error {
	switch kind {
	case wire.UrgentMembersJoined:
		return parsed(wire.ParseMembersJoined, body, r.membersJoined)
	case wire.UrgentMembersLeft:
		return parsed(wire.ParseMembersLeft, body, r.membersLeft)
	case wire.UrgentRelays:
		return parsed(wire.ParseRelays, body, r.roster.setLabels)
	case wire.UrgentMediaDropped:
		return parsed(wire.Parse[wire.MediaDropped], body, r.mediaDropped)
	case wire.UrgentKeysWanted:
		return parsed(wire.ParseKeysWanted, body, r.keeper.keyWanted)
	case wire.UrgentKeyDelivered:
		return parsed(wire.Parse[wire.KeyDelivered], body, r.keeper.keyDelivered)
	case wire.UrgentKey:
		r.keeper.keyCame(body)
	case wire.UrgentRefetch:
		r.fetchAfter(rand.N(crowdPause))
	case wire.UrgentShutdown:
		r.events.put(Warning{Code: WarnRelay, Text: "the relay is shutting down"})
	}
	return nil
}

// parsed gives what a message says to a handler, unless it cannot be read.
func parsed[T any](parse func([]byte) (T, error), body []byte, handle func(T)) error {
	v, err := parse(body)
	if err == nil {
		handle(v)
	}
	return err
}

// mediaDropped tells what the relay says of media that it drops.
func (r *Room) mediaDropped(m wire.MediaDropped) {
	over := m.Reason == wire.DropNone
	r.mu.Lock()
	before := r.dropping
	r.dropping = !over
	r.mu.Unlock()
	switch {
	case !over:
		r.events.put(MediaDropped{false, m.Reason.Code(), m.Reason.String(), m.Dropped, m.Sent})
	case before:
		r.events.put(MediaDropped{Over: true})
	}
}

// Opened implements link.ClientHandler.
func (h *roomHandler) Opened(*link.Session) link.Handler { return h }

// Attached implements link.ClientHandler.
func (h *roomHandler) Attached(joined *wire.Joined, fresh bool) {
	r := (*Room)(h)
	r.events.put(Attached{Restarted: fresh})
	if fresh {
		r.mediaDropped(wire.MediaDropped{}) // who is to say that it is over does not know of it
		r.fetchAfter(crowdWait(int(joined.Members)) + restartGrace)
	}
}

// Detached implements link.ClientHandler.
func (h *roomHandler) Detached(cause string) { (*Room)(h).events.put(Detached{cause}) }
