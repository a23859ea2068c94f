package federation

import (
	"strconv"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/wire"
)

// problemEvery is how often the same complaint about the same peer is logged.
const problemEvery = time.Minute

// maxProblems bounds what is remembered of complaints.
const maxProblems = 256

// problem notes that something of a peer's was refused, or contained.
func (f *Federation) problem(p wire.RelayID, what, reason string) {
	label := f.label(p)
	f.rooms.Drops.Add(drops.BadAnnouncement, 1)
	event := eventlog.Event{Kind: eventlog.FederationIngressMalformed, Peer: p, Action: what, Reason: reason}
	f.packets.Log(event)
	if !f.once(label+what, time.Now()) {
		return
	}
	f.log.Warn("a peer misbehaves", "what", what, "peer", label, "relay", p.String(), "why", reason)
}

// once reports whether something is to be logged now: the same not more than once a minute.
func (f *Federation) once(what string, now time.Time) bool {
	if last, known := f.warned[what]; known && now.Sub(last) < problemEvery {
		return false
	}
	if len(f.warned) >= maxProblems {
		for known, at := range f.warned {
			if now.Sub(at) >= problemEvery {
				delete(f.warned, known)
			}
		}
	}
	if len(f.warned) >= maxProblems {
		return false
	}
	f.warned[what] = now
	return true
}

// refusedOften is from how much on that came a wrong way within a minute a peer is named in the log: while
// ways change a little does.
const refusedOften = 100

// refuse counts something that a peer sent and that is not its to send, and names the peer if that goes on.
func (f *Federation) refuse(n *livePeer, what string) {
	f.rooms.Drops.Add(drops.WrongPeer, 1)
	now := time.Now()
	if last := n.warned.Load(); last != nil && now.Sub(*last) < problemEvery {
		if n.refused.Add(1) != refusedOften {
			return
		}
		f.log.Warn("a peer sends what it is not the way for; it is dropped", n.attrs("last", what)...)
		return
	}
	warned := now // so that what is refused allocates nothing else
	n.warned.Store(&warned)
	n.refused.Store(1)
}

const (
	unsharedEvery = time.Hour // a room of a peer is named once in so long
	unsharedMost  = 16        // rooms of a peer that are named in so long: a peer may make them up
)

// unshared is which rooms of a peer that are not bridged here were named in the log. The zero value is ready.
type unshared struct {
	begun time.Time
	named map[string]struct{}
}

// note reports whether to name a room now, and whether it is the last one for a while.
func (u *unshared) note(room string, now time.Time) (name, last bool) {
	if now.Sub(u.begun) >= unsharedEvery {
		u.begun, u.named = now, make(map[string]struct{})
	}
	if _, done := u.named[room]; done || len(u.named) >= unsharedMost {
		return false, false
	}
	u.named[room] = struct{}{}
	return true, len(u.named) == unsharedMost
}

// notGlobal names a room of a peer in the log, unless too many were. It is no misbehaviour, so it is not in
// the way of complaints about that.
func (f *Federation) notGlobal(p wire.RelayID, room string) {
	f.rooms.Drops.Add(drops.RoomNotFound, 1)
	label := f.label(p)
	seen := f.unshared[p]
	if seen == nil {
		seen = new(unshared)
		f.unshared[p] = seen
	}
	name, last := seen.note(room, time.Now())
	if !name {
		return
	}
	f.log.Info("a peer bridges a room that is not global here",
		"room", shownRoom(room), "peer", label, "relay", p.String(),
		"do", "add it to [[global_rooms]] to bridge it")
	if last {
		f.log.Info("more rooms of a peer that are not global here are not named for now",
			"peer", label, "relay", p.String(), "within", unsharedEvery)
	}
}

// shownRoom is a room's name for the log, whoever made it up: at most wire.MaxRoomName bytes, and what is not
// printable, such as what turns the direction of writing, escaped.
func shownRoom(name string) string {
	quoted := strconv.Quote(name[:min(len(name), wire.MaxRoomName)])
	return quoted[1 : len(quoted)-1]
}
