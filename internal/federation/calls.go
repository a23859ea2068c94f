package federation

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// usedEvery is how often the table is told over which paths media goes.
const usedEvery = 5 * time.Second

// calls are the paths of calls that go through this relay. Peer links are with configured peers only, so no
// stranger can ask for one but a client of ours, as a client.
//
//	client ── LineMessage ──> line ──┐                        ┌──> SendUrgent: offers, answers, messages, ends
//	                                 ├─ run ──> callpath.Table┤
//	peer ──── Urgent ──> inbox ──────┘                        ├──> Send
//	                                                          └──> callMedia: which legs
//	                                                                  |
//	client ── LineBind ──┐                                            v
//	                     ├──> callInbound ──> limits ──> callStream ──> the other leg: a trunk, or a session
//	peer ──── Bind ──────┘
type calls struct {
	start time.Time // of its clock
	// nextHops returns the peers by which a device's home is reached, the best first. Federation.mu is held.
	nextHops func(who identity.Fingerprint, id wire.DeviceID, now time.Time) []wire.RelayID
	table    *callpath.Table // guarded by Federation.mu
	lines    lines
	media    callMedia
	counts   callCounts

	usedAt time.Time // when the table is told next; owned by run
}

// decideCalls has the table of paths told something, by tell, and carries out what follows. Only run calls
// it.
func (f *Federation) decideCalls(tell func(t *callpath.Table)) {
	f.mu.Lock()
	tell(f.calls.table)
	effects := f.calls.table.Drain()
	f.mu.Unlock()
	for _, e := range effects {
		switch e := e.(type) {
		case callpath.Send:
			f.sendCall(e)
		case callpath.Untold:
			f.keepOffer(e.Offer, e.By, time.Now())
		case callpath.Media:
			f.calls.media.set(f, e)
		case callpath.Speaks:
			f.calls.media.speaks(f.calls.lines.get(presence.SessionID(e.Session)), e.Path)
		case callpath.Event:
			f.calls.counts.count(e)
			f.logCall(e)
		case callpath.Drop:
			f.rooms.Drops.Add(drops.CallRate, 1)
		case callpath.Problem:
			f.callProblem(e)
		}
	}
}

// callProblem notes that somebody sent about a call what it may not.
func (f *Federation) callProblem(e callpath.Problem) {
	switch {
	case e.What == callpath.ProblemStray || e.From.Session != 0: // while ways change that is usual
		f.rooms.Drops.Add(drops.CallStray, 1)
	default:
		f.problem(e.From.Peer, e.What, e.Reason)
	}
}

// sendCall sends what the table of paths has to say.
func (f *Federation) sendCall(e callpath.Send) {
	if id := presence.SessionID(e.To.Session); id != 0 {
		if l := f.calls.lines.get(id); l != nil {
			f.sendLine(l, e)
		}
		return
	}
	to := f.live[e.To.Peer]
	if to == nil {
		return
	}
	var acked func()
	if e.Receipt != nil {
		acked = func() {
			f.later(func(time.Time) {
				if f.live[to.id] == to {
					f.decideCalls(func(t *callpath.Table) { t.Acked(to.id, *e.Receipt) })
				}
			})
		}
	}
	to.link.Send(e.Kind, e.Body, acked)
}

// sendLine sends a client what the table of paths has to say to it.
func (f *Federation) sendLine(to *line, e callpath.Send) {
	var done func(acked bool)
	if e.Turn || e.Kind == wire.UrgentCallOffer {
		done = func(acked bool) {
			f.later(func(now time.Time) {
				if !acked && e.Kind == wire.UrgentCallOffer {
					f.keepOffer(e.Body, e.By, now)
				}
				if e.Turn {
					f.decideCalls(func(t *callpath.Table) { t.Taken(e.To.Session) })
				}
			})
		}
	}
	if to.to.SendUrgentThen(e.Kind, e.Body, done) == nil {
		return
	}
	f.rooms.Drops.Add(drops.CallRate, 1) // it is over, or does not take what it is sent
	if done != nil {
		done(false)
	}
}

// workCalls does what is due for paths of calls, and returns when something is again.
func (f *Federation) workCalls(now time.Time) (next time.Time) {
	if f.calls.media.fresh.Swap(false) || !now.Before(f.calls.usedAt) {
		used := f.calls.media.used()
		f.calls.usedAt = now.Add(usedEvery)
		f.decideCalls(func(t *callpath.Table) {
			for _, u := range used {
				t.Used(u.path, u.by, now)
			}
		})
	}
	open := 0
	f.decideCalls(func(t *callpath.Table) {
		next = t.Tick(now)
		open = t.Open()
	})
	if open > 0 {
		next = routing.Soonest(next, f.calls.usedAt)
	}
	return next
}

// callDirectory is what the table of paths asks about where devices are. Federation.mu is held then.
type callDirectory struct{ *Federation }

// Device implements callpath.Directory.
func (f callDirectory) Device(from callpath.Leg, who identity.Fingerprint,
	id wire.DeviceID) (session uint64, found, known bool) {
	if from.Peer != (wire.RelayID{}) && f.who.WordOf(from.Peer) == presence.None {
		return 0, false, false
	}
	for _, d := range f.who.Local(who) {
		if known = true; d.Device == id {
			return uint64(d.Session), true, true
		}
	}
	return 0, false, known
}

// NextHops implements callpath.Directory. What a peer asks for is passed on between mesh peers alone.
func (f callDirectory) NextHops(from callpath.Leg, who identity.Fingerprint, id wire.DeviceID,
	now time.Time) []wire.RelayID {
	list := f.calls.nextHops(who, id, now)
	if from.Peer == (wire.RelayID{}) {
		return list
	}
	return slices.DeleteFunc(list, func(to wire.RelayID) bool {
		return f.who.WordOf(from.Peer) != presence.Mesh || f.who.WordOf(to) != presence.Mesh
	})
}
