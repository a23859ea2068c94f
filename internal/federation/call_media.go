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
	paths sync.Map    // wire.RoomHash -> *callPath
	fresh atomic.Bool // used has something that it never had
}

// callPath is the media of one path.
type callPath struct {
	id   wire.PathID
	legs atomic.Pointer[[2]callLeg] // never changed, only replaced; nil: the path is over
	from [2]callDirection           // what comes from each leg
}

// callLeg is a peer or a client's session; the zero value is none, as of a leg whose link has just ended.
type callLeg struct {
	peer *livePeer
	line *line
}

// leg returns what the table of paths calls it.
func (l *callLeg) leg() callpath.Leg {
	if l.line != nil {
		return callpath.SessionLeg(uint64(l.line.id))
	}
	return callpath.PeerLeg(l.peer.id)
}

// callDirection is what comes from one leg.
type callDirection struct {
	frames, bytes budget.Bucket
	live          atomic.Bool // something came since used was asked
	known         atomic.Bool // something ever did

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
	for i := range p.from { // what came by the way before says nothing of this one
		p.from[i].live.Store(false)
		p.from[i].known.Store(false)
	}
	c.paths.Store(hash, p)
}

// speaks says that the media frames of a session are of a path.
func (c *callMedia) speaks(l *line, id wire.PathID) {
	if l != nil {
		l.speaks.Store(&id)
	}
}

// of returns the path that a stream of a leg is of, or nil: for a peer's the frames say it.
func (c *callMedia) of(by callLeg, hash wire.RoomHash) *callPath {
	if by.line == nil {
		return c.find(hash)
	}
	id := by.line.speaks.Load()
	if id == nil {
		return nil
	}
	if p := c.find(id.Room()); p != nil && p.id == *id {
		return p
	}
	return nil
}

// callUse is media of a leg that went over a path.
type callUse struct {
	path wire.PathID
	by   callpath.Leg
}

// used returns over which paths media went, and whose, since it was asked last.
func (c *callMedia) used() (list []callUse) {
	c.paths.Range(func(_, v any) bool {
		p := v.(*callPath)
		legs := p.legs.Load()
		for side := range p.from {
			if d := &p.from[side]; legs != nil && d.live.Load() {
				d.live.Store(false)
				if by := &legs[side]; *by != (callLeg{}) {
					list = append(list, callUse{p.id, by.leg()})
				}
			}
		}
		return true
	})
	return list
}

// came notes that a frame came from a leg. Of the first one run is told: the called has spoken.
func (d *callDirection) came(f *Federation) {
	if d.live.Load() {
		return
	}
	d.live.Store(true)
	if !d.known.Swap(true) {
		f.calls.media.fresh.Store(true)
		f.wakeUp()
	}
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
	st := p.stream(by, m.KID)
	if st == nil {
		return nil
	}
	in := &callInbound{Stream: link.Stream{KID: m.KID, Room: m.Room}, federation: f, by: by}
	in.out.Store(st)
	if in.group = by.peer.groupOf(); by.line != nil {
		in.group = by.line.group
	}
	return in
}

// groupOf returns whose share in something counts what comes over the link; nil: nobody's.
func (p *livePeer) groupOf() (g budget.Group) {
	if p != nil {
		g = p.group
	}
	return g
}

// stream returns the stream with a KID that comes from a leg, or nil if that is none of the path, or another
// member's.
func (p *callPath) stream(by callLeg, kid wire.KID) *callStream {
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
	group      budget.Group // whose share it counts in
	out        atomic.Pointer[callStream]
	tried      atomic.Int64 // when another stream was looked for last, in time of Tx.At
}

// current returns the stream, and the legs of its path; nil: there is none that may come from this leg. When
// a path is over, the same end may come again by another.
func (in *callInbound) current(tx *link.Tx) (*callStream, *[2]callLeg) {
	st := in.out.Load()
	if legs := st.path.legs.Load(); legs != nil && legs[st.side] == in.by && !st.Dropped() {
		return st, legs
	}
	tried, at := in.tried.Load(), int64(tx.At())
	if tried != 0 && at-tried < int64(renewEvery) || !in.tried.CompareAndSwap(tried, max(1, at)) {
		return nil, nil
	}
	if st = in.federation.calls.media.of(in.by, in.Room).stream(in.by, in.KID); st == nil {
		return nil, nil
	}
	in.out.Store(st)
	legs := st.path.legs.Load()
	if legs == nil || legs[st.side] != in.by {
		return nil, nil
	}
	return st, legs
}

// Media implements link.Inbound: the hot path of calls. It takes no lock of its own, and allocates nothing.
func (in *callInbound) Media(m *wire.Media, tx *link.Tx) {
	f := in.federation
	in.Seen(m.CTR) // of what is dropped, too: or later short frames could not be read
	st, legs := in.current(tx)
	if st == nil {
		f.rooms.Drops.Add(drops.CallStray, 1)
		return
	}
	to := &legs[1-st.side]
	source := budget.Source{Group: in.group, Member: budget.ID(st.path.id[:])}
	if why := in.admit(st, to, source, m, tx); why != drops.None {
		f.rooms.Drops.AddBytes(why, room.FrameSize(m))
		in.log(eventlog.RateLimitDrop, m, why.String())
		return
	}
	st.path.from[st.side].came(f)
	f.calls.counts.frames.Add(1)
	in.logCame(m)
	tx.From(source)
	switch {
	case to.line != nil && !to.line.speaksOf(st.path.id): // its media is another call's, or a room's
		f.rooms.Drops.Add(drops.CallStray, 1)
	case to.line != nil:
		in.deliver(st, to.line, m, tx)
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
func (in *callInbound) admit(st *callStream, to *callLeg, source budget.Source, m *wire.Media,
	tx *link.Tx) drops.Reason {
	d, size := &st.path.from[st.side], room.FrameSize(m)
	if p := in.by.peer; p != nil {
		now := tx.Now()
		key := memberKey{room: st.Room()}
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
	case to.line != nil && !in.federation.rooms.MaySend(source, tx.At()):
		return drops.SendRate
	}
	return drops.None
}

// deliver sends a frame to a client here.
func (in *callInbound) deliver(st *callStream, to *line, m *wire.Media, tx *link.Tx) {
	name := st.name.Load()
	if name == nil || name.line != to {
		to.aliases.give(to, st, tx.Now())
		if name = st.name.Load(); name == nil || name.line != to {
			return
		}
	}
	m.Alias, m.KID, m.Tagged = name.alias, st.kid, false
	m.Long = false
	tx.Short = wire.AppendMedia(tx.Short[:0], m, true)
	m.Long = true
	tx.Long = wire.AppendMedia(tx.Long[:0], m, true)
	to.to.SendMedia(tx, name.alias, tx.Short, tx.Long)
	in.log(eventlog.LocalDeliver, m, "")
}
