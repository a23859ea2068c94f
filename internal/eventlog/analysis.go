package eventlog

import (
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// What [AnalysisOptions] are if they are 0.
const (
	DefaultLate  = 100 * time.Millisecond
	DefaultGrace = time.Second
)

// AnalysisOptions say what counts as what. The zero value is good.
type AnalysisOptions struct {
	// Late is by how much longer than the fastest packet of its stream one takes that is late; 0: DefaultLate. Clocks of
	// machines may differ, but not drift by as much.
	Late time.Duration
	// Grace is for how long before a listener leaves what is sent may not reach it any more; 0: DefaultGrace.
	Grace time.Duration
}

// Analysis joins the logs of relays and clients. It holds 24 bytes for each packet and place where it was seen. It is not safe
// for concurrent use.
//
//	talker ── media_out ~~~> media_in ── relay ── federation_egress ~~~> federation_ingress ── relay
//	                                                                                             |
//	                                                         listener ── media_in <~~~ local_deliver
type Analysis struct {
	options AnalysisOptions
	logs    []*LogReport
	nodes   map[nodeID]*node
	streams map[streamID]*stream
	drops   map[dropID]uint64
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
	home   PeerID              // of a member: its relay
	room   [8]byte             // of a member
	joined int64               // when it was in the room; 0: never
	left   int64               // when it said that it stops; 0: it did not
	last   int64               // when it wrote last
	out    map[MemberID]bool   // whom it took for an outsider
	seen   map[streamID]*track // of a member: what it heard
}

// streamID is one stream of one talker, through all epochs: its seq goes on.
type streamID struct {
	room   [8]byte
	src    MemberID
	number uint8
}

// linkID is a direction of a link between two relays.
type linkID struct{ from, to PeerID }

// stream is where the packets of a stream were seen.
type stream struct {
	out     track            // sent by the talker
	in      map[PeerID]track // came from it, at a relay
	egress  map[linkID]track
	ingress map[linkID]track
	deliver map[PeerID]track
	dropped map[PeerID]track // dropped by a relay; why is in sighting
}

// track is what was seen of a stream in one place; sorted by seq, epoch and time before it is used.
type track []sighting

type sighting struct {
	seq   uint64
	at    int64 // microseconds
	epoch uint8
	why   uint8 // of a drop: index in dropKinds
}

var dropKinds = []Kind{DedupDrop, RateLimitDrop, QueueDrop, RoomNotFound, LocalDeliverError, FederationIngressMalformed}

type dropID struct {
	relay  nodeID
	kind   Kind
	reason string
	peer   PeerID
}

// NewAnalysis returns one of no logs.
func NewAnalysis(options AnalysisOptions) *Analysis {
	if options.Late <= 0 {
		options.Late = DefaultLate
	}
	if options.Grace <= 0 {
		options.Grace = DefaultGrace
	}
	return &Analysis{
		options: options,
		nodes:   make(map[nodeID]*node), streams: make(map[streamID]*stream), drops: make(map[dropID]uint64),
		rooms: make(map[[8]byte]string), hashes: make(map[string][8]byte), names: make(map[MemberID]string),
	}
}

// AddLog reads a log. The error is that of a file that cannot be read; lines that cannot be read are in the report.
func (a *Analysis) AddLog(log Log) error {
	r := &LogReport{Path: log.Path, Files: len(log.Files)}
	a.logs = append(a.logs, r)
	who := nodeID{}
	for _, path := range log.Files {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = a.add(f, path, r, &who)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// add reads one file; who wrote what is before it goes on in it.
func (a *Analysis) add(in io.Reader, path string, r *LogReport, who *nodeID) error {
	lines := NewReader(in, path)
	for {
		e, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		r.Events++
		if e.Kind == Start {
			*who = a.start(&e)
			if !slices.Contains(r.who, *who) && *who != (nodeID{}) {
				r.who = append(r.who, *who)
			}
		}
		switch n := a.nodes[*who]; {
		case e.Kind == Dropped:
			r.Dropped += e.Count
		case n == nil:
			r.Unattributed++
		default:
			a.event(*who, n, &e)
		}
	}
	r.Malformed += lines.Malformed
	for _, bad := range lines.Errors {
		if len(r.Errors) < maxNamed {
			r.Errors = append(r.Errors, bad.Error())
		}
	}
	r.Cut = r.Cut || lines.Cut
	return nil
}

// start returns who writes from now on; zero: it does not say.
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
		n = &node{out: make(map[MemberID]bool), seen: make(map[streamID]*track)}
		a.nodes[id] = n
		if e.Reason == ReasonRotated {
			n.joined = e.Time // or before, in a file that is gone
		}
	}
	n.left = 0
	if e.Name != "" {
		n.name = e.Name
	}
	if e.Src != (MemberID{}) {
		n.home, n.room = e.Relay, a.room(e)
	}
	return id
}

// room returns the hash of the event's room, and learns its name.
func (a *Analysis) room(e *Event) [8]byte {
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

// event takes what the node with an id wrote.
func (a *Analysis) event(id nodeID, n *node, e *Event) {
	n.last = max(n.last, e.Time)
	switch e.Kind {
	case Joined:
		if n.joined == 0 {
			n.joined = e.Time
		}
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
	if e.Kind.drop() {
		a.drops[dropID{id, e.Kind, e.Reason, e.Peer}]++
	}
	if e.Kind.packet() && e.Src != (MemberID{}) {
		a.packet(id, n, e)
	}
}

// packet notes where a packet was seen.
func (a *Analysis) packet(id nodeID, n *node, e *Event) {
	key := streamID{a.room(e), e.Src, e.Stream}
	st := a.streams[key]
	if st == nil {
		st = &stream{
			in: make(map[PeerID]track), egress: make(map[linkID]track), ingress: make(map[linkID]track),
			deliver: make(map[PeerID]track), dropped: make(map[PeerID]track),
		}
		a.streams[key] = st
	}
	s := sighting{seq: e.Seq, at: e.Time, epoch: e.Epoch}
	if id.relay == (PeerID{}) {
		switch {
		case e.Kind == MediaOut && e.Src == id.member:
			st.out = append(st.out, s)
		case e.Kind == MediaIn && e.Src != id.member:
			if n.seen[key] == nil {
				n.seen[key] = new(track)
			}
			*n.seen[key] = append(*n.seen[key], s)
		}
		return
	}
	switch e.Kind {
	case MediaIn:
		st.in[id.relay] = append(st.in[id.relay], s)
	case FederationEgress:
		link := linkID{id.relay, e.Peer}
		st.egress[link] = append(st.egress[link], s)
	case FederationIngress:
		link := linkID{e.Peer, id.relay}
		st.ingress[link] = append(st.ingress[link], s)
	case LocalDeliver:
		if e.ToCount > 0 {
			st.deliver[id.relay] = append(st.deliver[id.relay], s)
		}
	default:
		if why := slices.Index(dropKinds, e.Kind); why >= 0 {
			s.why = uint8(why)
			st.dropped[id.relay] = append(st.dropped[id.relay], s)
		}
	}
}
