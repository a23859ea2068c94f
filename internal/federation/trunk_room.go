package federation

import (
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

var _ room.Trunk = (*trunk)(nil)

// SendStream implements room.Trunk. tx is the *link.Tx of whoever forwards.
func (t *trunk) SendStream(tx room.Tx, st *room.Stream, m *wire.Media, from room.Trunk) {
	ltx := tx.(*link.Tx)
	t.put(ltx, st, m, from, ltx.Now())
}

// TakesMedia reports whether packets with media are sent now: see link.Session.
func (l *peerLink) TakesMedia() bool { return l.s.TakesMedia() }

// NewAlarm returns an alarm that is not set, with f to call: see link.Endpoint.
func (l *peerLink) NewAlarm(f func()) link.Alarm { return l.links.ep.NewAlarm(f) }
