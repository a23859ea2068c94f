package call

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/jitter"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/internal/wire"
)

// ear is a hearing without a room's relay and keys: what is said is put in behind the decryption.
type ear struct {
	t    testing.TB
	room *Room
	news news
}

func newEar(t testing.TB) *ear {
	return &ear{t: t, room: &Room{
		events: newEvents(), hearing: newHearing(wire.MemberID{}, &roster{}, nil, packetLog{}, func(news) {}),
	}}
}

// sayer is somebody who talks with one stream.
type sayer struct {
	talker *talker
	number uint8
	codec  *opus.Encoder
	ctr    uint64
}

func (e *ear) member(n int, number uint8) *sayer {
	e.t.Helper()
	codec, err := opus.NewEncoder(opus.Config{})
	if err != nil {
		e.t.Fatal(err)
	}
	id := wire.MemberID{byte(n >> 8), byte(n)}
	t := e.room.hearing.talkers[id]
	if t == nil {
		t = &talker{id: id}
		e.room.hearing.talkers[id] = t
	}
	return &sayer{talker: t, number: number, codec: codec}
}

// say has a member say a frame: nil: silence.
func (e *ear) say(m *sayer, pcm []float32) *Stream {
	packet := jitter.Packet{Counter: m.ctr,
		Timestamp: uint16(e.room.hearing.clock.now() / (2500 * time.Microsecond)), Silence: pcm == nil}
	if pcm != nil {
		b := make([]byte, opus.MaxFrameBytes)
		n, _, err := m.codec.Encode(b, pcm)
		if err != nil {
			e.t.Fatal(err)
		}
		packet.Payload, packet.Duration = b[:n], 20*time.Millisecond
	}
	m.ctr++
	h := e.room.hearing
	h.mu.Lock()
	defer h.mu.Unlock()
	st := h.streamLocked(m.talker, m.number, &e.news)
	h.soundLocked(st, packet, e.room.hearing.clock.now(), &e.news)
	return st
}

func (e *ear) live() (list []int) {
	for _, st := range e.room.hearing.live {
		list = append(list, int(st.owner[0])<<8|int(st.owner[1]))
	}
	return list
}

// vowel is like a voice: harmonics of a pitch that goes up and down, as loud as syllables.
func vowel(d time.Duration) []float32 {
	pcm := make([]float32, d*audio.SampleRate/time.Second)
	phase := 0.0
	for i := range pcm {
		at := float64(i) / audio.SampleRate
		phase += 2 * math.Pi * (140 + 30*math.Sin(2*math.Pi*0.7*at)) / audio.SampleRate
		v := 0.0
		for k := 1.0; k <= 20; k++ {
			v += math.Sin(k*phase) / k
		}
		pcm[i] = float32(0.15 * v * (0.6 + 0.4*math.Sin(2*math.Pi*4*at)))
	}
	return pcm
}

// TestDecoderAfterASilence wants the first frames after a silence to sound as if the decoder had been there
// all the while.
func TestDecoderAfterASilence(t *testing.T) {
	e := newEar(t)
	pcm := vowel(2 * time.Second)
	for cut := 30; cut < 90; cut += 10 {
		m := e.member(cut, 0)
		whole := opus.NewDecoder()
		st := e.say(m, pcm[:960])
		decode := func(d *opus.Decoder) []float32 {
			out := make([]float32, 960)
			if _, err := d.Decode(out, st.last[primeFrames-1]); err != nil {
				t.Fatal(err)
			}
			return out
		}
		decode(whole)
		for i := 1; i < cut; i++ {
			e.say(m, pcm[i*960:(i+1)*960])
			decode(whole)
		}
		primed := st.newDecoder()
		for i := range 3 {
			e.say(m, pcm[i*960:(i+1)*960]) // another word
			want, got := decode(whole), decode(primed)
			signal, noise := 0.0, 1e-12
			for j, v := range want {
				signal += float64(v) * float64(v)
				noise += float64(got[j]-v) * float64(got[j]-v)
			}
			if snr := 10 * math.Log10(signal/noise); snr < 20 {
				t.Errorf("after %d frames: frame %d differs by %.0f dB", cut, i, -snr)
			}
		}
	}
}

// BenchmarkHeardStream measures what a stream takes while it sounds, and when it is silent.
func BenchmarkHeardStream(b *testing.B) {
	const streams = 64
	pcm := tone(20 * time.Millisecond)
	for b.Loop() {
		e := newEar(b)
		before := heap()
		members := make([]*sayer, streams)
		for i := range members {
			members[i] = e.member(i, 0)
			// An encoder is whole after its first frames only.
			for range 10 {
				if _, _, err := members[i].codec.Encode(make([]byte, opus.MaxFrameBytes), pcm); err != nil {
					b.Fatal(err)
				}
			}
		}
		encoders := heap() - before
		for range 10 {
			for _, m := range members {
				e.say(m, pcm)
			}
		}
		b.ReportMetric(float64(heap()-before-encoders)/streams/1024, "KiB/live")
		e.room.hearing.releaseSilentLocked(e.room.hearing.clock.now() + restAfter + time.Second)
		if n := len(e.room.hearing.live); n != 0 {
			b.Fatalf("%d live", n)
		}
		b.ReportMetric(float64(heap()-before-encoders)/streams/1024, "KiB/resting")
		runtime.KeepAlive(members)
	}
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// TestMemoryOfHeardStreams wants streams to take memory while they sound only, and few KiB else.
func TestMemoryOfHeardStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEar(t)
		pcm := tone(20 * time.Millisecond)
		first := e.member(0, 0)
		e.say(first, pcm)
		before := heap()
		for i := range 500 {
			m := e.member(1+i, 0)
			for range 3 {
				e.say(m, pcm)
			}
			time.Sleep(100 * time.Millisecond)
			e.room.hearing.prune()
		}
		if n := len(e.room.hearing.live); n > 51 {
			t.Errorf("%d are live, who sounded in the last 5 s", n)
		}
		time.Sleep(restAfter + time.Second)
		e.room.hearing.prune()
		if each := (heap() - before) / 500; each > 4<<10 || len(e.room.hearing.history) != 501 {
			t.Errorf("a silent stream takes %d bytes, %d are remembered", each, len(e.room.hearing.history))
		}
	})
}

// TestManySoundAtOnce wants 64 streams to be decoded, those who sound to go on, and whom that leaves out to
// be told of and heard as soon as there is a place.
func TestManySoundAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEar(t)
		pcm := tone(20 * time.Millisecond)
		var members []*sayer
		for i := range maxLive + 2 {
			members = append(members, e.member(i, 0))
		}
		for range 50 {
			for _, m := range members {
				e.say(m, pcm)
			}
			time.Sleep(20 * time.Millisecond)
		}
		h := e.room.hearing
		want := make([]int, maxLive)
		for i := range want {
			want[i] = i
		}
		if got := e.live(); !slices.Equal(got, want) {
			t.Errorf("live: %d", got)
		}
		late := h.streams[streamID{members[maxLive].talker.id, 0}]
		if s := late.Stats(); s.Unheard != 50 || s.Received != 50 || s.Lost != 0 || h.unheard != 100 {
			t.Errorf("%d of 50 frames were counted as unheard, %d in all: %+v", s.Unheard, h.unheard, s)
		}
		warnings := 0
		for _, n := range e.news.events {
			if w, ok := n.(Warning); ok && w.Code == WarnCrowd {
				warnings++
			}
		}
		if warnings != 1 {
			t.Errorf("%d warnings", warnings)
		}
		for range 300 { // the third is silent: 5 s later the next one takes its place
			for i, m := range members {
				if i != 3 {
					e.say(m, pcm)
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		if got := e.live(); slices.Contains(got, 3) || !slices.Contains(got, maxLive) ||
			slices.Contains(got, maxLive+1) {
			t.Errorf("live: %d", got)
		}
		if s := late.Stats(); s.Received != 350 || s.Lost != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestManyStreamsOfAFew wants no member to be left out because others sound with many streams each.
func TestManyStreamsOfAFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEar(t)
		pcm := tone(20 * time.Millisecond)
		var members []*sayer
		for i := range 4 {
			for number := range maxStreamsOfMember {
				members = append(members, e.member(i, uint8(number)))
			}
		}
		for i := range 20 {
			members = append(members, e.member(100+i, 0))
		}
		for range 20 {
			for _, m := range members {
				e.say(m, pcm)
			}
			time.Sleep(20 * time.Millisecond)
		}
		got := e.live()
		for i := range 20 {
			if !slices.Contains(got, 100+i) {
				t.Errorf("member %d is not heard", 100+i)
			}
		}
		if len(got) != maxLive {
			t.Errorf("%d are live", len(got))
		}
	})
}

// TestHeardAgainAfterASilence wants the first word after a silence to sound as if the decoder had been there
// all the while, all of it to be heard, and the counters to go on.
func TestHeardAgainAfterASilence(t *testing.T) {
	for _, silence := range []time.Duration{restAfter - time.Second, restAfter + 5*time.Second, time.Minute} {
		t.Run(fmt.Sprint(silence), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEar(t)
				m := e.member(0, 0)
				pcm := vowel(4 * time.Second)
				frames := func(from, to int) (out []float32) {
					for i := from; i < to; i++ {
						st := e.say(m, pcm[i*960:(i+1)*960])
						for range 2 {
							chunk := make([]float32, 480)
							st.Read(chunk)
							out = append(out, chunk...)
							time.Sleep(10 * time.Millisecond)
						}
					}
					return out
				}
				frames(0, 100)
				var st *Stream
				for range silence / (400 * time.Millisecond) {
					st = e.say(m, nil)
					for range 40 {
						st.Read(make([]float32, 480))
						time.Sleep(10 * time.Millisecond)
					}
					e.room.hearing.prune()
				}
				if live := st.player.Load() != nil; live != (silence < restAfter) {
					t.Errorf("live after %v of silence: %v", silence, live)
				}
				out := frames(100, 150)
				if ms := sounding(out); ms < 950 {
					t.Errorf("%d of 1000 ms were heard", ms)
				}
				want := m.ctr
				if s := st.Stats(); s.Received != want || s.Played < 148 ||
					s.Lost+s.Late+s.Concealed+s.Unheard+s.Resets != 0 {
					t.Errorf("of %d packets: %+v", want, s)
				}
			})
		})
	}
}
