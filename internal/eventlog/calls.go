package eventlog

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
)

// callID is one generation of a path of a call, by half of the path's id.
type callID struct {
	path       [8]byte
	generation uint64
}

// callEvent is what a relay says of it.
type callEvent struct {
	relay PeerID
	at    int64
	kind  Kind
	peer  PeerID
	text  string // its reason
	hops  int
}

// Call says which way a call went, in one generation of its path.
type Call struct {
	Path       string  `json:"path"` // half of its id, 16 hexadecimal digits
	Generation uint64  `json:"generation"`
	Relays     []Party `json:"relays"`             // on the way, the caller's first, as far as there are logs
	Hops       int     `json:"hops"`               // relays on the way, as the last one says; 0: not known
	Asked      Micros  `json:"asked"`              // when it was first seen
	SetUpMS    float64 `json:"set_up_ms"`          // until the first relay knew that it is set up; 0: never
	Ended      Micros  `json:"ended,omitempty"`    // when the first relay said so; 0: none did
	Reason     string  `json:"reason,omitempty"`   // why
	Refusals   []Place `json:"refusals,omitempty"` // who was refused, by whom, why and how often
}

// addCall adds what a relay wrote about a path.
func (a *Analysis) addCall(id nodeID, e *Event) {
	switch e.Kind {
	case CallForward, CallSetUp, CallRefused, CallEnd:
		key := callID{e.RoomHash, e.Count}
		a.calls[key] = append(a.calls[key], callEvent{id.relay, e.Time, e.Kind, e.Peer, e.Reason, e.Hops})
	}
}

// callList returns the ways of calls, by when they were asked for.
func (a *Analysis) callList() (list []Call) {
	for id, events := range a.calls {
		list = append(list, a.call(id, events))
	}
	slices.SortFunc(list, func(x, y Call) int {
		return cmp.Or(cmp.Compare(x.Asked, y.Asked), cmp.Compare(x.Path, y.Path),
			cmp.Compare(x.Generation, y.Generation))
	})
	return list
}

// call puts together what relays say of one way.
func (a *Analysis) call(id callID, events []callEvent) Call {
	c := Call{Path: hex.EncodeToString(id.path[:]), Generation: id.generation, Relays: []Party{}}
	slices.SortStableFunc(events, func(x, y callEvent) int { return cmp.Compare(x.at, y.at) })
	c.Asked = Micros(events[0].at)
	next := make(map[PeerID]PeerID) // by whom it goes on; zero: to a client
	refused := make(map[Place]int)
	for _, e := range events {
		switch e.kind {
		case CallSetUp:
			next[e.relay] = e.peer
			c.Hops = max(c.Hops, e.hops)
		case CallEnd:
			if c.Ended == 0 {
				c.Ended, c.Reason = Micros(e.at), e.text
			}
		case CallRefused:
			to := Party{}
			if e.peer != (PeerID{}) {
				to = a.relay(e.peer)
			}
			refused[Place{From: a.relay(e.relay), To: to, Reason: e.text}]++
		}
	}
	first := firstRelay(next)
	for at, seen := first, map[PeerID]bool{}; at != (PeerID{}) && !seen[at]; at = next[at] {
		seen[at] = true
		c.Relays = append(c.Relays, a.relay(at))
	}
	for _, e := range events {
		if e.kind == CallSetUp && e.relay == first {
			c.SetUpMS = float64(e.at-events[0].at) / 1000
		}
	}
	for p, n := range refused {
		p.Count = n
		c.Refusals = append(c.Refusals, p)
	}
	slices.SortFunc(c.Refusals, func(x, y Place) int {
		return cmp.Or(cmp.Compare(x.From.ID, y.From.ID), cmp.Compare(x.To.ID, y.To.ID),
			cmp.Compare(x.Reason, y.Reason))
	})
	return c
}

// firstRelay returns who is nobody's next; of several, where there are no logs in between, that with the most
// relays after it.
func firstRelay(next map[PeerID]PeerID) (first PeerID) {
	after := make(map[PeerID]bool)
	for _, to := range next {
		after[to] = true
	}
	most := 0
	ids := slices.SortedFunc(maps.Keys(next), func(x, y PeerID) int { return bytes.Compare(x[:], y[:]) })
	for _, id := range ids {
		n := 0
		for at := id; at != (PeerID{}) && n <= len(next); at = next[at] {
			n++
		}
		if !after[id] && n > most {
			first, most = id, n
		}
	}
	return first
}
