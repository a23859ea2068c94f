package audio

// playout is the queue between a caller that writes frames by its own clock and a device that pulls by
// another. The two differ by some 0.01 %, and each is jerky.
//
//	caller ──20-60 ms──> ring ──(stretch by up to 0.5 %)──10 ms──> device
//	                      |
//	                      +-- lowest level of a second, steered to playoutMargin
//
// The lowest level is the slack that was not needed; it does not depend on the frame length. Pure; not safe
// for concurrent use.
type playout struct {
	queue   Ring
	started bool // sound flows; false before the first frame and after an underrun
	lead    int  // samples of silence to play before the queue

	lowest  int // level at pulls in this window
	window  int // samples pulled in this window
	steer   int // samples more (or, below 0, fewer) to take per 200
	scratch []float32
}

const (
	playoutCapacity = SampleRate / 5     // 200 ms
	playoutMargin   = SampleRate / 50    // 20 ms of slack for jerky callers
	playoutTooMuch  = 5 * playoutMargin  // slack beyond which sound is dropped at once
	playoutWindow   = SampleRate         // steer once a second
	playoutStep     = 200                // one sample in 200: 9 cents, unnoticed
	playoutMaxPull  = deviceFragment * 2 // samples pulled at a time
)

func newPlayout() playout {
	return playout{
		queue:   NewRing(playoutCapacity),
		scratch: make([]float32, playoutMaxPull+playoutMaxPull/playoutStep+1),
	}
}

func (p *playout) write(pcm []float32) { p.queue.Push(pcm) }

// pull fills dst, at most playoutMaxPull samples, with silence where need be.
func (p *playout) pull(dst []float32) {
	if !p.started {
		if p.queue.Len() == 0 {
			clear(dst)
			return
		}
		p.started, p.lead = true, playoutMargin
		p.lowest, p.window, p.steer = playoutCapacity, 0, 0
	}
	n := min(p.lead, len(dst))
	clear(dst[:n])
	p.lead -= n
	if n < len(dst) {
		p.play(dst[n:])
	}
}

func (p *playout) play(dst []float32) {
	p.observe(len(dst))
	take := len(dst) + p.steer*(len(dst)/playoutStep)
	if p.queue.Len() < take {
		n := p.queue.Pop(dst)
		clear(dst[n:])
		p.started = false
		return
	}
	src := p.scratch[:take]
	p.queue.Pop(src)
	stretch(dst, src)
}

// observe notes the level and decides once a second how to steer.
func (p *playout) observe(pulled int) {
	p.lowest = min(p.lowest, p.queue.Len()-pulled)
	p.window += pulled
	if p.window < playoutWindow {
		return
	}
	switch {
	case p.lowest > playoutTooMuch:
		p.queue.Drop(min(p.lowest-playoutMargin, p.queue.Len()))
		p.steer = 0
	case p.lowest > playoutMargin*3/2:
		p.steer = 1
	case p.lowest < playoutMargin/2:
		p.steer = -1
	default:
		p.steer = 0
	}
	p.lowest, p.window = playoutCapacity, 0
}

// stretch fits src to the length of dst, by linear interpolation; equal lengths are copied.
func stretch(dst, src []float32) {
	if len(dst) == len(src) || len(dst) < 2 {
		copy(dst, src)
		return
	}
	step := float32(len(src)-1) / float32(len(dst)-1)
	for i := range dst {
		at := float32(i) * step
		k := min(int(at), len(src)-2)
		f := at - float32(k)
		dst[i] = src[k] + f*(src[k+1]-src[k])
	}
}
