package peer

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

var _ link.PeerAcceptor = (*Links)(nil)

// CheckPeer implements link.PeerAcceptor: who is not configured is refused, and the log says what to
// configure.
func (ls *Links) CheckPeer(key identity.PublicKey, remote netip.AddrPort) error {
	fingerprint := key.Fingerprint()
	ls.mu.Lock()
	p := ls.peers[fingerprint]
	var mistaken *Config // at whose address this key answered, though another one is configured
	for _, o := range ls.peers {
		if p == nil && o.answered == fingerprint {
			mistaken = &Config{Address: o.address, Fingerprint: o.fingerprint, Label: o.label}
		}
	}
	self := ls.started && key == ls.self
	var barred time.Duration
	var why string
	if p != nil {
		barred, why = time.Until(p.barred), p.barredWhy
	}
	ls.mu.Unlock()
	switch {
	case self:
		return fmt.Errorf("federation: a relay at %v has this relay's own key; "+
			"each relay needs an identity of its own", remote)
	case p == nil:
		ls.unknown.refused(ls.log, fingerprint, remote, mistaken, time.Now())
		return fmt.Errorf("federation: the relay %v is not configured here", fingerprint)
	case barred > 0:
		return fmt.Errorf("federation: the relay %v is refused for %v more: %s",
			fingerprint, barred.Round(time.Second), why)
	}
	return nil
}

// AcceptPeer implements link.PeerAcceptor. The session is a candidate until its first packet has come: before
// that its dialler may not know that it was welcome.
func (ls *Links) AcceptPeer(s *link.Session) (link.PeerHandler, *wire.Refused) {
	say := func() {}
	defer func() { say() }() // when the lock is not held any more
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed || !ls.started {
		return nil, &wire.Refused{Code: wire.CodeShuttingDown}
	}
	p := ls.peers[s.Identity().Fingerprint()]
	switch {
	case p == nil: // since CheckPeer
		return nil, &wire.Refused{Code: wire.CodeProtocol, Reason: "the relay is not configured here"}
	case time.Until(p.barred) > 0:
		return nil, &wire.Refused{Code: wire.CodeRate, Reason: "the relay was cut off for a while"}
	case p.link != nil && p.link.fate.Load() == nil && ls.survives(p.link, false):
		if here, there := p.link.s.Remote(), s.Remote(); here != there {
			say = ls.swappedLocked(p, here.String(), there.String(), time.Now())
		}
		return nil, &wire.Refused{Code: wire.CodeReplaced,
			Reason: "the link that was dialled from here is used"}
	}
	waiting := 0
	for _, l := range p.candidates {
		if !l.dialled {
			waiting++
		}
	}
	if waiting >= maxCandidates {
		return nil, &wire.Refused{Code: wire.CodeTooManySessions}
	}
	l := ls.newLink(p, s)
	p.candidates = append(p.candidates, l)
	ls.wakeUp()
	return l, nil
}

// Ended implements link.PeerHandler.
func (l *Link) Ended(_ *link.Session, code wire.CloseCode) { l.end(l.verdictOf(code)) }

// verdictOf is why a link is over whose session has ended with code.
func (l *Link) verdictOf(code wire.CloseCode) verdict {
	v := verdict{code: code, why: l.farewell()}
	switch code {
	case wire.CloseReplaced:
		v.why, v.replaced = whyReplaced, true
	case wire.CloseShuttingDown:
		v.why = whyShutdown
	case wire.CloseRefused:
		v.why = whyRefused
	}
	return v
}

// newLink makes a link of a session that is with p. The caller holds ls.mu.
func (ls *Links) newLink(p *peer, s *link.Session) *Link {
	key := s.Identity()
	l := &Link{key: key, ID: wire.RelayIDOf(key), Label: p.label, links: ls, s: s, born: time.Now()}
	l.out.send = s.SendUrgentThen
	return l
}
