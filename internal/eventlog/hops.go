package eventlog

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
)

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
	p := Party{ID: hex.EncodeToString(id.member[:]), Name: a.names[id.member]}
	if id.relay != (PeerID{}) {
		p = Party{ID: string(appendPeer(nil, id.relay))}
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
func (a *Analysis) listeners(key streamID, st stream) (list []MemberID) {
	talker := a.nodes[nodeID{member: key.src}]
	for id, n := range a.nodes {
		if id.relay != (PeerID{}) || id.member == key.src {
			continue
		}
		outside := n.out[key.src] || talker != nil && talker.out[id.member]
		if n.room == key.room && n.joined != 0 && !outside || len(st.heard(id.member)) > 0 {
			list = append(list, id.member)
		}
	}
	slices.SortFunc(list, func(x, y MemberID) int { return bytes.Compare(x[:], y[:]) })
	return list
}

// expected returns which packets of a stream a listener should have got, of what was sent.
func (a *Analysis) expected(listener MemberID, sent, got track) window {
	n := a.nodes[nodeID{member: listener}]
	if n.joined == 0 {
		sent = nil
	}
	return expect(sent, got, n.joined, cmp.Or(n.left, n.last)-a.grace)
}

// way is a hop of one stream, and what was seen of the stream at both of its ends.
type way struct {
	kind          HopKind
	from, to      nodeID
	sent, arrived track
}

// hops returns what became of a stream on each hop.
func (a *Analysis) hops(key streamID, st stream) (hops []Hop) {
	ways := a.ways(key, st)
	slices.SortFunc(ways, func(x, y way) int { // "up", "link", "down" are in descending order
		return cmp.Or(cmp.Compare(y.kind, x.kind), compareNodes(x.from, y.from), compareNodes(x.to, y.to))
	})
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

// ways returns the hops that a stream was seen on.
func (a *Analysis) ways(key streamID, st stream) (ways []way) {
	talker := nodeID{member: key.src}
	relays := make(map[nodeID]bool)
	for at := range st {
		if at.kind == MediaIn && at.node.relay != (PeerID{}) {
			relays[at.node] = true
		}
	}
	sent := st.sent(key.src)
	if n := a.nodes[talker]; n != nil && n.home != (PeerID{}) {
		relays[nodeID{relay: n.home}] = true
	}
	for id := range relays {
		ways = append(ways, way{HopUp, talker, id, sent, st.atRelay(MediaIn, id.relay)})
	}
	for id := range st.links() {
		from, to := nodeID{relay: id.from}, nodeID{relay: id.to}
		ways = append(ways, way{HopLink, from, to, st.egress(id), st.ingress(id)})
	}
	for _, listener := range a.listeners(key, st) {
		home, got := a.nodes[nodeID{member: listener}].home, st.heard(listener)
		delivered := st.atRelay(LocalDeliver, home)
		if !a.logged(talker) { // then this is as much as is known of what was sent
			sent = delivered
		}
		within := a.expected(listener, sent, got).of(delivered)
		ways = append(ways, way{HopDown, nodeID{relay: home}, nodeID{member: listener}, within, got})
	}
	return ways
}

// byEpoch fills in a hop for each epoch of the packets on it.
func (a *Analysis) byEpoch(hop Hop, pairs []pair, sent, arrived bool) (hops []Hop) {
	tallies := make(map[uint8]*tally)
	quickest := fastest(pairs)
	for _, p := range pairs {
		if tallies[p.epoch] == nil {
			tallies[p.epoch] = new(tally)
		}
		tallies[p.epoch].add(p, quickest, a.late)
	}
	count := func(n int, known bool) Count {
		if !known {
			return Unknown
		}
		return Count(n)
	}
	for _, epoch := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[epoch]
		hop.Epoch = epoch
		hop.Sent, hop.Repeated = count(t.sent, sent), count(t.repeated, sent)
		hop.Arrived, hop.Duplicated = count(t.arrived, arrived), count(t.duplicated, arrived)
		hop.Lost, hop.Late = count(t.lost, sent && arrived), count(t.late, sent && arrived)
		hops = append(hops, hop)
	}
	return hops
}

// addLinks counts what of a stream crossed links.
func (a *Analysis) addLinks(links map[linkID]*Link, st stream) {
	for id := range st.links() {
		l := links[id]
		if l == nil {
			l = &Link{From: a.relay(id.from), To: a.relay(id.to)}
			links[id] = l
		}
		for _, p := range match(st.egress(id), st.ingress(id)) {
			l.Packets++
			if p.sent > 1 || p.arrived > 1 {
				l.Twice++
			}
		}
		for _, s := range slices.Concat(st.egress(id), st.ingress(id)) {
			if at := Micros(s.at); l.First == 0 || at < l.First {
				l.First = at
			}
			l.Last = max(l.Last, Micros(s.at))
		}
	}
}
