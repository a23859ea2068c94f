package relay

import (
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// replaced are members who have left because another took their place, here or at another relay, and whose
// sessions are still to be ended. A room tells of them where packets are received; Run ends the sessions.
type replaced struct {
	mu      sync.Mutex // guards members
	members []*room.Member
}

// noteReplaced is room.Rooms.Replaced.
func (r *Relay) noteReplaced(m *room.Member) {
	r.replaced.mu.Lock()
	r.replaced.members = append(r.replaced.members, m)
	r.replaced.mu.Unlock()
	r.flushSoon()
}

// endReplaced ends the sessions of who was replaced.
func (r *Relay) endReplaced() {
	r.replaced.mu.Lock()
	members := r.replaced.members
	r.replaced.members = nil
	r.replaced.mu.Unlock()
	for _, m := range members {
		r.left(m, wire.CloseReplaced)
		m.Receiver().(*link.Session).End(wire.CloseReplaced)
	}
}

// leaveProved has the member leave whose stay it is, if it is one of this relay: only its own client has the
// secret.
func (r *Relay) leaveProved(q *wire.LeaveRequest) {
	m := r.rooms.Find(q.Room, q.Stay.Entry.Member())
	if m == nil || !m.ProvedBy(q.Stay) {
		return
	}
	s, local := m.Receiver().(*link.Session)
	if local && m.Leave(time.Now()) {
		r.left(m, wire.CloseLeft)
		s.End(wire.CloseReplaced) // what is left of the client would attach again after CloseLeft
	}
}
