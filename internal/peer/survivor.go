package peer

import (
	"bytes"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// checkCandidate decides about a candidate whose time has come. It reports whether it has.
func (ls *Links) checkCandidate(p *peer, l *Link, now time.Time) (judged bool) {
	if now.Sub(l.born) > candidateTime {
		l.end(verdict{code: wire.CloseLeft, why: "the peer never used it"})
	}
	if !l.dead(now) && !l.heard() {
		return false
	}
	ls.mu.Lock()
	p.dropCandidate(l)
	current := p.link
	ls.mu.Unlock()
	switch {
	case l.fate.Load() != nil:
	case current != nil && current.dialer != nil && current.dialer == l.dialer:
		current.end(verdict{code: wire.CloseLeft, why: "the peer was restarted", replaced: true})
	case current != nil && ls.survives(current, l.dialled):
		l.end(replacedBy(l, current))
	case current != nil:
		if !current.dialled && !l.dialled {
			ls.mu.Lock()
			say := ls.swappedLocked(p, current.s.Addr().String(), l.s.Addr().String(), now)
			ls.mu.Unlock()
			say()
		}
		current.end(replacedBy(current, l))
	}
	if l.fate.Load() != nil {
		ls.finish(l)
		return true
	}
	if current != nil {
		ls.takeDown(p, current, now)
	}
	ls.bringUp(p, l, now)
	return true
}

// replacedBy is why the loser of two links ends.
func replacedBy(loser, winner *Link) verdict {
	why := "another link with the peer is used, which the peer dialled"
	if winner.dialled {
		why = "another link with the peer is used, which was dialled from here"
	}
	return verdict{code: wire.CloseReplaced, why: why, replaced: true, twin: loser.dialled != winner.dialled}
}

// survives reports whether a link stays in use though there is a newer one. Both relays compute the same: of
// one that either has dialled, that of the relay with the smaller key stays, if it works; of two that the
// same relay has dialled the newer one, for it would not have dialled if it had another.
func (ls *Links) survives(l *Link, newerDialled bool) bool {
	if l.dialled == newerDialled {
		return false
	}
	smaller := bytes.Compare(ls.self[:], l.key[:]) < 0
	return l.dialled == smaller && l.s.ReceivedWithin(duplicateTime) && !l.s.Over()
}

// duplicateTime is how long the link that should survive may be silent.
const duplicateTime = 5 * time.Second
