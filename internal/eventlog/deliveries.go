package eventlog

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
)

// maxPath is how many relays are looked at on the way back from a listener.
const maxPath = 16

// placeID is where packets were lost.
type placeID struct {
	from, to nodeID
	why      Kind
}

// deliveries returns what each listener heard of a stream, if its talker has a log.
func (a *Analysis) deliveries(key streamID, st *stream) []Delivery {
	if !a.logged(nodeID{member: key.src}) {
		return nil
	}
	var list []Delivery
	sent := len(match(st.out, nil))
	for _, listener := range a.listeners(key) {
		got, w := a.heard(key, listener, st.out)
		d := Delivery{
			Room: a.roomName(key.room), Talker: a.member(key.src), Stream: key.number, Listener: a.member(listener), Sent: sent,
			Where: []Place{},
		}
		pairs := match(w.of(st.out), got)
		quickest := fastest(pairs)
		places := make(map[placeID]int)
		var t tally
		for _, p := range pairs {
			t.add(p, quickest, a.options.Late.Microseconds())
			if p.sent > 0 && p.arrived > 0 {
				d.Delivered++
			}
			if p.arrived == 0 {
				places[a.locate(key, st, listener, p.seq, p.epoch)]++
			}
		}
		if len(pairs) == 0 {
			continue // it came later, or left before
		}
		d.Expected, d.Lost, d.Duplicated, d.Late = t.sent, t.lost, t.duplicated, t.late
		d.Where = a.places(places)
		list = append(list, d)
	}
	return list
}

// places returns where packets were lost, most first.
func (a *Analysis) places(counts map[placeID]int) []Place {
	ids := slices.SortedFunc(maps.Keys(counts), func(x, y placeID) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), compareNodes(x.from, y.from), compareNodes(x.to, y.to), cmp.Compare(x.why, y.why))
	})
	list := []Place{}
	for _, id := range ids {
		list = append(list, Place{From: a.party(id.from), To: a.party(id.to), Reason: string(id.why), Count: counts[id]})
	}
	return list
}

// locate says where a packet that a listener did not get was lost: it follows the way that the packets before and after it
// took, and finds where it was seen last.
func (a *Analysis) locate(key streamID, st *stream, listener MemberID, seq uint64, epoch uint8) placeID {
	talker, home := nodeID{member: key.src}, a.nodes[nodeID{member: key.src}].home
	last := a.nodes[nodeID{member: listener}].home
	path := st.path(home, last, seq)
	at := nodeID{relay: home}
	if _, came := st.in[home].find(seq, epoch); !came && a.logged(at) {
		return placeID{from: talker, to: at, why: st.why(home, seq, epoch)}
	}
	if path == nil { // nothing of the stream ever came to the listener's relay
		if st.why(home, seq, epoch) == "" && a.sentOn(st, home, seq, epoch) {
			return placeID{from: at, to: nodeID{relay: last}}
		}
		return placeID{from: at, to: at, why: st.why(home, seq, epoch)}
	}
	for i := range len(path) - 1 {
		link := linkID{path[i], path[i+1]}
		from, to := nodeID{relay: link.from}, nodeID{relay: link.to}
		if _, came := st.ingress[link].find(seq, epoch); came || !a.logged(to) {
			continue
		}
		if _, sent := st.egress[link].find(seq, epoch); sent || !a.logged(from) {
			return placeID{from: from, to: to}
		}
		return placeID{from: from, to: from, why: st.why(link.from, seq, epoch)}
	}
	at = nodeID{relay: last}
	if _, sent := st.deliver[last].find(seq, epoch); sent || !a.logged(at) {
		return placeID{from: at, to: nodeID{member: listener}}
	}
	return placeID{from: at, to: at, why: st.why(last, seq, epoch)}
}

// sentOn reports whether a relay sent a packet over any link, or may have.
func (a *Analysis) sentOn(st *stream, relay PeerID, seq uint64, epoch uint8) bool {
	if !a.logged(nodeID{relay: relay}) {
		return true
	}
	for id, t := range st.egress {
		if _, sent := t.find(seq, epoch); sent && id.from == relay {
			return true
		}
	}
	return false
}

// path returns the relays that packets around seq came through from the talker's to the listener's; nil: none is known.
func (st *stream) path(home, last PeerID, seq uint64) []PeerID {
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
func (st *stream) before(relay PeerID, seq uint64) (from PeerID, ok bool) {
	var least uint64
	for _, id := range slices.SortedFunc(maps.Keys(st.ingress), func(x, y linkID) int { return bytes.Compare(x.from[:], y.from[:]) }) {
		if id.to != relay {
			continue
		}
		if distance, some := st.ingress[id].nearest(seq); some && (!ok || distance < least) {
			from, least, ok = id.from, distance, true
		}
	}
	return from, ok
}

// why returns the event with which a relay dropped a packet; empty: there is none.
func (st *stream) why(relay PeerID, seq uint64, epoch uint8) Kind {
	if s, ok := st.dropped[relay].find(seq, epoch); ok {
		return dropKinds[s.why]
	}
	return ""
}

// verdict sums up.
func (a *Analysis) verdict(r *Report) Verdict {
	var v Verdict
	for _, d := range r.Deliveries {
		v.Expected += d.Expected
		v.Delivered += d.Delivered
		v.Lost += d.Lost
		v.Duplicated += d.Duplicated
		v.Late += d.Late
	}
	talkers, listeners := make(map[MemberID]bool), make(map[MemberID]bool)
	var said, seen int64
	for key, st := range a.streams {
		v.Sent += len(match(st.out, nil))
		if len(st.out) > 0 {
			talkers[key.src] = true
			for _, listener := range a.listeners(key) {
				listeners[listener] = true
			}
		}
		said, seen = max(said, newest(st.out)), max(seen, st.newest())
	}
	for _, n := range a.nodes {
		for _, t := range n.seen {
			seen = max(seen, newest(*t))
		}
	}
	if said != 0 {
		v.TailMS = float64(max(0, seen-said)) / 1000
	}
	for _, l := range r.Links {
		v.Twice += l.Twice
	}
	holes := 0
	for _, l := range r.Logs {
		v.Malformed += l.Malformed
		v.Missing += l.Dropped
		holes += l.Unattributed
	}
	v.Talkers, v.Listeners = len(talkers), len(listeners)
	v.ExactlyOnce = v.Delivered > 0 && v.Lost == 0 && v.Duplicated == 0 && v.Twice == 0 && v.Malformed == 0 && v.Missing == 0 && holes == 0
	return v
}

func newest(t track) (at int64) {
	for _, s := range t {
		at = max(at, s.at)
	}
	return at
}

// newest returns when a packet of the stream was seen last by a relay, or sent.
func (st *stream) newest() int64 {
	at := newest(st.out)
	for _, tracks := range []map[PeerID]track{st.in, st.deliver, st.dropped} {
		for _, t := range tracks {
			at = max(at, newest(t))
		}
	}
	for _, tracks := range []map[linkID]track{st.egress, st.ingress} {
		for _, t := range tracks {
			at = max(at, newest(t))
		}
	}
	return at
}
