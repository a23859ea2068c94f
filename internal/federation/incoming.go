package federation

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// incoming is a stream of media that comes over a link.
//
//	frame ── the talker is known ──> may it come this way? ── inbound.judge ── room.Stream.Forward
//	  '───── not yet: held ──────────^ when it is
type incoming struct {
	link.Stream
	federation *Federation
	from       *livePeer
	found      atomic.Pointer[inbound] // nil: the talker is not known yet
	passage    atomic.Pointer[passage] // of the talker's part, as it was found last

	mu    sync.Mutex // guards what follows
	held  []heldFrame
	tried time.Time // when the talker was last looked for
}

// whereabouts is what there is to know of a talker.
type whereabouts int

const (
	nowhere whereabouts = iota // it cannot talk over this link
	notYet                     // it was not announced
	located
)

// locate looks for the talker, and sets in.found if it is there.
func (in *incoming) locate(now time.Time) whereabouts {
	f := in.federation
	name, bridged := f.ways.room(in.Room)
	if !bridged {
		f.rooms.Drops.Add(drops.RoomNotFound, 1)
		f.packets.Log(eventlog.Event{Kind: eventlog.RoomNotFound, Peer: in.from.id, RoomHash: in.Room})
		return nowhere
	}
	find := func() *room.Member { return f.rooms.Find(name, in.KID.Member()) }
	talker := find()
	switch {
	case talker == nil:
		return notYet
	case talker.Home() == (wire.RelayID{}) || !f.ways.passage(talker.Home(), in.Room).from(in.from.id, now):
		return nowhere
	}
	b := newInbound(dedupKey{in.Room, in.KID}, in.from.intake, f.dedups, find, now)
	if b == nil {
		return nowhere
	}
	b.home = talker.Home()
	in.found.Store(b)
	return located
}

// Media implements link.Inbound: the hot path of federation.
func (in *incoming) Media(m *wire.Media, tx *link.Tx) {
	if in.from.down.Load() {
		return
	}
	if b := in.found.Load(); b != nil {
		in.forward(b, m, tx)
		return
	}
	in.hold(m, tx)
}

// forward gives a frame to the room, unless it came before, by a wrong way, or is too much.
func (in *incoming) forward(b *inbound, m *wire.Media, tx *link.Tx) {
	f, now := in.federation, tx.Now()
	if !in.mayCome(b.home, now) {
		f.refuse(in.from, "media of a talker that it is not the way to")
		return
	}
	v, size := overBytes, room.FrameSize(m)
	if in.from.intake.allowBytes(memberKey{in.Room, in.KID.Member()}, size, now, tx.At()) {
		v = b.judge(m.CTR, now)
	}
	in.logCame(m, v)
	if v.limited() {
		f.rooms.Drops.AddBytes(drops.PeerRate, size)
	}
	if v != forwarded {
		return
	}
	in.Seen(m.CTR)
	out := b.stream(now)
	if out == nil {
		f.rooms.Drops.Add(drops.WrongPeer, 1)
		return
	}
	source := out.Source(in.from.group)
	tx.From(source)
	var local, trunks int
	switch why, to := out.Admit(source, m, tx.At()); why {
	case drops.None:
		local, trunks = out.Forward(to, m, tx, tx.Short, tx.Long, in.from.trunk)
	case drops.RoomRateToPeers:
		local = out.ForwardHere(to, m, tx, tx.Short, tx.Long)
	default:
		in.from.intake.dropped(why, now)
		in.log(eventlog.RateLimitDrop, m, why.String())
		return
	}
	f.stats.ingress.Add(1)
	f.stats.local.Add(uint64(local))
	in.logWent(m, local, trunks)
}

// mayCome reports whether the stream may come over its link: whether that is the way from its home. It takes
// no lock, and looks the way up only when the one that it knows has ended.
func (in *incoming) mayCome(home wire.RelayID, now time.Time) bool {
	way := in.passage.Load()
	if way.way() == nil {
		way = in.federation.ways.passage(home, in.Room)
		in.passage.Store(way)
	}
	return way.from(in.from.id, now)
}
