package jitter

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The simulated talker's codec packet is its media time, so that every sample
// that comes out tells what it was made from.

const (
	tonePeriod = 200 // samples: 240 Hz
	toneLevel  = 0.5
	rampPeriod = 1024 * second // the ramp rises from 0 to 1 in so many samples
)

var sine = func() (out [tonePeriod]float32) {
	for i := range out {
		out[i] = float32(toneLevel * math.Sin(2*math.Pi*float64(i)/tonePeriod))
	}
	return out
}()

// tone is a sine by media time.
func tone(media int64) float32 { return sine[mod(media, tonePeriod)] }

// ramp is the media time itself, as a share of rampPeriod.
func ramp(media int64) float32 { return float32(float64(media) / rampPeriod) }

// toneStep is the greatest step between two samples of the tone.
const toneStep = toneLevel * 2 * math.Pi / tonePeriod

// fakeDecoder makes the wave by media time. Its concealment carries on.
type fakeDecoder struct {
	wave     func(media int64) float32
	at       int64 // media time reached
	fec      bool  // packets carry redundancy
	failing  bool  // Decode refuses everything
	decoded  []int64
	conceals int
	fecs     int
}

func (d *fakeDecoder) make(dst []float32) {
	for i := range dst {
		dst[i] = d.wave(d.at)
		d.at++
	}
}

func (d *fakeDecoder) Decode(dst []float32, payload []byte) (int, error) {
	if d.failing {
		return 0, errors.New("refused")
	}
	d.at = int64(binary.BigEndian.Uint64(payload))
	d.decoded = append(d.decoded, d.at)
	d.make(dst)
	return len(dst), nil
}

func (d *fakeDecoder) DecodeFEC(dst []float32, next []byte) error {
	if !d.fec {
		return errors.New("no redundancy")
	}
	d.fecs++
	d.at = int64(binary.BigEndian.Uint64(next)) - int64(len(dst))
	d.make(dst)
	return nil
}

func (d *fakeDecoder) Conceal(dst []float32) {
	d.conceals++
	d.make(dst)
}

// talker makes packets; media is what its clock says.
type talker struct {
	counter  uint64
	media    int64 // samples; the timestamp wraps
	duration time.Duration
}

func newTalker() *talker {
	return &talker{counter: 7, media: 65530 * unit, duration: 20 * time.Millisecond} // wraps early
}

func (t *talker) frame() Packet {
	p := Packet{
		Counter: t.counter, Timestamp: uint16(t.media / unit), Duration: t.duration,
		Payload: binary.BigEndian.AppendUint64(nil, uint64(t.media)),
	}
	t.counter++
	t.media += toSamples(t.duration)
	return p
}

func (t *talker) marker() Packet {
	p := Packet{Counter: t.counter, Timestamp: uint16(t.media / unit), Silence: true}
	t.counter++
	return p
}

// sim delivers packets and reads in virtual time.
type sim struct {
	t       *testing.T
	dec     *fakeDecoder
	player  *Player
	now     time.Duration // time of the next read
	length  int           // samples a read
	step    time.Duration // between reads; 0 means the reads' own length
	pending []delivery    // sorted by time
	out     []float32
	reads   []read
	forget  bool // keep neither out nor reads: for hours of play
	blind   bool // look for no clicks

	last     float32 // sample
	total    int     // samples
	maxStep  float32 // between two samples ...
	maxStepN int     // ... and where
}

type delivery struct {
	at     time.Duration
	packet Packet
}

// read is where in out the samples of one Read begin.
type read struct {
	at    time.Duration
	first int
}

func newSim(t *testing.T, wave func(int64) float32) *sim {
	dec := &fakeDecoder{wave: wave}
	return &sim{t: t, dec: dec, player: New(dec, Config{}), now: 3 * time.Millisecond, length: 480}
}

func (s *sim) send(at time.Duration, p Packet) {
	s.pending = append(s.pending, delivery{at, p})
}

// run reads until the given time.
func (s *sim) run(until time.Duration) {
	slices.SortStableFunc(s.pending, func(a, b delivery) int { return int(a.at - b.at) })
	dst := make([]float32, s.length)
	for s.now < until {
		for len(s.pending) > 0 && s.pending[0].at <= s.now {
			s.player.Put(s.pending[0].packet, s.pending[0].at)
			s.pending = s.pending[1:]
		}
		s.player.Read(dst, s.now)
		if !s.blind {
			s.inspect(dst)
		}
		if !s.forget {
			s.reads = append(s.reads, read{s.now, len(s.out)})
			s.out = append(s.out, dst...)
		}
		if s.step > 0 {
			s.now += s.step
		} else {
			s.now += toDuration(int64(s.length))
		}
	}
}

// talk schedules n frames from time at on; each is delayed by delay(i), which
// may say lost by a negative number.
func (s *sim) talk(tk *talker, at time.Duration, n int, delay func(i int) time.Duration) (end time.Duration) {
	for i := range n {
		p := tk.frame()
		if d := delay(i); d >= 0 {
			s.send(at+d, p)
		}
		at += tk.duration
	}
	return at
}

// hush schedules the three markers that end a talkspurt at time at.
func (s *sim) hush(tk *talker, at time.Duration) {
	for range 3 {
		s.send(at, tk.marker())
		at += 20 * time.Millisecond
		tk.media += 20 * ms
	}
}

// inspect looks for the greatest step.
func (s *sim) inspect(pcm []float32) {
	for i, v := range pcm {
		if step := max(v-s.last, s.last-v); step > s.maxStep {
			s.maxStep, s.maxStepN = step, s.total+i
		}
		s.last = v
	}
	s.total += len(pcm)
}

// clicks fails the test when a step between samples was greater than limit.
func (s *sim) clicks(limit float64) {
	s.t.Helper()
	if float64(s.maxStep) > limit {
		s.t.Errorf("step of %.4f at sample %d (%.3f s), limit %.4f", s.maxStep, s.maxStepN,
			float64(s.maxStepN)/SampleRate, limit)
	}
}

func uniform(rng *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(rng.Int64N(int64(high-low)+1))
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// steady is a network that delays everything by the same 40 ms.
func steady(int) time.Duration { return 40 * time.Millisecond }
