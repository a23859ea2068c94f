package federation

import (
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// What becomes of packets with media, in the event log. Without one, all of this is a comparison with nil.

// packet returns the event of a kind about a packet.
func packet(kind eventlog.Kind, hash wire.RoomHash, kid wire.KID, ctr uint64) eventlog.Event {
	return eventlog.Event{Kind: kind, RoomHash: hash, Src: kid.Member(), Stream: kid.Stream(), Epoch: kid.Epoch(), Seq: ctr}
}

// egress is the trunk of a link as a room sees it.
type egress struct {
	trunk  *trunk
	events *eventlog.Writer
	peer   wire.RelayID
}

var _ room.Trunk = (*egress)(nil)

// SendStream implements room.Trunk.
func (e *egress) SendStream(tx room.Tx, st *room.Stream, m *wire.Media, from room.Trunk) {
	if e.events == nil {
		e.trunk.SendStream(tx, st, m, from)
		return
	}
	event := packet(eventlog.FederationEgress, st.Room(), st.KID(), m.CTR)
	event.Time = time.Now().UnixMicro() // it may have arrived before put returns
	event.Peer, event.Len = e.peer, len(m.Ciphertext)
	ltx := tx.(*link.Tx)
	if refused := e.trunk.put(ltx, st, m, from, ltx.Now()); refused != "" {
		event.Kind, event.Reason = eventlog.QueueDrop, refused
	}
	e.events.Log(event)
}

// logIngress notes that a packet came over a link, and why it is dropped if it is.
func (f *Federation) logIngress(in *incoming, m *wire.Media, v verdict) {
	if f.packets == nil {
		return
	}
	event := packet(eventlog.FederationIngress, in.room, in.kid, m.CTR)
	event.Peer, event.Len = in.from.id, len(m.Ciphertext)
	f.packets.Log(event)
	if v == forwarded {
		return
	}
	event.Kind, event.Reason = eventlog.DedupDrop, v.String()
	if v.limited() {
		event.Kind = eventlog.RateLimitDrop
	}
	f.packets.Log(event)
}

// logRefused notes that a packet that came over a link is dropped, for what a room says.
func (f *Federation) logRefused(in *incoming, m *wire.Media, why drops.Reason) {
	if f.packets == nil {
		return
	}
	event := packet(eventlog.RateLimitDrop, in.room, in.kid, m.CTR)
	event.Peer, event.Len, event.Reason = in.from.id, len(m.Ciphertext), why.String()
	f.packets.Log(event)
}

// logForward notes where a packet that came over a link went.
func (f *Federation) logForward(in *incoming, ctr uint64, local, trunks int) {
	if f.packets == nil {
		return
	}
	event := packet(eventlog.Forward, in.room, in.kid, ctr)
	event.ToCount = local + trunks
	f.packets.Log(event)
	if local > 0 {
		event.Kind, event.ToCount = eventlog.LocalDeliver, local
		f.packets.Log(event)
	}
}
