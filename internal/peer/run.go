package peer

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// run looks at all links whenever one of them has something new, and every checkEvery, until close. It is the
// only one that opens and ends links, so that what Handlers are told comes in order.
func (ls *Links) run() {
	timer := time.NewTimer(checkEvery)
	defer timer.Stop()
	for {
		select {
		case <-ls.ctx.Done():
			for _, p := range ls.snapshot() {
				ls.mu.Lock()
				p.end(verdict{code: wire.CloseShuttingDown, why: "this relay is shutting down"})
				ls.mu.Unlock()
				ls.check(p, time.Now())
			}
			return
		case <-ls.awake:
		case <-timer.C:
		}
		next := checkEvery
		for _, p := range ls.snapshot() {
			if ls.check(p, time.Now()) {
				next = heardEvery
			}
		}
		timer.Reset(next)
	}
}

// snapshot returns all peers that may have links, those that were removed first: of one with the same key
// that was configured again, the old link has to be down before a new one is up.
func (ls *Links) snapshot() []*peer {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.removed = slices.DeleteFunc(ls.removed, func(p *peer) bool { return len(p.all()) == 0 })
	list := slices.Clone(ls.removed)
	for _, p := range ls.peers {
		list = append(list, p)
	}
	return list
}

// check does what is due about one peer. waiting: there are candidates that may be heard any moment.
func (ls *Links) check(p *peer, now time.Time) (waiting bool) {
	ls.mu.Lock()
	current, candidates := p.link, slices.Clone(p.candidates)
	ls.mu.Unlock()
	if current != nil {
		ls.checkLink(p, current, now)
	}
	for _, l := range candidates {
		if !ls.checkCandidate(p, l, now) {
			waiting = true
		}
	}
	ls.dialIfDue(p, now)
	return waiting
}

// checkLink ends the link in use if that has to be, and says when it becomes suspect, or is not any more.
func (ls *Links) checkLink(p *peer, l *Link, now time.Time) {
	suspect, lost := l.live.judge(now, l.s.ReceivedWithin)
	if lost {
		l.end(verdict{code: wire.CloseLeft, why: "nothing was heard from the peer for " + lostTime.String()})
	}
	if l.dead(now) {
		ls.takeDown(p, l, now)
		return
	}
	if suspect != l.suspect.Load() {
		l.suspect.Store(suspect)
		if suspect {
			ls.log.Warn("a peer link is silent; other paths are taken where there are any",
				l.attrs("silent", suspectTime)...)
		} else {
			ls.log.Info("a peer link is not silent any more", l.attrs()...)
		}
		l.handler.Suspect(suspect)
	}
	if kind := l.tooLong.Swap(0); kind != 0 {
		ls.log.Error("a message for a peer is too long and was not sent; please report this",
			l.attrs("kind", kind)...)
	}
	l.out.feed()
}

// dead reports whether the link has to end.
func (l *Link) dead(now time.Time) bool {
	if code, over := l.s.Closed(); over && l.fate.Load() == nil {
		// Who knows why says so at once; but for a session that is over nothing is to be waited for.
		if l.over.IsZero() {
			l.over = now
		}
		if now.Sub(l.over) >= endedGrace {
			l.end(l.verdictOf(code))
		}
	}
	return l.fate.Load() != nil
}

// bringUp takes a link into use.
func (ls *Links) bringUp(p *peer, l *Link, now time.Time) {
	ls.mu.Lock()
	p.link, p.problem, p.answered, l.since = l, "", identity.Fingerprint{}, now
	if p.dial != nil && !l.dialled {
		p.dial.hangUp()
	}
	ls.mu.Unlock()
	ls.log.Info("a peer link is up", l.attrs("dialled", l.dialled)...)
	l.handler = ls.up(l)
	l.open.Store(true)
}

// takeDown ends the link in use, which has a fate.
func (ls *Links) takeDown(p *peer, l *Link, now time.Time) {
	v := l.fate.Load()
	l.open.Store(false)
	ls.finish(l)
	ls.mu.Lock()
	p.link, p.problem = nil, v.why
	p.backoff.lasted(now.Sub(l.since))
	if v.replaced {
		p.notBefore = now.Add(p.backoff.again(chance()))
	} else {
		p.notBefore = now.Add(p.backoff.failed(chance()))
	}
	// The peer may have dropped one of two before the other one was judged here.
	other := func(o *Link) bool { return o.dialled != l.dialled }
	twin := v.twin || v.why == whyReplaced && slices.ContainsFunc(p.candidates, other)
	ls.mu.Unlock()
	attrs := l.attrs("why", v.why, "after", now.Sub(l.since).Round(time.Millisecond))
	switch {
	case twin:
		ls.log.Debug("one of two links is kept", attrs...)
	case v.replaced:
		ls.log.Info("a peer link is down", attrs...)
	default:
		ls.log.Warn("a peer link is down", attrs...)
	}
	l.handler.Down(v.why)
}

// finish ends what the link has, which has a fate.
func (ls *Links) finish(l *Link) {
	v := l.fate.Load()
	l.out.close()
	l.s.End(v.code)
	if l.dialer != nil && l.dialer.link.Load() == l {
		l.dialer.quit()
	}
}

// attrs says in the log which link is meant.
func (l *Link) attrs(more ...any) []any {
	attrs := []any{"label", l.Label, "fingerprint", l.key.Fingerprint(), "address", l.address()}
	return append(attrs, more...)
}
