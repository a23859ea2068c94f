package audio

import "time"

// DefaultPreRoll is how much sound before the key press push-to-talk sends: people press the key as they
// start to speak, and sometimes after.
const DefaultPreRoll = 200 * time.Millisecond

// PreRoll keeps the last sound captured, so that push-to-talk can send what was said just before the key went
// down. It is a ring of fixed size:
//
//	Write ──> [ oldest ... newest ] ──> Drain, once, when the key goes down
//
// One goroutine at a time.
type PreRoll struct {
	ring
}

// NewPreRoll makes one that keeps d of sound.
func NewPreRoll(d time.Duration) *PreRoll {
	return &PreRoll{newRing(max(1, samplesIn(d)))}
}

// Write adds samples; the oldest give way.
func (p *PreRoll) Write(pcm []float32) { p.push(pcm) }

// Len is how many samples are kept at present.
func (p *PreRoll) Len() int { return p.len() }

// Drain moves the oldest samples into dst, as many as fit, and returns how many. Called until it returns 0,
// it gives everything kept, in order, and leaves the PreRoll empty, so that nothing is said twice.
func (p *PreRoll) Drain(dst []float32) int { return p.pop(dst) }

// Reset forgets everything, as when the microphone was muted.
func (p *PreRoll) Reset() { p.drop(p.len()) }

// ring is a bounded queue of samples that drops the oldest. Not safe for concurrent use.
type ring struct {
	buf   []float32
	read  int // place of the oldest sample
	count int
}

func newRing(size int) ring { return ring{buf: make([]float32, size)} }

func (r *ring) len() int { return r.count }

// push appends samples and returns how many old ones gave way.
func (r *ring) push(pcm []float32) (dropped int) {
	if over := len(pcm) - len(r.buf); over > 0 {
		dropped += over
		pcm = pcm[over:]
	}
	if over := r.count + len(pcm) - len(r.buf); over > 0 {
		r.drop(over)
		dropped += over
	}
	write := (r.read + r.count) % len(r.buf)
	n := copy(r.buf[write:], pcm)
	copy(r.buf, pcm[n:])
	r.count += len(pcm)
	return dropped
}

// pop moves up to len(dst) of the oldest samples to dst.
func (r *ring) pop(dst []float32) int {
	want := min(len(dst), r.count)
	n := copy(dst[:want], r.buf[r.read:])
	copy(dst[n:want], r.buf)
	r.drop(want)
	return want
}

// drop forgets the n oldest samples; n is at most len.
func (r *ring) drop(n int) {
	r.read = (r.read + n) % len(r.buf)
	r.count -= n
}
