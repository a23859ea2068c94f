package federation

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	callStreams = 8      // of a direction
	callFrames  = 500    // media frames a second of a direction
	callBytes   = 32_000 // bytes of them a second, with what they take on the wire: 256 kbit/s
	callBurst   = 500 * time.Millisecond
)

// callMedia is where the media of the paths of calls goes, for goroutines that receive packets: reading it
// takes no lock. Only run changes it. The zero value has none.
type callMedia struct {
	paths sync.Map // wire.RoomHash -> *callPath
}

// callPath is the media of one path.
type callPath struct {
	id   wire.PathID
	legs atomic.Pointer[[2]callLeg] // never changed, only replaced; nil: the path is over
	from [2]callDirection           // what comes from each leg
	live atomic.Bool                // something went over it since used was asked
}

// callLeg is a peer or a client's session; the zero value is none, as of a leg whose link has just ended.
type callLeg struct {
	peer *livePeer
	line *line
}

// callDirection is what comes from one leg.
type callDirection struct {
	frames, bytes budget.Bucket

	mu      sync.Mutex    // guards what follows; not taken for streams that are known
	member  wire.MemberID // with which all KIDs begin; zero: none came yet
	streams []*callStream // the newest last
}

// callStream is a stream of a path. It is an outStream.
type callStream struct {
	path    *callPath
	side    int // of the leg that it comes from
	kid     wire.KID
	dropped atomic.Bool
	name    atomic.Pointer[callName] // at the session that it goes to
}

// callName is the alias of a stream at a session.
type callName struct {
	line  *line
	alias uint16
}

// KID implements outStream.
func (st *callStream) KID() wire.KID { return st.kid }

// Room implements outStream.
func (st *callStream) Room() wire.RoomHash { return st.path.id.Room() }

// Dropped implements outStream.
func (st *callStream) Dropped() bool { return st.dropped.Load() }

// Origin implements outStream.
func (st *callStream) Origin() (from room.Origin) {
	if legs := st.path.legs.Load(); legs != nil {
		switch leg := &legs[st.side]; {
		case leg.line != nil:
			from = leg.line.origin
		case leg.peer != nil:
			from = room.FromPeer(leg.peer.id, leg.peer.id, wire.RelayID{})
		}
	}
	return from
}

// find returns the path whose frames have that room hash, or nil.
func (c *callMedia) find(hash wire.RoomHash) *callPath {
	v, _ := c.paths.Load(hash)
	p, _ := v.(*callPath)
	return p
}

// set says between which legs the media of a path goes. Only run calls it.
func (c *callMedia) set(f *Federation, e callpath.Media) {
	hash := e.Path.Room()
	p := c.find(hash)
	if e.Legs == ([2]callpath.Leg{}) {
		if p != nil {
			c.paths.Delete(hash)
			p.close()
		}
		return
	}
	var legs [2]callLeg
	for i, leg := range e.Legs {
		if leg.Session != 0 {
			legs[i].line = f.calls.lines.known[presence.SessionID(leg.Session)]
		} else {
			legs[i].peer = f.live[leg.Peer]
		}
	}
	if p != nil {
		switch before := p.legs.Load(); {
		case before[0] == legs[0] || before[1] == legs[1]:
		case before[0] == legs[1] || before[1] == legs[0]:
			legs[0], legs[1] = legs[1], legs[0] // the other end asked for the new way: each keeps its streams
		default: // nobody knows which end is which
			p.close()
			p = nil
		}
	}
	if p == nil {
		p = &callPath{id: e.Path}
	}
	p.legs.Store(&legs)
	c.paths.Store(hash, p)
}

// speaks says that the media frames of a session are of a path.
func (c *callMedia) speaks(l *line, id wire.PathID) {
	if l == nil {
		return
	}
	if p := c.find(id.Room()); p != nil && p.id == id {
		l.speaks.Store(p)
	}
}

// used returns over which paths media went since it was asked last.
func (c *callMedia) used() (list []wire.PathID) {
	c.paths.Range(func(_, v any) bool {
		if p := v.(*callPath); p.live.Load() {
			p.live.Store(false)
			list = append(list, p.id)
		}
		return true
	})
	return list
}

// close has nothing of the path be forwarded any more.
func (p *callPath) close() {
	p.legs.Store(nil)
	for i := range p.from {
		d := &p.from[i]
		d.mu.Lock()
		for _, st := range d.streams {
			st.dropped.Store(true)
		}
		d.streams = nil
		d.mu.Unlock()
	}
}

// bind returns what gets a stream that a leg announces, or nil if it is none of the path, or may not.
func (p *callPath) bind(f *Federation, by callLeg, m *wire.Media) link.Inbound {
	if p == nil {
		return nil
	}
	legs := p.legs.Load()
	if legs == nil || by != legs[0] && by != legs[1] {
		return nil
	}
	side := 0
	if by == legs[1] {
		side = 1
	}
	st := p.stream(side, m.KID)
	if st == nil {
		return nil
	}
	in := &callInbound{Stream: link.Stream{KID: m.KID, Room: m.Room}, federation: f, by: by, out: st}
	in.source = budget.Source{Member: budget.ID(p.id[:])}
	if by.line != nil {
		in.source.Group = by.line.group
	} else {
		in.source.Group = by.peer.group
	}
	return in
}

// stream returns the stream with a KID of a direction, or nil if it begins with another member id.
func (p *callPath) stream(side int, kid wire.KID) *callStream {
	d := &p.from[side]
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.member == (wire.MemberID{}) {
		d.member = kid.Member()
	}
	if kid.Member() != d.member || p.legs.Load() == nil {
		return nil
	}
	for _, st := range d.streams {
		if st.kid == kid {
			return st
		}
	}
	if len(d.streams) >= callStreams {
		d.streams[0].dropped.Store(true)
		d.streams = slices.Delete(d.streams, 0, 1)
	}
	st := &callStream{path: p, side: side, kid: kid}
	d.streams = append(d.streams, st)
	return st
}

// callInbound is a stream of a call that comes from a leg.
type callInbound struct {
	link.Stream
	federation *Federation
	by         callLeg
	source     budget.Source
	out        *callStream
}

// Media implements link.Inbound: the hot path of calls. It takes no lock of its own, and allocates nothing.
func (in *callInbound) Media(m *wire.Media, tx *link.Tx) {
	f, st := in.federation, in.out
	in.Seen(m.CTR) // of what is dropped, too: or later short frames could not be read
	legs := st.path.legs.Load()
	if legs == nil || legs[st.side] != in.by || st.Dropped() {
		f.rooms.Drops.Add(drops.CallStray, 1)
		return
	}
	to := &legs[1-st.side]
	if why := in.admit(to, m, tx); why != drops.None {
		f.rooms.Drops.AddBytes(why, room.FrameSize(m))
		in.log(eventlog.RateLimitDrop, m, why.String())
		return
	}
	if !st.path.live.Load() {
		st.path.live.Store(true)
	}
	f.calls.counts.frames.Add(1)
	in.logCame(m)
	tx.From(in.source)
	switch {
	case to.line != nil:
		in.deliver(to.line, m, tx)
	case to.peer != nil:
		var from ingress
		if in.by.peer != nil {
			from = in.by.peer.trunk
		}
		to.peer.trunk.send(tx, st, m, from)
	}
}

// admit decides whether a frame may pass: what the peer may bring, the direction, and what the relay sends in
// all.
func (in *callInbound) admit(to *callLeg, m *wire.Media, tx *link.Tx) drops.Reason {
	d, size := &in.out.path.from[in.out.side], room.FrameSize(m)
	if p := in.by.peer; p != nil {
		now := tx.Now()
		key := memberKey{room: in.out.Room()}
		if p.down.Load() || p.intake.allowFrame(key, now) != forwarded ||
			!p.intake.allowBytes(key, size, now, tx.At()) {
			return drops.PeerRate
		}
		p.intake.counts[forwarded].Add(1)
	}
	switch {
	case !d.frames.Take(1, callFrames, time.Second, tx.At()):
		return drops.PacketRate
	case !d.bytes.Take(size, callBytes, callBurst, tx.At()):
		return drops.MemberRate
	case to.line != nil && !in.federation.rooms.MaySend(in.source, tx.At()):
		return drops.SendRate
	}
	return drops.None
}

// deliver sends a frame to a client here.
func (in *callInbound) deliver(to *line, m *wire.Media, tx *link.Tx) {
	name := in.out.name.Load()
	if name == nil || name.line != to {
		to.aliases.give(to, in.out, tx.Now())
		if name = in.out.name.Load(); name == nil || name.line != to {
			return
		}
	}
	m.Alias, m.KID, m.Tagged = name.alias, in.out.kid, false
	m.Long = false
	tx.Short = wire.AppendMedia(tx.Short[:0], m, true)
	m.Long = true
	tx.Long = wire.AppendMedia(tx.Long[:0], m, true)
	to.to.SendMedia(tx, name.alias, tx.Short, tx.Long)
	in.log(eventlog.LocalDeliver, m, "")
}
