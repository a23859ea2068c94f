package udp

// Batch collects packets to send, each to its own path, and sends up to 64 with one system call. It is not
// safe for concurrent use. Its buffers are used again after each flush, so nothing is allocated.
type Batch struct {
	// Owner, unless nil, is who fills the batch. Serve calls its Finish when it has handled all packets that
	// came together, before the flush.
	Owner interface{ Finish() }

	out  sender
	lost *counters // counts what is not put into it
	buf  []byte    // slots buffers of MaxPacket bytes
	n    int       // committed packets, in slots 0 to n-1
	next []byte    // what Buffer returned; nil after Commit

	held int       // calls of Hold without their Release
	more []spilled // what was committed beyond the slots while the batch was held, at most maxSpilled
}

// maxSpilled bounds what a batch takes beyond its slots: no lock is held for as long as so much takes.
const maxSpilled = 16 * slots

// spilled is a packet that found no slot.
type spilled struct {
	packet []byte
	to     Path
}

// sender sends the packets of one Batch on one socket.
type sender interface {
	// put makes the first n bytes of slot i, at most MaxPacket, go to a path; false: they cannot.
	put(i, n int, to Path) bool
	// send sends slots 0 to n-1 and counts them. It does not block (see Flush).
	send(n int)
}

func newBatch(s socket) *Batch {
	buf := make([]byte, slots*MaxPacket)
	return &Batch{out: s.newSender(buf), lost: s.counters(), buf: buf}
}

// Buffer returns the free buffer of the next packet, of length 0 and capacity MaxPacket, valid until the next
// Flush. Called again without a Commit it returns the same one. It flushes first if 64 packets are waiting
// and the batch is not held.
func (b *Batch) Buffer() []byte {
	switch start := b.n * MaxPacket; {
	case b.n == slots && b.held == 0:
		b.Flush()
		b.next = b.buf[:0:MaxPacket]
	case b.n < slots:
		b.next = b.buf[start : start : start+MaxPacket]
	case b.next == nil:
		b.next = make([]byte, 0, MaxPacket)
	}
	return b.next
}

// Hold keeps the batch from sending until Release, however many packets come: for who has a lock, for sending
// may take 2 ms. What there is no slot for is kept in memory of its own.
func (b *Batch) Hold() { b.held++ }

// Release ends what Hold began. Holds may be nested.
func (b *Batch) Release() { b.held-- }

// Commit makes the first n bytes of the last Buffer, 1 to MaxPacket, a packet that goes to a path with the
// next flush. Other lengths drop it. Without a new Buffer before it, Commit does nothing.
func (b *Batch) Commit(n int, to Path) {
	p := b.next
	b.next = nil
	switch {
	case p == nil || n <= 0:
	case n > MaxPacket:
		b.lost.sendErrors.Add(1)
	case b.n < slots:
		b.n = b.put(b.n, n, to)
	case len(b.more) == maxSpilled:
		b.lost.sendDropped.Add(1)
	default:
		b.more = append(b.more, spilled{p[:n], to})
	}
}

// put fills slot i, and returns the next one to fill.
func (b *Batch) put(i, n int, to Path) (next int) {
	if !b.out.put(i, n, to) {
		b.lost.sendErrors.Add(1)
		return i
	}
	return i + 1
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
	b.n, b.next = 0, nil
	b.out.send(n)
	for len(b.more) > 0 {
		b.flushSpilled()
	}
}

// flushSpilled sends as much as there are slots for of what found none before.
func (b *Batch) flushSpilled() {
	n := 0
	for n < slots && len(b.more) > 0 {
		p := b.more[0]
		b.more[0] = spilled{}
		b.more = b.more[1:]
		n = b.put(n, copy(b.buf[n*MaxPacket:(n+1)*MaxPacket], p.packet), p.to)
	}
	if len(b.more) == 0 {
		b.more = nil
	}
	b.out.send(n)
}
