package jitter

import (
	"sync"
	"time"
)

// Decoder is the codec of one stream, with its state. All PCM is mono float32
// at 48 kHz. It is called by Read only, one call at a time.
type Decoder interface {
	// Decode decodes one packet into dst, whose length is the packet's Duration, and returns the number of
	// samples made. An error or a wrong number has the frame concealed.
	Decode(dst []float32, payload []byte) (n int, err error)
	// DecodeFEC rebuilds the frame before the one in nextPayload from the redundancy in there (Opus LBRR). An
	// error says that there is none, and leaves dst and the decoder's state alone.
	DecodeFEC(dst []float32, nextPayload []byte) error
	// Conceal makes up the next len(dst) samples, always 10 ms, after a loss.
	Conceal(dst []float32)
}

// Config begins a Player. The zero value is ready to use.
type Config struct {
	MinDelay time.Duration // least target delay; default none: what the network needs
	// StartDelay is the target delay of the first frames, until enough have come to know: what the player
	// before this one of the same stream had Learned. Default: 6.5 ms.
	StartDelay time.Duration
	Past       Stats // of the players before this one, to which it adds its counters
}

const (
	chunk        = 10 * ms    // Read works in pieces of this length
	readerBucket = second / 4 // the reader's habit is the least z of 8 such buckets
)

// Player plays one stream. One goroutine may call Put while another calls Read;
// Stats, Active, Learned and SetMinDelay may be called by any. Nothing is allocated
// after New, but for more packets at once, or longer ones, than before.
type Player struct {
	mu       sync.Mutex // guards everything below; held while decoding in Read
	dec      Decoder
	buf      buffer
	pcm      fifo
	resample resampler
	reader   minWindow // z of the last reads
	z        int64     // least of them

	out      int64   // samples read since New
	readTime int64   // time of the current Read ...
	readOut  int64   // ... and out at its beginning
	readLen  int64   // samples the last Read asked for
	scale    int64   // out from which time scaling may act again
	stats    Stats   // the counters of play-out
	delay    float64 // samples, mean
	frame    [maxFrame]float32
	tail     [2 * concealStep]float32

	line timeline
}

// timeline is where play-out stands in the talker's media time. The states:
//
//	silent --- frame due ---> playing --- nothing there ---> waiting
//	   ^                       |   ^                           |
//	   |   marker, or jump of  |   +------ packet came --------+
//	   +---- media time -------+                               |
//	   +------------------------- marker, or jump -------------+
//
// waiting is credit > 0: concealment is played, media time stands still.
type timeline struct {
	silent  bool
	end     int64   // media time up to which everything is in the fifo
	frame   int64   // length of the last frame
	settled int64   // seq of the front packet for which holeEnd and pause were decided
	holeEnd int64   // media time up to which the hole before the front packet is to be filled
	pause   bool    // after that comes silence
	credit  int64   // samples of concealment played while waiting
	run     int     // samples of concealment since the last good frame
	join    bool    // the next frame does not continue the signal: find where they fit together
	gain    float32 // level that the next frame rises from

	concealed int64 // samples concealed since the last frame, not yet counted
	quiet     int64 // samples of silence played in this silence
	waited    int64 // samples of silence played while the first frame of a talkspurt was waiting
}

// New makes a player for one stream.
func New(dec Decoder, cfg Config) *Player {
	p := &Player{
		dec: dec, buf: newBuffer(cfg), pcm: newFIFO(),
		reader: minWindow{width: readerBucket},
		line:   timeline{silent: true},
		stats:  cfg.Past,
	}
	p.buf.stats = cfg.Past
	return p
}

// Put takes in a packet that arrived at time now. The payload is copied.
func (p *Player) Put(packet Packet, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf.put(packet, now)
}

// Read fills dst with what is to be played next, at time now; any length will do.
func (p *Player) Read(dst []float32, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readTime, p.readOut, p.readLen = toSamples(now), p.out, int64(len(dst))
	p.z = p.reader.add(p.readTime-p.out-p.readLen, p.readTime)
	for len(dst) > 0 {
		n := min(chunk, len(dst))
		p.fill(p.resample.need(n))
		p.steer()
		p.fill(p.resample.need(n))
		p.resample.take(dst[:n], &p.pcm)
		sanitize(dst[:n])
		p.out += int64(n)
		dst = dst[n:]
	}
}

// sanitize bounds what a broken decoder may hand to the mixer.
func sanitize(pcm []float32) {
	for i, v := range pcm {
		if !(v >= -clip && v <= clip) { // also NaN
			pcm[i] = 0
		}
	}
}

// Active reports whether the stream is sounding: in a talkspurt, and not waiting
// for packets for so long that concealment has faded out.
func (p *Player) Active() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.line.silent && p.line.run < fadeConceal
}

// SetMinDelay changes the least target delay, e.g. to one frame more while the
// talker sends in-band FEC, which needs the next packet to be there.
func (p *Player) SetMinDelay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf.est.lower = toSamples(d)
}

// Learned returns what the target delay has come to.
func (p *Player) Learned() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return toDuration(p.buf.est.target)
}

// Stats returns the counters and the present delays.
func (p *Player) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, b := p.stats, &p.buf
	s.Received, s.Dropped, s.Invalid = b.stats.Received, b.stats.Dropped, b.stats.Invalid
	s.Late, s.Duplicate, s.Resets = b.stats.Late, b.stats.Duplicate, b.stats.Resets
	s.Lost += uint64(max(0, b.expected-b.unique))
	s.Target = toDuration(b.est.target + p.readLen)
	s.Delay = toDuration(int64(p.delay))
	s.Jitter = toDuration(int64(b.jitter))
	return s
}

// behind is e of the package comment, in samples.
func (p *Player) behind() float64 {
	at := float64(p.line.end-int64(p.pcm.unread())) + p.resample.frac
	return float64(p.z-p.buf.est.due()) - (at - float64(p.out))
}

// steer closes the error of the schedule while speech plays.
func (p *Player) steer() {
	if p.line.silent || p.line.credit > 0 {
		p.resample.set(0)
		return
	}
	e := p.behind()
	p.resample.set(driftRate(e))
	if p.out < p.scale {
		return
	}
	switch {
	case e > lateLimit:
		p.hurry(e)
	case e < aheadLimit:
		p.linger(e)
	}
}

// hurry removes one pitch period.
func (p *Player) hurry(e float64) {
	for p.pcm.unread() < 2*maxPeriod && p.buf.front() != nil && !p.line.silent {
		p.produce(1)
	}
	if p.pcm.unread() < 2*maxPeriod {
		return
	}
	period, correlation, power := p.pcm.forward(min(maxPeriod, int(e)))
	p.rescale(e, period, correlation, power, func() {
		p.pcm.remove(period)
		p.stats.Accelerated++
	})
}

// linger plays one pitch period twice.
func (p *Player) linger(e float64) {
	if p.pcm.unread() < maxPeriod || p.line.run > 0 {
		return
	}
	period, correlation, power := p.pcm.backward(min(maxPeriod, max(minPeriod, int(-e))))
	p.rescale(e, period, correlation, power, func() {
		p.pcm.repeat(period)
		p.stats.Decelerated++
	})
}

// rescale changes the length if the signal allows it here, and sets when the next change may be.
func (p *Player) rescale(e float64, period int, correlation, power float64, change func()) {
	if correlation < likeness(e) && power > quiet {
		p.scale = p.out + chunk
		return
	}
	change()
	p.scale = p.out + pause(period, speed(e))
}
