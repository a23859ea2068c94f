package eventlog

import (
	"cmp"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// Analysis joins the logs of relays and clients. It holds 24 bytes for each packet and place where it was
// seen. It is not safe for concurrent use.
//
//	talker ── media_out ~~~> media_in ── relay ── federation_egress ~~~> federation_ingress ── relay
//	                                                                                             |
//	                                                         listener ── media_in <~~~ local_deliver
type Analysis struct {
	late    int64 // microseconds, as grace
	grace   int64
	logs    []*LogReport
	nodes   map[nodeID]*node
	streams map[streamID]stream
	drops   map[dropID]uint64
	calls   map[callID][]callEvent
	rooms   map[[8]byte]string  // names by hash
	hashes  map[string][8]byte  // the other way round
	names   map[MemberID]string // of members, as others call them
}

// nodeID is who writes a log: a relay, or a member.
type nodeID struct {
	relay  PeerID // zero: a member
	member MemberID
}

// node is what its log says of who writes it.
type node struct {
	name   string
	home   PeerID            // of a member: its relay
	room   [8]byte           // of a member
	joined int64             // when it was in the room; 0: never
	left   int64             // when it said that it stops; 0: it did not
	last   int64             // when it wrote last
	out    map[MemberID]bool // whom it took for an outsider
}

// streamID is one stream of one talker, through all epochs: its seq goes on.
type streamID struct {
	room   [8]byte
	src    MemberID
	number uint8
}

// dropID is what relays dropped, as far as drops are counted together.
type dropID struct {
	relay  nodeID
	kind   Kind
	reason string
	peer   PeerID
}

// NewAnalysis returns one of no logs. A packet is late that takes longer than the fastest of its stream by
// more than late: clocks of machines may differ, but must not drift apart by as much. What is sent less than
// grace before a listener leaves may not reach it any more.
func NewAnalysis(late, grace time.Duration) *Analysis {
	return &Analysis{
		late: late.Microseconds(), grace: grace.Microseconds(),
		nodes: make(map[nodeID]*node), streams: make(map[streamID]stream), drops: make(map[dropID]uint64),
		calls: make(map[callID][]callEvent),
		rooms: make(map[[8]byte]string), hashes: make(map[string][8]byte), names: make(map[MemberID]string),
	}
}

// AddLog reads a log. The error is that of a file that cannot be read; lines that cannot be read are in the
// report.
func (a *Analysis) AddLog(log Log) error {
	r := &LogReport{Path: log.Path, Files: len(log.Files), Errors: []string{}}
	a.logs = append(a.logs, r)
	var writer nodeID
	for _, path := range log.Files {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = a.addFile(NewReader(f, path), r, &writer)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// addFile adds the events of one file. Who wrote the file before goes on in it, until a Start says otherwise.
func (a *Analysis) addFile(file *Reader, r *LogReport, writer *nodeID) error {
	for {
		e, err := file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		r.Events++
		if e.Kind == Start {
			*writer = a.start(&e)
			if !slices.Contains(r.writers, *writer) && *writer != (nodeID{}) {
				r.writers = append(r.writers, *writer)
			}
		}
		switch n := a.nodes[*writer]; {
		case e.Kind == Dropped:
			r.Dropped += e.Count
		case n == nil:
			r.Unattributed++
		default:
			a.addEvent(*writer, n, &e)
		}
	}
	r.Malformed += file.Malformed
	r.Errors = append(r.Errors, file.Errors[:min(len(file.Errors), maxNamed-len(r.Errors))]...)
	r.Cut = r.Cut || file.Cut
	return nil
}

// start returns who writes from now on; zero: the event does not say.
func (a *Analysis) start(e *Event) nodeID {
	id := nodeID{member: e.Src}
	if e.Src == (MemberID{}) {
		id.relay = e.Relay
	}
	if id == (nodeID{}) {
		return id
	}
	n := a.nodes[id]
	if n == nil {
		n = &node{out: make(map[MemberID]bool)}
		a.nodes[id] = n
		if e.Reason == ReasonRotated {
			n.joined = e.Time // or before, in a file that is gone
		}
	}
	n.left, n.name = 0, cmp.Or(e.Name, n.name)
	if e.Src != (MemberID{}) {
		n.home, n.room = e.Relay, a.roomOf(e)
	}
	return id
}

// roomOf returns the hash of the event's room, and learns its name.
func (a *Analysis) roomOf(e *Event) [8]byte {
	if e.Room == "" {
		return e.RoomHash
	}
	hash, ok := a.hashes[e.Room]
	if !ok {
		hash = HashRoom(e.Room)
		a.hashes[e.Room], a.rooms[hash] = hash, e.Room
	}
	return hash
}

// addEvent adds what a node wrote.
func (a *Analysis) addEvent(id nodeID, n *node, e *Event) {
	n.last = max(n.last, e.Time)
	switch e.Kind {
	case Joined:
		n.joined = cmp.Or(n.joined, e.Time)
	case Stop:
		n.left = e.Time
	case MemberJoined:
		if e.Name != "" {
			a.names[e.Src] = e.Name
		}
		if e.Reason == ReasonOutside {
			n.out[e.Src] = true
		}
	}
	a.addCall(id, e)
	if slices.Contains(dropKinds, e.Kind) {
		a.drops[dropID{id, e.Kind, e.Reason, e.Peer}]++
	}
	if at, ok := place(id, e); ok {
		key := streamID{a.roomOf(e), e.Src, e.Stream}
		if a.streams[key] == nil {
			a.streams[key] = make(stream)
		}
		a.streams[key][at] = append(a.streams[key][at], sighting{packetID{e.Seq, e.Epoch}, e.Time})
	}
}

// place returns where a node has seen the packet that its event is about; ok is false for events that say
// nothing about that.
func place(id nodeID, e *Event) (at spot, ok bool) {
	at = spot{kind: e.Kind, node: id}
	switch {
	case e.Src == (MemberID{}) || !e.Kind.packet() || e.Kind == Forward:
		return at, false
	case id.relay == (PeerID{}): // a member sends its own packets, and receives those of others
		return at, e.Kind == MediaOut && e.Src == id.member || e.Kind == MediaIn && e.Src != id.member
	case e.Kind == FederationEgress || e.Kind == FederationIngress:
		at.peer = e.Peer
	case e.Kind == LocalDeliver:
		return at, e.ToCount > 0
	}
	return at, e.Kind != MediaOut
}
