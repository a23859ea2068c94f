package federation

import (
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// sendThen implements effects.
func (a *actions) sendThen(p wire.RelayID, kind wire.UrgentKind, body []byte, r receipt) {
	if to := a.partners[p]; to != nil {
		l := to.link
		l.sendThen(kind, body, func() { (*Federation)(a).delivered(l, r) })
	}
}

// delivered tells the table that the peer has acknowledged a message. The caller holds no lock.
func (f *Federation) delivered(l *peerLink, r receipt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to := f.partners[l.id]; to == nil || to.link != l {
		return // the link is not in use any more, and the table has forgotten what was under way
	}
	if f.table.delivered(l.id, r, time.Now()) {
		f.routes.Add(1)
		f.stir()
	}
}
