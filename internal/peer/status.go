package peer

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
)

// Status is what an operator wants to know about one peer.
type Status struct {
	Label       string               `json:"label"`
	Fingerprint identity.Fingerprint `json:"fingerprint"`
	Relay       string               `json:"relay,omitempty"`   // its short id, while it is up
	Addr        string               `json:"addr"`              // HOST:PORT; "": not there, nor dialled
	Address     string               `json:"address,omitempty"` // likewise; without a port if it dialled us
	State       State                `json:"state"`
	Up          bool                 `json:"up"`
	Suspect     bool                 `json:"suspect,omitempty"` // nothing was heard of it for some seconds
	Dialled     bool                 `json:"dialled,omitempty"` // by us
	Since       *time.Time           `json:"since,omitempty"`
	Problem     string               `json:"problem,omitempty"` // why it is not up, as far as that is known

	Path       link.Path `json:"-"`
	Loss       float64   `json:"loss"`    // share of what we send, smoothed
	LossIn     float64   `json:"loss_in"` // share of what the peer sends
	PacketsOut uint64    `json:"packets_out"`
	PacketsIn  uint64    `json:"packets_in"`
}

// State is what there is of a link with a peer.
type State string

// The states.
const (
	Up       State = "up"
	Silent   State = "silent"   // up, but nothing was heard for some seconds: other paths are taken
	Dialling State = "dialling" // no link; the peer is being dialled now
	Down     State = "down"
)

// state returns that of a peer. The caller holds Links.mu.
func (p *peer) state() State {
	switch {
	case p.link != nil && p.link.suspect.Load():
		return Silent
	case p.link != nil:
		return Up
	case p.dial != nil && !p.dial.stale:
		return Dialling
	}
	return Down
}

// trouble returns why there is no link with the peer, as far as that is known; empty if there is one. The
// caller holds Links.mu.
func (p *peer) trouble() string {
	switch {
	case p.link != nil:
		return ""
	case p.dial != nil && !p.dial.stale:
		text := "dialling " + p.dial.address + ", no answer yet"
		if p.problem != "" {
			text += "; before that: " + p.problem
		}
		return text
	case p.problem == "" && p.address == "":
		return "it has not connected; this relay does not dial it"
	}
	return p.problem
}

// Status returns what is known of all peers, in the order of their labels.
func (ls *Links) Status() []Status {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	list := make([]Status, 0, len(ls.peers))
	for _, p := range ls.peers {
		info := Status{Label: p.label, Fingerprint: p.fingerprint, Addr: p.address, Address: p.address,
			State: p.state(), Problem: p.trouble()}
		if l := p.link; l != nil {
			path, counts, since := l.s.Path(), l.s.Counts(), l.since
			info.Up, info.Suspect, info.Dialled, info.Since = true, l.suspect.Load(), l.dialled, &since
			info.Relay, info.Address, info.Addr = l.ID.String(), l.address(), l.address()
			if !l.dialled {
				info.Addr = l.s.Addr().String()
			}
			info.Path, info.Loss, info.LossIn = path, path.LossOut, path.LossIn
			info.PacketsOut, info.PacketsIn = counts.PacketsSent, counts.PacketsReceived
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), bytes.Compare(a.Fingerprint[:], b.Fingerprint[:]))
	})
	return list
}
