package federation

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/wire"
)

// PeerStatus is what there is to know about a configured peer.
type PeerStatus struct {
	peer.Status
	RTTMillis    float64 `json:"rtt_ms"`       // smoothed; 0: not measured yet
	LeastMillis  float64 `json:"rtt_least_ms"` // of the last minute
	JitterMillis float64 `json:"jitter_ms"`
	PingLoss     float64 `json:"ping_loss"` // share of the last minute's pings that were not answered
	// Fingerprints are of those that can be called there; never nil.
	Fingerprints []identity.Fingerprint `json:"fingerprints"`

	FramesOut    uint64 `json:"frames_out"` // media, several of which share a packet
	FramesIn     uint64 `json:"frames_in"`
	Duplicates   uint64 `json:"duplicates"`
	Late         uint64 `json:"late"`
	Limited      uint64 `json:"limited"`
	AliasesTaken uint64 `json:"aliases_taken"` // that streams had to give to those of who had fewer
	Unnamed      uint64 `json:"unnamed"`       // frames not sent for want of one
	Rooms        int    `json:"rooms"`         // that it brings us
	Participants int    `json:"participants"`  // that it brings us
}

// Peers returns the state of all configured peers.
func (f *Federation) Peers() []PeerStatus {
	infos := f.links.Status()
	list := make([]PeerStatus, 0, len(infos))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, info := range infos {
		s := PeerStatus{
			Status: info, RTTMillis: millis(info.Path.RTT), LeastMillis: millis(info.Path.Least),
			JitterMillis: millis(info.Path.Jitter), PingLoss: info.Path.Loss,
			Fingerprints: []identity.Fingerprint{},
		}
		id := wire.RelayID(info.Fingerprint[:len(wire.RelayID{})])
		if p := f.live[id]; p != nil {
			out, in := p.trunk.total(), p.intake
			s.FramesOut, s.FramesIn = out.Frames, in.count(forwarded, duplicate, late)
			s.Duplicates, s.Late = in.count(duplicate), in.count(late)
			s.Limited = p.inbox.limited() + in.count(overMedia, overRoom, overMember, overUrgent, overCalls,
				overBytes,
				overRoomBytes, overMemberBytes)
			s.AliasesTaken, s.Unnamed = out.Taken, out.Unnamed
			s.Rooms, s.Participants = f.table.Counts(id)
		}
		list = append(list, s)
	}
	return list
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Label returns what the operator calls a peer whose link is up; of another relay it is the id.
func (f *Federation) Label(id wire.RelayID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.label(id)
}

// label is Label for run, and for who holds f.mu.
func (f *Federation) label(id wire.RelayID) string {
	if p := f.live[id]; p != nil {
		return p.label
	}
	return id.String()
}

// Totals are a Federation's counts.
type Totals struct {
	PeersUp, Rooms int    // now: links, and rooms that are bridged
	Sent           uint64 // frames to peers
	Delivered      uint64 // frames from peers, once for each local member
	Taken          uint64 // frames from peers that were forwarded
	Messages       uint64 // messages about keys sent on
}

// Totals returns the counts so far.
func (f *Federation) Totals() Totals {
	f.mu.Lock()
	up, rooms, sent := len(f.live), int(f.stats.rooms.Load()), f.stats.egress.Load()
	for _, n := range f.live {
		sent += n.trunk.total().Frames
	}
	f.mu.Unlock()
	return Totals{PeersUp: up, Rooms: rooms, Sent: sent, Delivered: f.stats.local.Load(),
		Taken: f.stats.ingress.Load(), Messages: f.stats.messages.Load()}
}
