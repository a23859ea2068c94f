package federation

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// PeerStatus is what there is to know about a configured peer.
type PeerStatus struct {
	Label       string     `json:"label"`
	Fingerprint string     `json:"fingerprint"`
	Relay       string     `json:"relay,omitempty"` // its short id, once it was up
	Address     string     `json:"address,omitempty"`
	Up          bool       `json:"up"`
	Suspect     bool       `json:"suspect,omitempty"` // nothing was heard of it for some seconds
	Dialled     bool       `json:"dialled,omitempty"` // by us
	Since       *time.Time `json:"since,omitempty"`
	Problem     string     `json:"problem,omitempty"` // why it is not up, as far as that is known

	RTT        float64 `json:"rtt_ms"`
	Loss       float64 `json:"loss"` // share of what we send
	PacketsOut uint64  `json:"packets_out"`
	PacketsIn  uint64  `json:"packets_in"`

	FramesOut    uint64 `json:"frames_out"` // media, several of which share a packet
	FramesIn     uint64 `json:"frames_in"`
	Duplicates   uint64 `json:"duplicates"`
	Late         uint64 `json:"late"`
	Limited      uint64 `json:"limited"`
	AliasesTaken uint64 `json:"aliases_taken"` // of the link, that a stream had to give to one of somebody with fewer
	Unnamed      uint64 `json:"unnamed"`       // frames not sent for want of one
	Rooms        int    `json:"rooms"`         // that it brings us
	Participants int    `json:"participants"`  // that it brings us
}

// Peers returns the state of all configured peers.
func (f *Federation) Peers() []PeerStatus {
	infos := f.links.Status()
	list := make([]PeerStatus, len(infos))
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, info := range infos {
		s := &list[i]
		*s = PeerStatus{
			Label: info.Label, Fingerprint: info.Fingerprint.String(), Address: info.Address, Up: info.Up, Suspect: info.Suspect,
			Dialled: info.Dialled, Problem: info.Problem, RTT: float64(info.RTT) / float64(time.Millisecond), Loss: info.Loss,
			PacketsOut: info.PacketsOut, PacketsIn: info.PacketsIn,
		}
		id := wire.RelayID(info.Fingerprint[:len(wire.RelayID{})])
		n := f.live[id]
		if n == nil {
			continue
		}
		s.Relay, s.Since = id.String(), &info.Since
		out, in := n.trunk.total(), n.intake
		s.FramesOut, s.FramesIn = out.Frames, in.count(forwarded, duplicate, late)
		s.Duplicates, s.Late = in.count(duplicate), in.count(late)
		s.Limited = n.inbox.limited() +
			in.count(overMedia, overRoom, overMember, overUrgent, overBytes, overRoomBytes, overMemberBytes)
		s.AliasesTaken, s.Unnamed = out.Taken, out.Unnamed
		s.Rooms, s.Participants = f.table.Counts(id)
	}
	return list
}

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
	return Totals{
		PeersUp: up, Rooms: rooms, Sent: sent, Delivered: f.stats.local.Load(), Taken: f.stats.ingress.Load(), Messages: f.stats.messages.Load(),
	}
}
