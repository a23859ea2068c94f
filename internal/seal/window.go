package seal

// WindowSize is how many counters below the highest one are still told apart.
const WindowSize = 4096

// Window remembers which counters were received: RFC 4303, section 3.4.3, as a ring of bits.
// The zero value has received none. It is not safe for concurrent use.
type Window struct {
	next uint64 // highest counter received, plus 1
	bits [WindowSize / 64]uint64
}

// Next returns one above the highest counter received.
func (w *Window) Next() uint64 { return w.next }

// Fresh reports whether counter may be accepted: not received yet and not below the window.
func (w *Window) Fresh(counter uint64) bool {
	if counter >= w.next {
		return true
	}
	return w.next-counter <= WindowSize && !w.has(counter)
}

// Received reports whether counter, which is in the window, was received.
func (w *Window) Received(counter uint64) bool {
	return counter < w.next && w.next-counter <= WindowSize && w.has(counter)
}

// Mark records counter as received. Call it only for authentic packets, after Fresh.
func (w *Window) Mark(counter uint64) {
	if counter >= w.next {
		w.advance(counter + 1)
	}
	w.bits[counter/64%uint64(len(w.bits))] |= 1 << (counter % 64)
}

// advance moves the window up to next and forgets what the positions it enters said of long ago.
func (w *Window) advance(next uint64) {
	if next-w.next >= WindowSize {
		w.bits = [len(w.bits)]uint64{}
	} else {
		for c := w.next; c < next; {
			word := &w.bits[c/64%uint64(len(w.bits))]
			if c%64 == 0 && next-c >= 64 {
				*word = 0
				c += 64
				continue
			}
			*word &^= 1 << (c % 64)
			c++
		}
	}
	w.next = next
}

func (w *Window) has(counter uint64) bool {
	return w.bits[counter/64%uint64(len(w.bits))]&(1<<(counter%64)) != 0
}
