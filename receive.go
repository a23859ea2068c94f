package wzp

import (
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/wire"
)

// maxStreamsHeld bounds the streams that a relay can make us hold: each is small until it is heard.
const maxStreamsHeld = 4096

// roomHandler is the Room as internal/link sees it.
type roomHandler Room

var _ link.ClientHandler = (*roomHandler)(nil)

// Bind implements link.Handler. That a stream exists is no news yet: anybody on the way could say so.
// It becomes one with its first frame that decrypts.
func (h *roomHandler) Bind(_ *link.Session, kid wire.KID) *link.Stream {
	r := (*Room)(h)
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.streams[kid]
	if st == nil {
		if len(r.streams) >= maxStreamsHeld || kid.Member() == r.id {
			return nil
		}
		var err error
		if st, err = newStream(r, kid); err != nil {
			return nil
		}
		r.streams[kid] = st
	}
	return st.link
}

// Media implements link.Handler.
func (h *roomHandler) Media(_ *link.Session, ls *link.Stream, m *wire.Media, _ *link.Tx) {
	ls.Owner.(*Stream).frame(m)
}

// AliasAcked implements link.Handler.
func (h *roomHandler) AliasAcked(s *link.Session, pair wire.AliasPair) {
	r := (*Room)(h)
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.publication; p != nil && p.alias == pair.Alias && p.kid == pair.KID {
		s.SetAliasKnown(pair.Alias, true)
	}
}

// Urgent implements link.Handler.
func (h *roomHandler) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) {
	r := (*Room)(h)
	switch kind {
	case wire.UrgentMembersJoined:
		entries, err := wire.ParseMembersJoined(body)
		if err != nil {
			r.client.log().Debug("the relay sent a bad list of joins", "err", err)
			return
		}
		r.announce(r.roster.join(entries))
	case wire.UrgentMembersLeft:
		ids, err := wire.ParseMembersLeft(body)
		if err != nil {
			r.client.log().Debug("the relay sent a bad list of leaves", "err", err)
			return
		}
		left := r.roster.leave(ids)
		r.announce(left)
	case wire.UrgentRefetch:
		r.fetch(true)
	case wire.UrgentShutdown:
		r.events.put(Warning{"the relay is shutting down"})
	}
}

// Attached implements link.ClientHandler.
func (h *roomHandler) Attached(_ *link.Session, joined *wire.Joined, fresh bool) {
	r := (*Room)(h)
	select {
	case <-r.ready:
		r.events.put(Attached{Restarted: fresh})
	default: // the first time
	}
	if fresh {
		r.fetch(joined.Members > crowd)
	}
}

// Detached implements link.ClientHandler.
func (h *roomHandler) Detached(cause string) { (*Room)(h).events.put(Detached{cause}) }
