package federation

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// ways is what media and messages about keys need to know of the table and of rooms, for goroutines that
// receive packets: reading it takes no lock, and waits for nothing. Whoever changes the table, or the bridged
// rooms, says here what is so from now on. The zero value knows no part and no room.
type ways struct {
	parts sync.Map // routing.PartKey -> *passage
	rooms sync.Map // wire.RoomHash -> string, the name of a bridged room
}

// passage is by which peers a part's media may come. It is of one part, from when that is first reached to
// when nobody reaches it any more; what knows it need not look for it again meanwhile.
type passage struct{ now atomic.Pointer[wayTo] }

// wayTo is a passage at one moment. It is never changed, only replaced.
type wayTo struct {
	routing.Way
	to *livePeer // the best one; nil: the part is not reached
}

// set says by which peer a part is reached, and by which it was; by none: that ends its passage. Only run
// calls it.
func (w *ways) set(key routing.PartKey, way routing.Way, to *livePeer) {
	p := w.passage(key.Home, key.Room)
	switch ends := way.Best == (wire.RelayID{}) && len(way.Former) == 0; {
	case !ends && p != nil:
		p.now.Store(&wayTo{way, to})
	case !ends:
		p = new(passage)
		p.now.Store(&wayTo{way, to})
		w.parts.Store(key, p)
	case p != nil:
		w.parts.Delete(key)
		p.now.Store(nil)
	}
}

// passage returns that of home's part of a room, nil if nobody reaches it.
func (w *ways) passage(home wire.RelayID, room wire.RoomHash) *passage {
	p, _ := w.parts.Load(routing.PartKey{Home: home, Room: room})
	known, _ := p.(*passage)
	return known
}

// next returns the peer by which home's part of a room is reached, nil if nobody reaches it.
func (w *ways) next(home wire.RelayID, room wire.RoomHash) *livePeer {
	if way := w.passage(home, room).way(); way != nil {
		return way.to
	}
	return nil
}

// way returns what is so now; nil: the passage has ended, so that there may be another one for the part. A
// nil one has.
func (p *passage) way() *wayTo {
	if p == nil {
		return nil
	}
	return p.now.Load()
}

// from reports whether media of the part may come from a peer: it is the best one, or was a moment ago.
func (p *passage) from(peer wire.RelayID, now time.Time) bool {
	way := p.way()
	return way != nil && way.From(peer, now)
}

// room returns the name of a bridged room.
func (w *ways) room(hash wire.RoomHash) (name string, ok bool) {
	v, ok := w.rooms.Load(hash)
	if !ok {
		return "", false
	}
	return v.(string), true
}
