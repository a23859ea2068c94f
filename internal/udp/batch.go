package udp

// Batch collects packets to send, each to its own path, and sends up to 64 with one system call. It is not
// safe for concurrent use. Its buffers are used again after each flush, so nothing is allocated.
type Batch struct {
	// Owner, unless nil, is who fills the batch. Serve calls its Finish when it has handled all packets that came
	// together, before the flush.
	Owner interface{ Finish() }

	out  sender
	buf  []byte // slots buffers of MaxPacket bytes
	n    int    // committed packets, in slots 0 to n-1
	open bool   // Buffer was called and not yet Commit
}

// sender sends the packets of one Batch on one socket.
type sender interface {
	// put makes the first n bytes of slot i go to a path. It reports false, and has counted why, if they
	// cannot.
	put(i, n int, to Path) bool
	// send sends slots 0 to n-1 and counts them. It does not block (see Flush).
	send(n int)
}

func newBatch(s socket) *Batch {
	buf := make([]byte, slots*MaxPacket)
	return &Batch{out: s.newSender(buf), buf: buf}
}

// Buffer returns the free buffer of the next packet, of length 0 and capacity MaxPacket, valid until the next
// Flush. Called again without a Commit it returns the same one. It flushes first if 64 packets are waiting.
func (b *Batch) Buffer() []byte {
	if b.n == slots {
		b.Flush()
	}
	b.open = true
	start := b.n * MaxPacket
	return b.buf[start : start : start+MaxPacket]
}

// Commit makes the first n bytes of the last Buffer, 1 to MaxPacket, a packet that goes to a path with the
// next flush. Other lengths drop it. Without a new Buffer before it, Commit does nothing.
func (b *Batch) Commit(n int, to Path) {
	if !b.open {
		return
	}
	b.open = false
	if n > 0 && b.out.put(b.n, n, to) {
		b.n++
	}
}

// Finish lets the owner add its last packets and flushes.
func (b *Batch) Finish() {
	if b.Owner != nil {
		b.Owner.Finish()
	}
	b.Flush()
}

// Flush sends the committed packets. It never blocks for long: what the kernel has no buffer for within 2 ms
// is dropped and counted. A packet that is refused for its destination is counted and does not keep back the
// others.
func (b *Batch) Flush() {
	if b.n == 0 {
		return
	}
	n := b.n
	b.n, b.open = 0, false
	b.out.send(n)
}
