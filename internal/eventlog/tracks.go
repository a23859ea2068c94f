package eventlog

import (
	"cmp"
	"slices"
)

// stream is where the packets of a stream were seen.
type stream map[spot]track

// spot is a place where packets of a stream are seen: the end of a hop, or where a relay drops them.
type spot struct {
	kind Kind
	node nodeID // whose log says so
	peer PeerID // the relay at the other end of the link, where one is crossed
}

// linkID is a direction of a link between two relays.
type linkID struct{ from, to PeerID }

func (st stream) atRelay(kind Kind, relay PeerID) track {
	return st[spot{kind: kind, node: nodeID{relay: relay}}]
}
func (st stream) sent(talker MemberID) track {
	return st[spot{kind: MediaOut, node: nodeID{member: talker}}]
}
func (st stream) heard(by MemberID) track { return st[spot{kind: MediaIn, node: nodeID{member: by}}] }
func (st stream) egress(l linkID) track {
	return st[spot{FederationEgress, nodeID{relay: l.from}, l.to}]
}
func (st stream) ingress(l linkID) track {
	return st[spot{FederationIngress, nodeID{relay: l.to}, l.from}]
}

// links returns the directions of links that the stream was seen on.
func (st stream) links() map[linkID]bool {
	links := make(map[linkID]bool)
	for at := range st {
		switch at.kind {
		case FederationEgress:
			links[linkID{at.node.relay, at.peer}] = true
		case FederationIngress:
			links[linkID{at.peer, at.node.relay}] = true
		}
	}
	return links
}

// track is what was seen of a stream in one place; sorted by packet and time before it is used.
type track []sighting

type sighting struct {
	packetID
	at int64 // microseconds
}

// packetID tells the packets of a stream apart.
type packetID struct {
	seq   uint64
	epoch uint8
}

func comparePackets(a, b packetID) int {
	return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.epoch, b.epoch))
}

func (t track) sort() {
	slices.SortFunc(t, func(a, b sighting) int {
		return cmp.Or(comparePackets(a.packetID, b.packetID), cmp.Compare(a.at, b.at))
	})
}

// search returns where the first sighting of a packet is, or would be.
func (t track) search(id packetID) (at int, found bool) {
	return slices.BinarySearchFunc(t, id, func(s sighting, id packetID) int {
		return comparePackets(s.packetID, id)
	})
}

func (t track) has(id packetID) bool {
	_, found := t.search(id)
	return found
}

// nearest returns how far from a packet's seq the nearest in the track is; ok: it is not empty.
func (t track) nearest(seq uint64) (distance uint64, ok bool) {
	i, _ := t.search(packetID{seq: seq})
	distance = ^uint64(0)
	if i < len(t) {
		distance = t[i].seq - seq
	}
	if i > 0 {
		distance = min(distance, seq-t[i-1].seq)
	}
	return distance, len(t) > 0
}

// newest returns when a packet was seen last.
func (t track) newest() (at int64) {
	for _, s := range t {
		at = max(at, s.at)
	}
	return at
}

// pair is a packet at both ends of a way.
type pair struct {
	packetID
	sent, arrived int   // times that it was seen
	sentAt, at    int64 // first
}

// match joins what was sent with what arrived, both sorted, packet by packet.
func match(sent, arrived track) []pair {
	pairs := make([]pair, 0, max(len(sent), len(arrived)))
	for len(sent) > 0 || len(arrived) > 0 {
		var p pair
		if len(arrived) == 0 || len(sent) > 0 && comparePackets(sent[0].packetID, arrived[0].packetID) <= 0 {
			p.packetID = sent[0].packetID
		} else {
			p.packetID = arrived[0].packetID
		}
		p.sent, p.sentAt, sent = sent.cut(p.packetID)
		p.arrived, p.at, arrived = arrived.cut(p.packetID)
		pairs = append(pairs, p)
	}
	return pairs
}

// cut counts the sightings of a packet at the beginning of the track, and returns the time of the first and
// the rest.
func (t track) cut(id packetID) (n int, first int64, rest track) {
	for n < len(t) && t[n].packetID == id {
		n++
	}
	if n > 0 {
		first = t[0].at
	}
	return n, first, t[n:]
}

// tally counts what became of packets on a way.
type tally struct{ sent, arrived, lost, duplicated, repeated, late int }

func (t *tally) add(p pair, fastest, late int64) {
	if p.sent > 0 {
		t.sent++
		t.repeated += p.sent - 1
	}
	if p.arrived > 0 {
		t.arrived++
		t.duplicated += p.arrived - 1
	}
	switch {
	case p.arrived == 0:
		t.lost++
	case p.sent > 0 && p.at-p.sentAt > fastest+late:
		t.late++
	}
}

// fastest returns the least time that a packet took, which may be below 0 if clocks differ.
func fastest(pairs []pair) int64 {
	least, known := int64(0), false
	for _, p := range pairs {
		if p.sent > 0 && p.arrived > 0 && (!known || p.at-p.sentAt < least) {
			least, known = p.at-p.sentAt, true
		}
	}
	return least
}

// window is which packets of a stream a listener should get, by seq; empty: first > last.
type window struct{ first, last uint64 }

func (w window) of(t track) (within track) {
	for _, s := range t {
		if w.first <= s.seq && s.seq <= w.last {
			within = append(within, s)
		}
	}
	return within
}

// expect returns what a listener should get of what was sent: what was sent while it was in the room, but not
// with a key from before it came, which it does not get. What it got widens that.
func expect(sent, got track, joined, leaving int64) window {
	w := window{first: 1, last: 0}
	old := -1 // the epoch in use when it came
	for _, s := range sent {
		switch {
		case s.at > leaving:
		case s.at < joined:
			old = int(s.epoch)
		case w.first > w.last && int(s.epoch) == old: // not for it
		default:
			if w.first > w.last {
				w.first = s.seq
			}
			w.last = s.seq
		}
	}
	if len(got) > 0 {
		first, last := got[0].seq, got[len(got)-1].seq
		if w.first > w.last {
			return window{first, last}
		}
		w.first, w.last = min(w.first, first), max(w.last, last)
	}
	return w
}
