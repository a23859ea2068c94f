package eventlog

import (
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
	Verdict    Verdict
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
