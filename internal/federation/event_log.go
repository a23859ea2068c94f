package federation

import (
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/wire"
)

// What becomes of packets with media, in the event log. Without one, all of this is a comparison with nil.

// packet returns the event of a kind about a packet that comes or goes over a link with a peer.
func packet(kind eventlog.Kind, peer wire.RelayID, hash wire.RoomHash, kid wire.KID,
	m *wire.Media) eventlog.Event {
	return eventlog.Event{Kind: kind, Peer: peer, RoomHash: hash, Src: kid.Member(), Stream: kid.Stream(),
		Epoch: kid.Epoch(), Seq: m.CTR, Len: len(m.Ciphertext)}
}

// log notes something about a packet that came.
func (in *incoming) log(kind eventlog.Kind, m *wire.Media, reason string) {
	if in.federation.packets != nil {
		event := packet(kind, in.from.id, in.Room, in.KID, m)
		event.Reason = reason
		in.federation.packets.Log(event)
	}
}

// logCame notes that a packet came, and why it is dropped if it is.
func (in *incoming) logCame(m *wire.Media, v verdict) {
	in.log(eventlog.FederationIngress, m, "")
	switch {
	case v.limited():
		in.log(eventlog.RateLimitDrop, m, v.String())
	case v != forwarded:
		in.log(eventlog.DedupDrop, m, v.String())
	}
}

// logWent notes where a packet that came went.
func (in *incoming) logWent(m *wire.Media, local, trunks int) {
	f := in.federation
	if f.packets == nil {
		return
	}
	event := packet(eventlog.Forward, wire.RelayID{}, in.Room, in.KID, m)
	event.Len, event.ToCount = 0, local+trunks
	f.packets.Log(event)
	if local > 0 {
		event.Kind, event.ToCount = eventlog.LocalDeliver, local
		f.packets.Log(event)
	}
}
