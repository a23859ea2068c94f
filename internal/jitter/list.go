package jitter

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
// and for payloads as long, as there ever were at once. Free slots are a stack.
type list struct {
	slots []slot
	free  []int16 // indexes of unused slots
	order []int16 // indexes of used slots, by rising seq
	most  int
	held  int64 // samples in all used slots
}

func (l *list) full() bool { return len(l.order) == l.most }

func (l *list) front() *slot {
	if len(l.order) == 0 {
		return nil
	}
	return &l.slots[l.order[0]]
}

// insert copies s and payload into a free slot; the list must not be full. The
// search starts at the newest, where packets nearly always belong.
func (l *list) insert(s slot, payload []byte) {
	if len(l.free) == 0 {
		l.free = append(l.free, int16(len(l.slots)))
		l.slots = append(l.slots, slot{})
	}
	index := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	to := &l.slots[index]
	to.data = append(to.data[:0], payload...)
	s.data = to.data
	*to = s
	at := len(l.order)
	for at > 0 && l.slots[l.order[at-1]].seq > s.seq {
		at--
	}
	l.order = append(l.order, 0)
	copy(l.order[at+1:], l.order[at:])
	l.order[at] = index
	l.held += s.length
}

// pop frees the front slot. Its content stays readable until the next insert.
func (l *list) pop() {
	index := l.order[0]
	l.held -= l.slots[index].length
	copy(l.order, l.order[1:])
	l.order = l.order[:len(l.order)-1]
	l.free = append(l.free, index)
}
