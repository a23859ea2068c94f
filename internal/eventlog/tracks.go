package eventlog

import (
	"cmp"
	"slices"
)

func compareSightings(a, b sighting) int {
	return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.at, b.at))
}

func (t track) sort() { slices.SortFunc(t, compareSightings) }

// find returns the first sighting of a packet; ok: there is one.
func (t track) find(seq uint64, epoch uint8) (s sighting, ok bool) {
	i := t.search(seq, epoch)
	if i == len(t) || t[i].seq != seq || t[i].epoch != epoch {
		return sighting{}, false
	}
	return t[i], true
}

// search returns where the packet is, or would be.
func (t track) search(seq uint64, epoch uint8) int {
	i, _ := slices.BinarySearchFunc(t, sighting{seq: seq, epoch: epoch}, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.epoch, b.epoch))
	})
	return i
}

// nearest returns how far from a packet's seq the nearest in the track is; ok: it is not empty.
func (t track) nearest(seq uint64) (distance uint64, ok bool) {
	i := t.search(seq, 0)
	distance = ^uint64(0)
	if i < len(t) {
		distance = t[i].seq - seq
	}
	if i > 0 {
		distance = min(distance, seq-t[i-1].seq)
	}
	return distance, len(t) > 0
}

// pair is a packet at both ends of a way.
type pair struct {
	seq           uint64
	epoch         uint8
	sent, arrived int   // times that it was seen
	sentAt, at    int64 // first
}

// match joins what was sent with what arrived, both sorted, packet by packet.
func match(sent, arrived track) []pair {
	pairs := make([]pair, 0, max(len(sent), len(arrived)))
	for len(sent) > 0 || len(arrived) > 0 {
		var s sighting
		if len(arrived) == 0 || len(sent) > 0 && compareIDs(sent[0], arrived[0]) <= 0 {
			s = sent[0]
		} else {
			s = arrived[0]
		}
		p := pair{seq: s.seq, epoch: s.epoch}
		p.sent, p.sentAt, sent = take(sent, s)
		p.arrived, p.at, arrived = take(arrived, s)
		pairs = append(pairs, p)
	}
	return pairs
}

func compareIDs(a, b sighting) int {
	return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.epoch, b.epoch))
}

// take counts the sightings of the packet s at the beginning of a track, and returns the rest.
func take(t track, s sighting) (n int, first int64, rest track) {
	for n < len(t) && compareIDs(t[n], s) == 0 {
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

func (w window) has(seq uint64) bool { return w.first <= seq && seq <= w.last }

func (w window) of(t track) track {
	var in track
	for _, s := range t {
		if w.has(s.seq) {
			in = append(in, s)
		}
	}
	return in
}

// expect returns what a listener should get of what was sent: what was sent while it was in the room, but not with a key
// from before it came, which it does not get. What it got widens that.
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
