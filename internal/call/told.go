package call

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// handLife is after how long without a frame of a member its hand is down: who raises one says so every few
// seconds, and a stay without a connection ends sooner.
const handLife = 90 * time.Second

// Nobody changes their microphone and hand more often than so often in so long; who says so only fills the
// queue of events.
const (
	maxChanges = 8
	changesIn  = 8 * time.Second
)

// told is how a talker's microphone is, and whether its hand is up, as the newest frame says that said so.
type told struct {
	mic     wire.Mic
	hand    bool
	stream  uint8
	ctr     uint64
	viewCTR uint64                // likewise, of the view stream
	at      time.Time             // when a silence payload said something of the hand
	changes [maxChanges]time.Time // the last ones
	next    int                   // in changes
}

// tell notes what a frame says that came now, and reports what was something else before.
func (m *told) tell(
	mic wire.Mic, hand wire.Hand, stream uint8, ctr uint64, now time.Time,
) (micNew, handNew bool) {
	overtaken := stream < m.stream || stream == m.stream && ctr < m.ctr
	if overtaken || mic == wire.MicUnknown && hand == wire.HandUnknown {
		return false, false
	}
	m.stream, m.ctr = stream, ctr
	if hand != wire.HandUnknown {
		m.at = now
	}
	return m.change(mic, hand, now)
}

// tellInView notes what a frame of the view stream says of the hand, which comes on its own: what a silence
// payload has just said is newer, or the same.
func (m *told) tellInView(hand wire.Hand, ctr uint64, now time.Time) (handNew bool) {
	if hand == wire.HandUnknown || ctr < m.viewCTR || now.Sub(m.at) < viewAgain {
		return false
	}
	m.viewCTR = ctr
	_, handNew = m.change(wire.MicUnknown, hand, now)
	return handNew
}

// change notes what was said last, and reports what was something else before.
func (m *told) change(mic wire.Mic, hand wire.Hand, now time.Time) (micNew, handNew bool) {
	if m.mic == wire.MicUnknown && mic == wire.MicOpen { // as that of who talks
		m.mic = mic
	}
	micNew = mic != wire.MicUnknown && mic != m.mic
	handNew = hand != wire.HandUnknown && m.hand != (hand == wire.HandUp)
	if !micNew && !handNew || now.Sub(m.changes[m.next]) < changesIn {
		return false, false // it is told with a later frame
	}
	m.changes[m.next] = now
	m.next = (m.next + 1) % maxChanges
	if micNew {
		m.mic = mic
	}
	m.hand = m.hand != handNew
	return micNew, handNew
}

// forget has the next frame tell all of it anew.
func (m *told) forget() { m.mic, m.hand = wire.MicUnknown, false }

// toldLocked notes what a frame of a talker says of its microphone and hand.
func (h *hearing) toldLocked(t *talker, f frame, payload wire.Payload, n *news) {
	t.heardAt = f.at
	mic := wire.MicOpen
	if payload.Silence {
		mic = payload.Mic
	}
	micNew, handNew := t.told.tell(mic, payload.Hand, f.of.KID.Stream(), f.ctr, f.at)
	h.newsOfLocked(t, micNew, handNew, n)
}

// handInViewLocked notes what a frame of a talker's view stream says of its hand.
func (h *hearing) handInViewLocked(t *talker, f frame, hand wire.Hand, n *news) {
	t.heardAt = f.at
	h.newsOfLocked(t, false, t.told.tellInView(hand, f.ctr, f.at), n)
}

// newsOfLocked has people told of what is new of a talker. While it is not known it is news again later.
func (h *hearing) newsOfLocked(t *talker, micNew, handNew bool, n *news) {
	if !micNew && !handNew {
		return
	}
	m, known := h.roster.member(t.id)
	if !known {
		t.told.forget()
		return
	}
	if micNew {
		n.events = append(n.events, MicrophoneChanged{m.Member, t.told.mic.String()})
	}
	if handNew {
		n.events = append(n.events, HandChanged{m.Member, t.told.hand})
	}
}

// lowerLocked lowers the hand of a talker of whom nothing has come for long: that it did so itself was lost.
func (h *hearing) lowerLocked(t *talker, now time.Time, n *news) {
	if !t.told.hand || now.Sub(t.heardAt) < handLife {
		return
	}
	t.told.hand = false
	if m, known := h.roster.member(t.id); known {
		n.events = append(n.events, HandChanged{m.Member, false})
	}
}
