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
	if name, _ := f.warned.Note(label+what, time.Now()); !name {
		return
	}
	f.log.Warn("a peer misbehaves", "what", what, "peer", label, "relay", p.String(), "why", reason)
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

// notGlobal names a room of a peer in the log, unless too many were. It is no misbehaviour, so it is not in
// the way of complaints about that.
func (f *Federation) notGlobal(p wire.RelayID, room string) {
	f.rooms.Drops.Add(drops.RoomNotFound, 1)
	label := f.label(p)
	seen := f.unshared[p]
	if seen == nil {
		seen = &drops.Seldom[string]{Every: unsharedEvery, Most: unsharedMost}
		f.unshared[p] = seen
	}
	name, last := seen.Note(room, time.Now())
	if !name {
		return
	}
	f.log.Info("a peer bridges a room that is not global here", "room", shownRoom(room), "peer", label,
		"relay", p.String(), "do", "add it to [[global_rooms]] to bridge it")
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
