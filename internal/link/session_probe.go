package link

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// ProbeServerName is the TLS server name of probe links (docs/protocol.md, section 9.10), by which a relay
// measures one that is no peer. Whoever dials with it shows no certificate, and has none of the rights that
// Hello gives others: it learns the relay's version, and how far away it is.
//
//	dialler                                      accepting relay
//	ClientHello, SNI _probe ──────────────────>
//	Hello ────────────────────────────────────>  is there a place for one more?
//	Dial returns <───────────────────── Welcome
//	ping, every second ───────────────────────>  at most 2 a second are answered
//	Session.Path <──────────────────────── pong  ... for 10 minutes
const ProbeServerName = "_probe"

const (
	maxProbes    = 256              // probe links that a relay answers at once, beside sessions and peers
	probesOfOne  = 8                // of which one address, or IPv6 /64, has at most
	probeLife    = 10 * time.Minute // after which one makes room for others
	probePongs   = 2                // pings that are answered a second
	probeBurst   = 10               // and at once
	silentProbe  = 30 * time.Second // a lossy path is what it measures, and no reason to begin again
	probeRefusal = "too many relays probe this one"
)

var (
	errProbeFrame = errors.New("link: a probe link carries pings only")
	errProbeSays  = &wire.Refused{Code: wire.CodeProtocol, Reason: "a probe link takes no requests"}
)

// probe is what a session has that is a probe link.
type probe struct {
	since time.Time
	pongs *rate.Limiter
}

// makeProbe makes a new session a probe link.
func (s *Session) makeProbe() {
	s.probe = &probe{since: time.Now(), pongs: rate.NewLimiter(probePongs, probeBurst)}
}

// expired reports whether the link has lasted for as long as one may.
func (p *probe) expired(now time.Time) bool { return now.Sub(p.since) > probeLife }

// takes reports whether a frame may be on a probe link.
func (p *probe) takes(f wire.Frame) bool {
	if f.Kind != wire.KindTyped {
		return false
	}
	switch f.Type {
	case wire.FramePadding, wire.FramePing, wire.FramePong, wire.FrameChallenge, wire.FrameResponse,
		wire.FrameClose:
		return true
	}
	return false
}

// probes are the probe links that are answered.
type probes struct {
	drops *drops.Counters

	mu     sync.Mutex // guards places; no other lock is taken under it
	places *Places
}

// accept decides about a new probe link.
func (p *probes) accept(remote netip.Addr) (PeerHandler, *wire.Refused) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.places.Acquire(remote) {
		p.drops.Add(drops.Probes, 1)
		return nil, &wire.Refused{Code: wire.CodeTooManySessions, Reason: probeRefusal}
	}
	return &probed{probes: p, remote: remote}, nil
}

// open returns how many there are.
func (p *probes) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.places.Acquired()
}

// probed handles an accepted probe link: there is nothing to do.
type probed struct {
	ProbeHandler
	probes *probes
	remote netip.Addr
}

// Ended implements PeerHandler.
func (h *probed) Ended(*Session, wire.CloseCode) {
	h.probes.mu.Lock()
	defer h.probes.mu.Unlock()
	h.probes.places.Release(h.remote)
}

// ProbeHandler is the Handler of a probe link, on which nothing comes that needs one.
type ProbeHandler struct{}

// Bind implements Handler.
func (ProbeHandler) Bind(*Session, *wire.Media) Inbound { return nil }

// AliasAcked implements Handler.
func (ProbeHandler) AliasAcked(*Session, wire.AliasPair) {}

// Urgent implements Handler.
func (ProbeHandler) Urgent(*Session, wire.UrgentKind, []byte) bool { return false }
