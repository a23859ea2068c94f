package relay

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// shortageEvery is how often somebody is named in the log as the reason of one.
	shortageEvery = time.Minute
	// maxTold bounds how many of those are remembered.
	maxTold = 256
)

// culprit is who takes too much of what.
type culprit struct {
	what room.Short
	who  room.Group
}

// logShortage names who takes what others need.
func (r *Relay) logShortage(s room.Shortage, told *drops.Seldom[culprit], now time.Time) {
	name, last := told.Note(culprit{s.What, s.Group}, now)
	if !name {
		return
	}
	if last {
		defer r.log.Warn("further ones who take what others need are not named", "for", shortageEvery)
	}
	who := []any{"address", s.Group.Block.String()}
	if s.Group.Relay != (wire.RelayID{}) {
		who = []any{"peer", r.federation.Label(s.Group.Relay), "relay", s.Group.Relay.String()}
	}
	args := append(slices.Clone(who), "room", s.Room, "has", s.Holds, "of", s.Of)
	switch s.What {
	case room.ShortAliases:
		r.log.Warn("somebody has so many streams in a room that there are too few for others; those make way",
			args...)
	case room.ShortPlaces:
		r.log.Warn("so many members of a room have one address that others of it are refused, to leave "+
			"places for members from elsewhere", args...)
	default:
		r.log.Warn("a room is full, and by one peer come so many of its members that others find no place; "+
			"those make way, or are refused", args...)
	}
}
