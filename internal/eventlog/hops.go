package eventlog

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
)

// Report says what the logs say together. Logs may be added afterwards, and another Report made.
func (a *Analysis) Report() *Report {
	a.sort()
	r := &Report{}
	for _, l := range a.logs {
		log := *l
		log.Who, log.Errors = []Party{}, append([]string{}, l.Errors...)
		for _, id := range l.who {
			log.Who = append(log.Who, a.party(id))
		}
		r.Logs = append(r.Logs, log)
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
	r.Drops = a.dropList()
	r.Verdict = a.verdict(r)
	return r
}

// sort puts all tracks in order.
func (a *Analysis) sort() {
	for _, st := range a.streams {
		st.out.sort()
		for _, tracks := range []map[PeerID]track{st.in, st.deliver, st.dropped} {
			for _, t := range tracks {
				t.sort()
			}
		}
		for _, tracks := range []map[linkID]track{st.egress, st.ingress} {
			for _, t := range tracks {
				t.sort()
			}
		}
	}
	for _, n := range a.nodes {
		for _, t := range n.seen {
			t.sort()
		}
	}
}

func (a *Analysis) compareStreams(x, y streamID) int {
	return cmp.Or(cmp.Compare(a.roomName(x.room), a.roomName(y.room)), bytes.Compare(x.room[:], y.room[:]),
		bytes.Compare(x.src[:], y.src[:]), cmp.Compare(x.number, y.number))
}

func compareNodes(x, y nodeID) int {
	return cmp.Or(bytes.Compare(x.relay[:], y.relay[:]), bytes.Compare(x.member[:], y.member[:]))
}

func compareLinks(x, y linkID) int {
	return cmp.Or(bytes.Compare(x.from[:], y.from[:]), bytes.Compare(x.to[:], y.to[:]))
}

// roomName is what a room is called in a report.
func (a *Analysis) roomName(hash [8]byte) string {
	if name := a.rooms[hash]; name != "" {
		return name
	}
	return "#" + hex.EncodeToString(hash[:])
}

// party is a relay or member in a report.
func (a *Analysis) party(id nodeID) Party {
	p := Party{ID: hex.EncodeToString(id.member[:])}
	if id.relay != (PeerID{}) {
		p.ID = peerText(id.relay)
	} else {
		p.Name = a.names[id.member]
	}
	if n := a.nodes[id]; n != nil && n.name != "" {
		p.Name = n.name
	}
	return p
}

func (a *Analysis) relay(id PeerID) Party    { return a.party(nodeID{relay: id}) }
func (a *Analysis) member(id MemberID) Party { return a.party(nodeID{member: id}) }

// logged reports whether there is a log of who has an id.
func (a *Analysis) logged(id nodeID) bool { return a.nodes[id] != nil }

// listeners returns the members with a log who should hear a stream, or did.
func (a *Analysis) listeners(key streamID) []MemberID {
	var list []MemberID
	for id, n := range a.nodes {
		talker := a.nodes[nodeID{member: key.src}]
		switch {
		case id.relay != (PeerID{}), id.member == key.src:
		case n.seen[key] != nil:
			list = append(list, id.member)
		case n.room != key.room, n.joined == 0, n.out[key.src], talker != nil && talker.out[id.member]:
		default:
			list = append(list, id.member)
		}
	}
	slices.SortFunc(list, func(x, y MemberID) int { return bytes.Compare(x[:], y[:]) })
	return list
}

// heard is what a listener got of a stream, and the window of what it should have got of what was sent.
func (a *Analysis) heard(key streamID, listener MemberID, sent track) (got track, w window) {
	n := a.nodes[nodeID{member: listener}]
	if t := n.seen[key]; t != nil {
		got = *t
	}
	leaving := n.left
	if leaving == 0 {
		leaving = n.last
	}
	if n.joined == 0 {
		sent = nil
	}
	return got, expect(sent, got, n.joined, leaving-a.options.Grace.Microseconds())
}

// reference is what was sent of a stream as far as is known where a relay's listeners are.
func (a *Analysis) reference(key streamID, st *stream, home PeerID) track {
	if a.logged(nodeID{member: key.src}) {
		return st.out
	}
	return st.deliver[home]
}

// hops returns what became of a stream on each hop.
func (a *Analysis) hops(key streamID, st *stream) []Hop {
	type way struct {
		kind          HopKind
		from, to      nodeID
		sent, arrived track
	}
	var ways []way
	talker := nodeID{member: key.src}
	relays := make(map[PeerID]bool)
	for id := range st.in {
		relays[id] = true
	}
	if n := a.nodes[talker]; n != nil && n.home != (PeerID{}) {
		relays[n.home] = true
	}
	for id := range relays {
		ways = append(ways, way{HopUp, talker, nodeID{relay: id}, st.out, st.in[id]})
	}
	for id := range st.links() {
		ways = append(ways, way{HopLink, nodeID{relay: id.from}, nodeID{relay: id.to}, st.egress[id], st.ingress[id]})
	}
	for _, listener := range a.listeners(key) {
		home := a.nodes[nodeID{member: listener}].home
		got, w := a.heard(key, listener, a.reference(key, st, home))
		ways = append(ways, way{HopDown, nodeID{relay: home}, nodeID{member: listener}, w.of(st.deliver[home]), got})
	}
	order := map[HopKind]int{HopUp: 0, HopLink: 1, HopDown: 2}
	slices.SortFunc(ways, func(x, y way) int {
		return cmp.Or(cmp.Compare(order[x.kind], order[y.kind]), compareNodes(x.from, y.from), compareNodes(x.to, y.to))
	})
	var hops []Hop
	for _, w := range ways {
		hop := Hop{
			Kind: w.kind, Room: a.roomName(key.room), Talker: a.member(key.src), Stream: key.number,
			From: a.party(w.from), To: a.party(w.to),
		}
		hops = append(hops, a.byEpoch(hop, match(w.sent, w.arrived), a.logged(w.from), a.logged(w.to))...)
	}
	slices.SortStableFunc(hops, func(x, y Hop) int { return cmp.Compare(x.Epoch, y.Epoch) })
	return hops
}

// links returns the directions of links that the stream was seen on.
func (st *stream) links() map[linkID]bool {
	links := make(map[linkID]bool)
	for id := range st.egress {
		links[id] = true
	}
	for id := range st.ingress {
		links[id] = true
	}
	return links
}

// byEpoch fills in a hop for each epoch of the packets on it.
func (a *Analysis) byEpoch(hop Hop, pairs []pair, sent, arrived bool) []Hop {
	tallies := make(map[uint8]*tally)
	quickest := fastest(pairs)
	for _, p := range pairs {
		if tallies[p.epoch] == nil {
			tallies[p.epoch] = new(tally)
		}
		tallies[p.epoch].add(p, quickest, a.options.Late.Microseconds())
	}
	known := func(n int, known bool) Count {
		if !known {
			return Unknown
		}
		return Count(n)
	}
	var hops []Hop
	for _, epoch := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[epoch]
		hop.Epoch = epoch
		hop.Sent, hop.Repeated = known(t.sent, sent), known(t.repeated, sent)
		hop.Arrived, hop.Duplicated = known(t.arrived, arrived), known(t.duplicated, arrived)
		hop.Lost, hop.Late = known(t.lost, sent && arrived), known(t.late, sent && arrived)
		hops = append(hops, hop)
	}
	return hops
}

// addLinks counts what of a stream crossed links.
func (a *Analysis) addLinks(links map[linkID]*Link, st *stream) {
	for id := range st.links() {
		l := links[id]
		if l == nil {
			l = &Link{From: a.relay(id.from), To: a.relay(id.to)}
			links[id] = l
		}
		for _, p := range match(st.egress[id], st.ingress[id]) {
			l.Packets++
			if p.sent > 1 || p.arrived > 1 {
				l.Twice++
			}
		}
		for _, t := range []track{st.egress[id], st.ingress[id]} {
			for _, s := range t {
				if l.First == 0 || s.at < l.First {
					l.First = s.at
				}
				l.Last = max(l.Last, s.at)
			}
		}
	}
}

func (a *Analysis) dropList() []Drop {
	ids := slices.SortedFunc(maps.Keys(a.drops), func(x, y dropID) int {
		return cmp.Or(compareNodes(x.relay, y.relay), cmp.Compare(x.kind, y.kind), cmp.Compare(x.reason, y.reason),
			bytes.Compare(x.peer[:], y.peer[:]))
	})
	var drops []Drop
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
