package jitter

const (
	// samples: the most that is ever unread (about 8000), the history, and room to shift seldom
	fifoSize = 1 << 14
	history  = 1024 // samples kept before the read position: a pitch period, and the resampler's past
)

// fifo holds decoded samples until they are read. buf[read:write] is unread,
// the history samples before read have been played.
type fifo struct {
	buf         []float32
	read, write int
}

func newFIFO() fifo { return fifo{buf: make([]float32, fifoSize), read: history, write: history} }

func (f *fifo) unread() int { return f.write - f.read }

// grow appends n samples and returns them, to be filled.
func (f *fifo) grow(n int) []float32 {
	if f.write+n > len(f.buf) {
		from := f.read - history
		copy(f.buf, f.buf[from:f.write])
		f.read -= from
		f.write -= from
	}
	out := f.buf[f.write : f.write+n : f.write+n]
	f.write += n
	return out
}

// zeros appends n samples of silence.
func (f *fifo) zeros(n int) { clear(f.grow(n)) }

// remove takes one period out: the first period fades into the second, and play
// goes on after the second. 2 x period samples must be unread.
//
//	before  |...A...|...B...|...C...      A and B are alike
//	after   |.A->B..|...C...
func (f *fifo) remove(period int) {
	a, b := f.buf[f.read:f.read+period], f.buf[f.read+period:f.read+2*period]
	for i := range a {
		w := float32(i) / float32(period)
		a[i] += (b[i] - a[i]) * w
	}
	copy(f.buf[f.read+period:], f.buf[f.read+2*period:f.write])
	f.write -= period
}

// repeat puts one more period in: what comes next fades into what was just
// played, then play goes on. One period must be unread, and one is in the history.
//
//	before  ...P...|...A...|...B...       P (played) and A are alike
//	after   ...P...|.A->P..|...A...|...B...
func (f *fifo) repeat(period int) {
	f.grow(period)
	copy(f.buf[f.read+period:f.write], f.buf[f.read:f.write-period])
	past := f.buf[f.read-period : f.read]
	next := f.buf[f.read : f.read+period] // still A
	for i := range next {
		w := float32(i) / float32(period)
		next[i] += (past[i] - next[i]) * w
	}
}
