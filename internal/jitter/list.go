package jitter

import "slices"

// slot holds one packet that waits to be played.
type slot struct {
	seq     int64 // position in the stream: the counter, unwrapped over restarts
	media   int64 // extended media time of the first sample
	length  int64 // samples; 0 in a marker
	arrival int64 // time of Put
	silence bool  // a silence marker
	fresh   bool  // the first packet of another time line: the talker restarted
	skip    bool  // packets before this one were dropped: join without filling the gap
	opening bool  // the first packet after a silence
	data    []byte
}

// list keeps slots in the order of their seq: at most a number of them, of which memory is taken for as many,
// and for payloads as long, as there ever were at once.
type list struct {
	order []*slot // by rising seq
	free  []*slot
	most  int
	held  int64 // samples in order
}

func (l *list) full() bool { return len(l.order) == l.most }

func (l *list) front() *slot {
	if len(l.order) == 0 {
		return nil
	}
	return l.order[0]
}

// insert copies s and payload into a free slot; the list must not be full. The search starts at the newest,
// where packets nearly always belong.
func (l *list) insert(s slot, payload []byte) {
	if len(l.free) == 0 {
		l.free = append(l.free, new(slot))
	}
	last := len(l.free) - 1
	to := l.free[last]
	l.free = l.free[:last]
	to.data = append(to.data[:0], payload...)
	s.data = to.data
	*to = s
	at := len(l.order)
	for at > 0 && l.order[at-1].seq > s.seq {
		at--
	}
	l.order = slices.Insert(l.order, at, to)
	l.held += s.length
}

// pop frees the front slot. Its content stays readable until the next insert.
func (l *list) pop() {
	l.held -= l.order[0].length
	l.free = append(l.free, l.order[0])
	l.order = slices.Delete(l.order, 0, 1)
}
