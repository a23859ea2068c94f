package federation

import (
	"strconv"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

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
	f.log.Info("a peer bridges a room that is not global here", "room", shownRoom(room), "peer", label, "relay", p.String(),
		"do", "add it to [[global_rooms]] to bridge it")
	if last {
		f.log.Info("more rooms of a peer that are not global here are not named for now", "peer", label, "relay", p.String(),
			"within", unsharedEvery)
	}
}

// shownRoom is a room's name for the log, whoever made it up: at most wire.MaxRoomName bytes, and what is not
// printable, such as what turns the direction of writing, escaped.
func shownRoom(name string) string {
	quoted := strconv.Quote(name[:min(len(name), wire.MaxRoomName)])
	return quoted[1 : len(quoted)-1]
}
