package peer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// dialTime bounds one attempt to reach a peer, in which package link makes several.
const dialTime = 20 * time.Second

// dialIfDue dials a peer if there is no link with it, its address is known, and it is time to. Only run calls
// it.
//
//	no link, not barred, delay over ──> dial, at most 20 s ──> failed: longer delay ──+
//	  ^                                    | welcome                                  |
//	  |                                    v                                          |
//	  +<── the client has ended, or has to <── candidate, link                        |
//	  +<──────────────────────────────────────────────────────────────────────────────+
func (ls *Links) dialIfDue(p *peer, now time.Time) {
	ls.mu.Lock()
	label, first := p.label, p.problem == "" // else the log has said that there is no link, and why
	self := p.fingerprint == ls.self.Fingerprint()
	idle := p.link == nil && len(p.candidates) == 0 && p.client == nil && p.ctx.Err() == nil
	due := idle && p.address != "" && !now.Before(p.notBefore) && !now.Before(p.barred)
	var d *dialer
	switch {
	case !due:
	case self:
		p.problem = "it has this relay's own fingerprint"
	default:
		d = &dialer{links: ls, peer: p, address: p.address, done: make(chan struct{})}
		d.resolver.Lookup = ls.lookup
		d.ctx, d.hangUp = context.WithTimeout(p.ctx, dialTime)
		p.client, p.dial = d, d
	}
	ls.mu.Unlock()
	switch {
	case !due || !first:
	case self:
		ls.log.Error("a configured peer has this relay's own fingerprint; remove it, or give one of the "+
			"relays another identity", "label", label, "fingerprint", p.fingerprint)
	default:
		ls.log.Info("dialling a peer", "label", label, "fingerprint", p.fingerprint, "address", d.address)
	}
	if d != nil {
		ls.wg.Go(d.run)
	}
}

// run dials, and goes on until the client that comes of it has ended.
func (d *dialer) run() {
	ls := d.links
	client, err := ls.ep.Dial(d.ctx, link.ClientConfig{Peer: true, Resolve: d.resolve, CheckRelay: d.check})
	if err == nil {
		client.Start(d)
	}
	ls.dialEnded(d, err)
	d.hangUp()
	if err == nil {
		select {
		case <-client.Done():
			d.link.Load().end(clientVerdict(client.Err()))
		case <-d.done: // Links.run has said why
		}
		client.Close()
	}
	ls.mu.Lock()
	d.peer.client = nil
	ls.mu.Unlock()
	ls.wakeUp()
}

// dialEnded notes how a dial ended.
func (ls *Links) dialEnded(d *dialer, err error) {
	p := d.peer
	ls.mu.Lock()
	label := p.label
	wait, failed := ls.dialEndedLocked(d, err)
	ls.mu.Unlock()
	if !failed {
		return
	}
	ls.log.Warn("cannot reach a peer", "label", label, "fingerprint", p.fingerprint, "address", d.address,
		"err", inWords(err), "do", d.advice(err), "again", wait.Round(time.Second))
	ls.log.Debug("why a peer cannot be reached", "label", label, "err", err)
}

// dialEndedLocked is dialEnded, but for the log. failed: the dial is to be named there, and that the next is
// in wait. The caller holds ls.mu.
func (ls *Links) dialEndedLocked(d *dialer, err error) (wait time.Duration, failed bool) {
	p := d.peer
	p.dial = nil
	if err == nil || p.ctx.Err() != nil || p.link != nil || d.stale {
		return 0, false
	}
	now := time.Now()
	if isReplaced(err) {
		// The peer has a link that it does not know to be dead yet, or one that we are about to see.
		p.notBefore, p.problem = now.Add(p.backoff.again(chance())), whyReplaced
		return 0, false
	}
	if wrong := new(wrongKeyError); errors.As(err, &wrong) {
		p.answered = wrong.got
	}
	wait = p.backoff.failed(chance())
	p.notBefore, p.problem = now.Add(wait), inWords(err)
	return wait, true
}

// dialer is one dial of a peer and the client that came of it: the link.ClientHandler of all sessions that
// the client has. Each of them is a Link of its own.
type dialer struct {
	links   *Links
	peer    *peer
	address string
	ctx     context.Context
	hangUp  context.CancelFunc   // gives up the dial
	stale   bool                 // the peer has another address now; guarded by Links.mu
	link    atomic.Pointer[Link] // of the newest session
	once    sync.Once
	done    chan struct{} // closed when the client has to end

	resolver link.Resolver
}

// quit has the client end.
func (d *dialer) quit() { d.once.Do(func() { close(d.done) }) }

// resolve looks the address up. A dial that fails is repeated by run.
func (d *dialer) resolve(ctx context.Context) (netip.AddrPort, error) {
	addr, err := d.resolver.Resolve(ctx, d.address)
	if err != nil {
		return netip.AddrPort{}, &link.FinalError{Err: err}
	}
	return addr, nil
}

// check pins the peer's key.
func (d *dialer) check(key identity.PublicKey) error {
	if got := key.Fingerprint(); got != d.peer.fingerprint {
		return &wrongKeyError{want: d.peer.fingerprint, got: got}
	}
	return nil
}

// wrongKeyError says that somebody else answers at a peer's address.
type wrongKeyError struct{ want, got identity.Fingerprint }

func (e *wrongKeyError) Error() string {
	return fmt.Sprintf("the relay that answers has the fingerprint %v, not %v", e.got, e.want)
}

// Opened implements link.ClientHandler: a new session is a new link.
func (d *dialer) Opened(s *link.Session) link.Handler {
	ls, p := d.links, d.peer
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.newLink(p, s)
	l.dialled, l.dialer = true, d
	before := d.link.Swap(l)
	if ls.closed || p.ctx.Err() != nil {
		d.quit() // nobody looks at it any more
		return l
	}
	if before != nil { // the link in use, if it was, ends when the new one is looked at
		p.dropCandidate(before)
	}
	p.candidates = append(p.candidates, l)
	ls.wakeUp()
	return l
}

// Attached implements link.ClientHandler.
func (d *dialer) Attached(_ *wire.Joined, fresh bool) {
	if !fresh {
		d.links.log.Info("a peer link goes on over a new connection",
			"label", d.label(), "fingerprint", d.peer.fingerprint, "address", d.address)
	}
}

func (d *dialer) label() string {
	d.links.mu.Lock()
	defer d.links.mu.Unlock()
	return d.peer.label
}

// Detached implements link.ClientHandler. A client goes on with a session that the peer has ended; a link
// does not: run decides when the peer is dialled again.
func (d *dialer) Detached(cause string) {
	l := d.link.Load()
	if l != nil {
		if code, over := l.s.Closed(); over {
			l.end(l.verdictOf(code))
			return
		}
	}
	d.links.log.Info("a peer link needs a new connection",
		"label", d.label(), "fingerprint", d.peer.fingerprint, "address", d.address, "why", cause)
}

// clientVerdict is why the link of a client is over that ended with err.
func clientVerdict(err error) verdict {
	v := verdict{code: wire.CloseLeft, why: inWords(err)}
	switch {
	case isReplaced(err):
		v.why, v.replaced = whyReplaced, true
	case errors.Is(err, &wire.Refused{Code: wire.CodeProtocol}) || errors.Is(err, link.ErrPeerRefused):
		v.why = whyRefused
	}
	return v
}

// isReplaced reports whether the peer said that it uses another link.
func isReplaced(err error) bool {
	return errors.Is(err, &wire.Refused{Code: wire.CodeReplaced}) ||
		errors.Is(err, &wire.Goodbye{Code: wire.CodeReplaced})
}
