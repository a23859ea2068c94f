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
	if e := (*Room)(h).bind(m.KID); e != nil {
		return e
	}
	return nil
}

// AliasAcked implements link.Handler.
func (h *roomHandler) AliasAcked(s *link.Session, pair wire.AliasPair) {
	r := (*Room)(h)
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.publication; p != nil && p.pair == pair || r.keeper.view.pair == pair {
		s.SetAliasKnown(pair.Alias, true)
	}
}

// Urgent implements link.Handler.
func (h *roomHandler) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) bool {
	r := (*Room)(h)
	switch kind {
	case wire.UrgentMembersJoined:
		entries, err := wire.ParseMembersJoined(body)
		if err != nil {
			r.client.log().Debug("the relay sent a bad list of joins", "err", err)
			return true
		}
		r.joined(entries)
	case wire.UrgentMembersLeft:
		ids, err := wire.ParseMembersLeft(body)
		if err != nil {
			r.client.log().Debug("the relay sent a bad list of leaves", "err", err)
			return true
		}
		r.othersLeft(ids)
	case wire.UrgentRelays:
		list, err := wire.ParseRelays(body)
		if err != nil {
			r.client.log().Debug("the relay sent bad names of relays", "err", err)
			break
		}
		r.roster.name(list)
	case wire.UrgentRefetch:
		r.fetch(rand.N(crowdPause))
	case wire.UrgentMediaDropped:
		m, err := wire.Parse[wire.MediaDropped](body)
		if err != nil {
			r.client.log().Debug("the relay sent a bad note of dropped media", "err", err)
			break
		}
		r.mediaDropped(m)
	case wire.UrgentShutdown:
		r.events.put(Warning{Code: WarnRelay, Text: "the relay is shutting down"})
	case wire.UrgentKey:
		r.keeper.keyCame(body)
	case wire.UrgentKeysWanted:
		ids, err := wire.ParseKeysWanted(body)
		if err != nil {
			r.client.log().Debug("the relay sent a bad list of keys wanted", "err", err)
			break
		}
		r.keeper.keyWanted(ids)
	case wire.UrgentKeyDelivered:
		key, err := wire.Parse[wire.KeyDelivered](body)
		if err != nil {
			r.client.log().Debug("the relay sent a bad key number", "err", err)
			break
		}
		r.keeper.keyDelivered(key.Number)
	}
	return true
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
		r.events.put(MediaDropped{Code: m.Reason.Code(), Text: m.Reason.String(), Dropped: m.Dropped, Sent: m.Sent})
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
		r.fetch(crowdWait(int(joined.Members)) + restartGrace)
	}
}

// Detached implements link.ClientHandler.
func (h *roomHandler) Detached(cause string) { (*Room)(h).events.put(Detached{cause}) }
