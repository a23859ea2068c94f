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
	size    int   // bytes of data in use
	data    []byte
}

func (s *slot) payload() []byte { return s.data[:s.size] }

// list keeps slots in the order of their seq. All memory is taken at the start.
// Free slots are a stack, so that a stream that needs few of them touches few
// pages of the slab.
type list struct {
	slots []slot
	free  []int16 // indexes of unused slots
	order []int16 // indexes of used slots, by rising seq
	held  int64   // samples in all used slots
}

func newList(n int) list {
	l := list{slots: make([]slot, n), free: make([]int16, 0, n), order: make([]int16, 0, n)}
	slab := make([]byte, n*MaxPayload)
	for i := range l.slots {
		l.slots[i].data = slab[i*MaxPayload : (i+1)*MaxPayload]
	}
	for i := n - 1; i >= 0; i-- {
		l.free = append(l.free, int16(i))
	}
	return l
}

func (l *list) full() bool { return len(l.free) == 0 }

func (l *list) front() *slot {
	if len(l.order) == 0 {
		return nil
	}
	return &l.slots[l.order[0]]
}

// insert copies s and payload into a free slot; the list must not be full. The
// search starts at the newest, where packets nearly always belong.
func (l *list) insert(s slot, payload []byte) {
	index := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	to := &l.slots[index]
	s.data, s.size = to.data, copy(to.data, payload)
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
