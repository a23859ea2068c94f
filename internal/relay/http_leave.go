package relay

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// leaveRate is how many requests to leave one address may make a second, and leaveBurst at once.
	leaveRate, leaveBurst = 2, 50
	// leaveRateAll and leaveBurstAll are for all together, for those that a reverse proxy passes on come from
	// one address.
	leaveRateAll, leaveBurstAll = 200, 1000
)

// leaveDesk takes what pages send when they are closed, for their sessions may not get anything out any more
// (docs/protocol.md, section 8). It is open to everybody, so it bounds what it reads and does, and who asks
// learns nothing: the answer to a stay that is not here is that to one that has ended.
type leaveDesk struct {
	allowed func(*http.Request) bool // whether a request's page may use the relay
	leave   func(*wire.LeaveRequest)
	words   func(*wire.LastWords)
	drops   *drops.Counters
	log     *slog.Logger
	perAddr *link.AddressLimiter
	all     *rate.Limiter
}

func newLeaveDesk(allowed func(*http.Request) bool, r *Relay) *leaveDesk {
	return &leaveDesk{allowed: allowed, leave: r.leaveProved, words: r.lastWords,
		drops: r.rooms.Drops, log: r.log,
		perAddr: link.NewAddressLimiter(leaveRate, leaveBurst),
		all:     rate.NewLimiter(leaveRateAll, leaveBurstAll)}
}

// ServeHTTP implements http.Handler.
func (d *leaveDesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !d.allowed(r) {
		http.Error(w, "pages of this origin may not ask", http.StatusForbidden)
		return
	}
	if !d.allow(r.RemoteAddr, time.Now()) {
		d.drops.Add(drops.LeaveRate, 1)
		http.Error(w, "too many requests: wait a minute", http.StatusTooManyRequests)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, wire.MaxLastWords+1))
	if err != nil {
		return // it has gone
	}
	if err := d.take(body); err != nil {
		http.Error(w, "this is no request to leave: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// take does what is asked: of a member of a room, or of a line.
func (d *leaveDesk) take(body []byte) error {
	if wire.IsLastWords(body) {
		q, err := wire.ParseLastWords(body)
		if err == nil {
			d.words(q)
		}
		return err
	}
	q, err := wire.ParseLeaveRequest(body)
	if err == nil {
		d.leave(q)
	}
	return err
}

// allow reports whether who asks may. Of this machine, where reverse proxies are, only all together are
// bounded.
func (d *leaveDesk) allow(remote string, now time.Time) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil || !addr.Addr().IsLoopback() && !d.perAddr.Allow(addr.Addr().Unmap(), now) {
		return false
	}
	return d.all.AllowN(now, 1)
}
