package audio

// Ring is a bounded queue of samples that drops the oldest. Not safe for concurrent use.
type Ring struct {
	buf   []float32
	read  int // place of the oldest sample
	count int
}

// NewRing makes one of at most size samples.
func NewRing(size int) Ring { return Ring{buf: make([]float32, size)} }

// Len is how many samples are in it.
func (r *Ring) Len() int { return r.count }

// Push appends samples and returns how many old ones gave way.
func (r *Ring) Push(pcm []float32) (dropped int) {
	if over := len(pcm) - len(r.buf); over > 0 {
		dropped += over
		pcm = pcm[over:]
	}
	if over := r.count + len(pcm) - len(r.buf); over > 0 {
		r.Drop(over)
		dropped += over
	}
	write := (r.read + r.count) % len(r.buf)
	n := copy(r.buf[write:], pcm)
	copy(r.buf, pcm[n:])
	r.count += len(pcm)
	return dropped
}

// Pop moves up to len(dst) of the oldest samples to dst.
func (r *Ring) Pop(dst []float32) int {
	want := min(len(dst), r.count)
	n := copy(dst[:want], r.buf[r.read:])
	copy(dst[n:want], r.buf)
	r.Drop(want)
	return want
}

// Drop forgets the n oldest samples; n is at most Len.
func (r *Ring) Drop(n int) {
	r.read = (r.read + n) % len(r.buf)
	r.count -= n
}
