package eventlog

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Report is what logs say together. Its parts are sorted, so that the same logs give the same report.
type Report struct {
	Logs       []LogReport
	Hops       []Hop
	Deliveries []Delivery
	Links      []Link
	Drops      []Drop
	Calls      []Call
	Verdict    Verdict
}

// Report says what the logs say together. Logs may be added afterwards, and another Report made.
func (a *Analysis) Report() *Report {
	for _, st := range a.streams {
		for _, t := range st {
			t.sort()
		}
	}
	r := &Report{}
	for _, l := range a.logs {
		l := *l
		l.Who = []Party{}
		for _, id := range l.writers {
			l.Who = append(l.Who, a.party(id))
		}
		r.Logs = append(r.Logs, l)
	}
	links := make(map[linkID]*Link)
	for _, key := range slices.SortedFunc(maps.Keys(a.streams), a.compareStreams) {
		st := a.streams[key]
		r.Hops = append(r.Hops, a.hops(key, st)...)
		r.Deliveries = append(r.Deliveries, a.deliveries(key, st)...)
		a.addLinks(links, st)
	}
	for _, id := range slices.SortedFunc(maps.Keys(links), compareLinks) {
		r.Links = append(r.Links, *links[id])
	}
	r.Drops, r.Calls = a.dropList(), a.callList()
	r.Verdict = a.verdict(r)
	return r
}

// verdict sums up.
func (a *Analysis) verdict(r *Report) (v Verdict) {
	for _, d := range r.Deliveries {
		v.Expected += d.Expected
		v.Delivered += d.Delivered
		v.Lost += d.Lost
		v.Duplicated += d.Duplicated
		v.Late += d.Late
	}
	talkers, listeners := make(map[MemberID]bool), make(map[MemberID]bool)
	var sentLast, seenLast int64
	for key, st := range a.streams {
		if sent := st.sent(key.src); len(sent) > 0 {
			v.Sent += len(match(sent, nil))
			sentLast = max(sentLast, sent.newest())
			talkers[key.src] = true
			for _, listener := range a.listeners(key, st) {
				listeners[listener] = true
			}
		}
		for _, t := range st {
			seenLast = max(seenLast, t.newest())
		}
	}
	if sentLast != 0 {
		v.TailMS = float64(seenLast-sentLast) / 1000
	}
	for _, l := range r.Links {
		v.Twice += l.Twice
	}
	unattributed := 0
	for _, l := range r.Logs {
		v.Malformed += l.Malformed
		v.Missing += l.Dropped
		unattributed += l.Unattributed
	}
	v.Talkers, v.Listeners = len(talkers), len(listeners)
	v.ExactlyOnce = v.Delivered > 0 && v.Lost == 0 && v.Duplicated == 0 && v.Twice == 0 &&
		v.Malformed == 0 && v.Missing == 0 && unattributed == 0
	return v
}

// dropList returns what relays dropped.
func (a *Analysis) dropList() (drops []Drop) {
	ids := slices.SortedFunc(maps.Keys(a.drops), func(x, y dropID) int {
		return cmp.Or(compareNodes(x.relay, y.relay), cmp.Compare(x.kind, y.kind),
			cmp.Compare(x.reason, y.reason), bytes.Compare(x.peer[:], y.peer[:]))
	})
	for _, id := range ids {
		d := Drop{Relay: a.party(id.relay), Kind: id.kind, Reason: id.reason, Count: a.drops[id]}
		if id.peer != (PeerID{}) {
			peer := a.relay(id.peer)
			d.Peer = &peer
		}
		drops = append(drops, d)
	}
	return drops
}

// Count is a number that may not be known, because there is no log of who could tell: then it is below 0, and
// null in JSON.
type Count int

// Unknown is a Count that is not known.
const Unknown Count = -1

// MarshalJSON implements json.Marshaler.
func (c Count) MarshalJSON() ([]byte, error) {
	if c < 0 {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(c), 10), nil
}

// String returns the number, or "-".
func (c Count) String() string {
	if c < 0 {
		return "-"
	}
	return strconv.Itoa(int(c))
}

// Micros is a time in microseconds since 1970, which is text in JSON, as logs have it.
type Micros int64

// MarshalText implements encoding.TextMarshaler.
func (m Micros) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String returns the time as logs have it.
func (m Micros) String() string { return time.UnixMicro(int64(m)).UTC().Format(timeLayout) }

// Party is a relay or a member.
type Party struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"` // as it calls itself: may be anything
}

// LogReport says what was read of a log.
type LogReport struct {
	Path         string   `json:"path"`
	Files        int      `json:"files"`        // with the rotated ones
	Who          []Party  `json:"who"`          // wrote it
	Events       int      `json:"events"`       // lines that could be read
	Malformed    int      `json:"malformed"`    // lines that could not
	Errors       []string `json:"errors"`       // the first of these
	Cut          bool     `json:"cut"`          // the last line is not whole
	Dropped      uint64   `json:"dropped"`      // events that the log says are missing
	Unattributed int      `json:"unattributed"` // events before a start that says who writes
	writers      []nodeID // Who
}

// HopKind says what a hop is.
type HopKind string

// The kinds of hops.
const (
	HopUp   HopKind = "up"   // a talker to its relay
	HopLink HopKind = "link" // a relay to another
	HopDown HopKind = "down" // a relay to a listener
)

// Hop says what became of the packets of one stream with one key on one hop.
type Hop struct {
	Kind       HopKind `json:"hop"`
	Room       string  `json:"room"` // its name, or "#" and its hash
	Talker     Party   `json:"talker"`
	Stream     uint8   `json:"stream"`
	Epoch      uint8   `json:"epoch"`
	From       Party   `json:"from"`
	To         Party   `json:"to"`
	Sent       Count   `json:"sent"`       // packets
	Arrived    Count   `json:"arrived"`    // packets
	Lost       Count   `json:"lost"`       // sent, and not arrived
	Repeated   Count   `json:"repeated"`   // times that one was sent again
	Duplicated Count   `json:"duplicated"` // times that one arrived again
	Late       Count   `json:"late"`       // took much longer than the fastest
}

// Delivery says what a listener heard of a stream.
type Delivery struct {
	Room       string  `json:"room"`
	Talker     Party   `json:"talker"`
	Stream     uint8   `json:"stream"`
	Listener   Party   `json:"listener"`
	Sent       int     `json:"sent"`       // packets, by the talker
	Expected   int     `json:"expected"`   // of these, while the listener was there
	Delivered  int     `json:"delivered"`  // of those
	Lost       int     `json:"lost"`       // expected, and not delivered
	Duplicated int     `json:"duplicated"` // times that one was delivered again
	Late       int     `json:"late"`       // took much longer than the fastest
	Where      []Place `json:"where"`      // they were lost
}

// Place is where packets were lost: between From and To, or in From if To is the same.
type Place struct {
	From   Party  `json:"from"`
	To     Party  `json:"to"`
	Reason string `json:"reason,omitempty"` // the event that says why, if one does
	Count  int    `json:"count"`
}

// Link says what crossed a direction of a link between relays.
type Link struct {
	From    Party  `json:"from"`
	To      Party  `json:"to"`
	Packets int    `json:"packets"` // that crossed it, or were meant to
	Twice   int    `json:"twice"`   // of these, more than once
	First   Micros `json:"first"`   // when
	Last    Micros `json:"last"`
}

// Drop counts events of one kind that say that something was not forwarded.
type Drop struct {
	Relay  Party  `json:"relay"`
	Kind   Kind   `json:"drop"`
	Reason string `json:"reason,omitempty"`
	Peer   *Party `json:"peer,omitempty"`
	Count  uint64 `json:"count"`
}

// Verdict is the sum of everything.
type Verdict struct {
	// ExactlyOnce: something was expected, all of it was delivered, nothing twice, nothing crossed a link
	// twice, and no log has holes.
	ExactlyOnce bool   `json:"exactly_once"`
	Talkers     int    `json:"talkers"`   // members who sent, by their own logs
	Listeners   int    `json:"listeners"` // members who should have heard something
	Sent        int    `json:"sent"`
	Expected    int    `json:"expected"` // a packet counts once for each listener
	Delivered   int    `json:"delivered"`
	Lost        int    `json:"lost"`
	Duplicated  int    `json:"duplicated"`
	Late        int    `json:"late"`
	Twice       int    `json:"twice"` // packets that crossed a direction of a link more than once
	Malformed   int    `json:"malformed"`
	Missing     uint64 `json:"missing"` // events that are not in the logs, as these say themselves
	// TailMS is for how many milliseconds after the last packet was sent packets were seen anywhere.
	TailMS float64 `json:"tail_ms"`
}
