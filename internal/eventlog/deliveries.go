package eventlog

import (
	"cmp"
	"maps"
	"slices"
)

// maxPath is how many relays the way back from a listener may have.
const maxPath = 16

// placeID is where packets were lost.
type placeID struct {
	from, to nodeID
	why      Kind
}

// deliveries returns what each listener heard of a stream, if its talker has a log.
func (a *Analysis) deliveries(key streamID, st stream) (list []Delivery) {
	if !a.logged(nodeID{member: key.src}) {
		return nil
	}
	sent := st.sent(key.src)
	for _, listener := range a.listeners(key, st) {
		got := st.heard(listener)
		pairs := match(a.expected(listener, sent, got).of(sent), got)
		if len(pairs) == 0 {
			continue // it came later, or left before
		}
		quickest := fastest(pairs)
		places := make(map[placeID]int)
		delivered := 0
		var t tally
		for _, p := range pairs {
			t.add(p, quickest, a.late)
			if p.arrived == 0 {
				places[a.locate(key, st, listener, p.packetID)]++
			} else if p.sent > 0 {
				delivered++
			}
		}
		list = append(list, Delivery{
			Room: a.roomName(key.room), Talker: a.member(key.src), Stream: key.number,
			Listener: a.member(listener), Sent: len(match(sent, nil)), Expected: t.sent, Delivered: delivered,
			Lost: t.lost, Duplicated: t.duplicated, Late: t.late, Where: a.places(places),
		})
	}
	return list
}

// places returns where packets were lost, most first.
func (a *Analysis) places(counts map[placeID]int) []Place {
	list := []Place{}
	for _, id := range slices.SortedFunc(maps.Keys(counts), func(x, y placeID) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]),
			compareNodes(x.from, y.from), compareNodes(x.to, y.to), cmp.Compare(x.why, y.why))
	}) {
		list = append(list, Place{a.party(id.from), a.party(id.to), string(id.why), counts[id]})
	}
	return list
}

// locate says where a packet that a listener did not get was lost: it follows the way that the packets before
// and after it took, and finds where it was seen last.
func (a *Analysis) locate(key streamID, st stream, listener MemberID, id packetID) placeID {
	talker := nodeID{member: key.src}
	home, last := a.nodes[talker].home, a.nodes[nodeID{member: listener}].home
	at := nodeID{relay: home}
	if a.logged(at) && !st.atRelay(MediaIn, home).has(id) {
		return placeID{from: talker, to: at, why: st.why(home, id)}
	}
	path := st.path(home, last, id.seq)
	if path == nil { // nothing of the stream ever came to the listener's relay
		why := st.why(home, id)
		if why == "" && a.sentOn(st, home, id) {
			return placeID{from: at, to: nodeID{relay: last}}
		}
		return placeID{at, at, why}
	}
	for i := range len(path) - 1 {
		link := linkID{path[i], path[i+1]}
		from, to := nodeID{relay: link.from}, nodeID{relay: link.to}
		switch {
		case !a.logged(to) || st.ingress(link).has(id):
		case !a.logged(from) || st.egress(link).has(id):
			return placeID{from: from, to: to}
		default:
			return placeID{from, from, st.why(link.from, id)}
		}
	}
	at = nodeID{relay: last}
	if !a.logged(at) || st.atRelay(LocalDeliver, last).has(id) {
		return placeID{from: at, to: nodeID{member: listener}}
	}
	return placeID{at, at, st.why(last, id)}
}

// sentOn reports whether a relay sent a packet over any link, or may have.
func (a *Analysis) sentOn(st stream, relay PeerID, id packetID) bool {
	if !a.logged(nodeID{relay: relay}) {
		return true
	}
	for link := range st.links() {
		if link.from == relay && st.egress(link).has(id) {
			return true
		}
	}
	return false
}

// path returns the relays that packets around seq came through, from the talker's to the listener's; nil:
// none is known.
func (st stream) path(home, last PeerID, seq uint64) []PeerID {
	path := []PeerID{last}
	for at := last; at != home; {
		before, ok := st.before(at, seq)
		if !ok || slices.Contains(path, before) || len(path) >= maxPath {
			return nil
		}
		at = before
		path = append(path, at)
	}
	slices.Reverse(path)
	return path
}

// before returns where a relay got the packets around seq from.
func (st stream) before(relay PeerID, seq uint64) (from PeerID, ok bool) {
	var least uint64
	for _, link := range slices.SortedFunc(maps.Keys(st.links()), compareLinks) {
		if link.to != relay {
			continue
		}
		if distance, some := st.ingress(link).nearest(seq); some && (!ok || distance < least) {
			from, least, ok = link.from, distance, true
		}
	}
	return from, ok
}

// why returns the event with which a relay first dropped a packet; empty: there is none.
func (st stream) why(relay PeerID, id packetID) (why Kind) {
	var first int64
	for _, kind := range dropKinds {
		t := st.atRelay(kind, relay)
		if i, found := t.search(id); found && (why == "" || t[i].at < first) {
			why, first = kind, t[i].at
		}
	}
	return why
}
