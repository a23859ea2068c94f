package call

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/wire"
)

// countMedia counts the packets on the network that are large enough to be media of a person, by their size.
func (p *person) countMedia() (count, sizes *atomic.Int64) {
	count, sizes = new(atomic.Int64), new(atomic.Int64)
	p.lab.net.SetTap(func(from, _ netip.AddrPort, b []byte, _ bool) {
		if from == p.addr && b[0] < 0x40 && len(b) > 70 {
			count.Add(1)
			sizes.Or(1 << (len(b) / 4))
		}
	})
	return count, sizes
}

// TestPushToTalk wants nothing to be sent while muted, what was said just before to be heard, and the end to
// be told.
func TestPushToTalk(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		// Anna speaks from 1.85 s on, and presses the key at 2.0 s.
		p := a.say(&samples{pcm: append(silence(1850*time.Millisecond), tone(time.Minute)...)},
			PublishConfig{PushToTalk: true})
		time.Sleep(time.Second) // her keys go out at once
		count, _ := a.countMedia()
		time.Sleep(1005 * time.Millisecond)
		if n := count.Load(); n != 0 || p.Talking() || a.room.Stats().PacketsSent != 0 {
			t.Errorf("%d media packets while muted", n)
		}
		p.SetTalking(true)
		time.Sleep(time.Second)
		p.SetTalking(false)
		time.Sleep(time.Second)
		sent := count.Load()
		if want := uint64(10 + 50 + 1 + markers); a.room.Stats().PacketsSent != want || sent < int64(want) {
			t.Errorf("%d packets, %d on the network, want pre-roll 10, speech 50, its end 1, markers %d",
				a.room.Stats().PacketsSent, sent, markers)
		}
		// The pre-roll comes at once and is played a little faster, until the listener has caught up.
		if ms := sounding(b.mix.take()); ms < 1000 || ms > 1200 {
			t.Errorf("heard %d ms, want up to 1000 and 150 of the pre-roll", ms)
		}
		if s := b.room.Streams()[0].Stats(); s.Played != 61 || s.Late+s.Dropped+s.Lost+s.Concealed != 0 {
			t.Errorf("not all was played: %+v", s.Stats)
		}
		time.Sleep(5 * time.Second)
		if n := count.Load(); n != sent {
			t.Errorf("%d media packets after the key was released", n-sent)
		}
		if st := b.room.Streams()[0]; st.Talking() {
			t.Errorf("after the end: talking %v, %+v", st.Talking(), st.Stats().Stats)
		}
		p.Stop()
		time.Sleep(time.Second)
		if got := b.microphones(); !slices.Equal(got, []string{"released"}) {
			t.Errorf("her microphone was told to be %v", got)
		}
	})
}

// TestMute is push-to-talk the other way round; the second word begins with its own pre-roll, not the first
// one's.
func TestMute(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		said := slices.Concat(tone(time.Second), silence(3*time.Second), tone(time.Second),
			silence(time.Second))
		p := a.say(&samples{pcm: said}, PublishConfig{NoDTX: true})
		time.Sleep(1005 * time.Millisecond)
		p.SetTalking(false)
		time.Sleep(time.Second)
		b.mix.take()
		time.Sleep(1500 * time.Millisecond)
		p.SetTalking(true)
		time.Sleep(400 * time.Millisecond)
		if ms := sounding(b.mix.take()); ms != 0 {
			t.Errorf("%d ms of what was said before the mute were heard again", ms)
		}
		if err := p.Err(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if ms := sounding(b.mix.take()); ms < 850 || ms > 1100 { // a part of it a little faster
			t.Errorf("heard %d of 1000 ms after the mute", ms)
		}
		time.Sleep(2 * time.Second) // what she says is over
		if got := b.microphones(); !slices.Equal(got, []string{"muted", "open", "none"}) {
			t.Errorf("her microphone was told to be %v", got)
		}
	})
}

// microphones returns how somebody was told that the microphone of others is, one after the other.
func (p *person) microphones() []string {
	return toldOf(p, func(e MicrophoneChanged) string { return e.State })
}

// toldOf returns what somebody was told by the events of a kind, one after the other.
func toldOf[E Event, T any](p *person, of func(E) T) (told []T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e, ok := e.(E); ok {
			told = append(told, of(e))
		}
	}
	return told
}

// TestToldSeldom: who says again and again that microphone and hand are others fills no queue, and what was
// overtaken says nothing.
func TestToldSeldom(t *testing.T) {
	var m told
	changes := 0
	now := time.Now()
	for i := range uint64(1000) {
		mic, hand := m.tell(wire.MicUnknown, wire.HandDown+wire.Hand(i%3/2), 0, 2*i,
			now.Add(time.Duration(i)*2*time.Millisecond))
		muted, _ := m.tell(wire.MicOpen+wire.Mic(i%2), wire.HandUnknown, 0, 2*i+1,
			now.Add(time.Duration(i)*2*time.Millisecond))
		for _, changed := range []bool{mic, hand, muted} {
			if changed {
				changes++
			}
		}
	}
	if changes != maxChanges {
		t.Errorf("%d changes in 2 s", changes)
	}
	now = now.Add(time.Minute)
	tell := func(mic wire.Mic, hand wire.Hand, stream uint8, ctr uint64) [2]bool {
		mics, hands := m.tell(mic, hand, stream, ctr, now)
		return [2]bool{mics, hands}
	}
	m.forget()
	for i, got := range [][2]bool{
		tell(wire.MicNone, wire.HandUp, 0, 5), tell(wire.MicUnknown, wire.HandUnknown, 1, 0),
		tell(wire.MicNone, wire.HandUp, 1, 0), tell(wire.MicOpen, wire.HandUnknown, 1, 1),
		tell(wire.MicOpen, wire.HandDown, 1, 0), tell(wire.MicMuted, wire.HandDown, 1, 2),
	} {
		if want := [...][2]bool{{}, {}, {true, true}, {true, false}, {}, {true, true}}[i]; got != want {
			t.Errorf("%d: %v, want %v: the newest frame that says so decides", i, got, want)
		}
	}
}

// TestSilenceIsNotSent wants a few markers instead of silence, of the size of speech.
func TestSilenceIsNotSent(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		said := slices.Concat(silence(time.Second), tone(time.Second), silence(10*time.Second),
			tone(time.Second))
		p := a.say(&samples{pcm: said}, PublishConfig{})
		time.Sleep(500 * time.Millisecond) // her keys go out at once
		count, sizes := a.countMedia()
		if err := p.Err(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if n := count.Load(); n < 100 || n > 190 {
			t.Errorf("%d media packets for 2 s of speech and 10 s of silence", n)
		}
		if s := sizes.Load(); s&(s-1) != 0 && s&(s-1)&(s&(s-1)-1) != 0 { // the first few are long
			t.Errorf("media packets of many sizes: %b", s)
		}
		if ms := sounding(b.mix.take()); ms < 1900 || ms > 2300 {
			t.Errorf("heard %d of 2000 ms", ms)
		}
	})
}

func TestPublishTwice(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		first, second := &samples{pcm: tone(time.Minute)}, &samples{pcm: tone(time.Minute)}
		p := a.say(first, PublishConfig{})
		if _, err := a.room.Publish(second, PublishConfig{}); !errors.Is(err, ErrPublished) {
			t.Errorf("publishing twice: %v", err)
		}
		if second.closed != 0 {
			t.Error("a source that was not taken was closed")
		}
		time.Sleep(time.Second)
		p.Stop()
		if err := p.Err(); err != nil || first.closed != 1 {
			t.Errorf("after Stop: %v, closed %d times", err, first.closed)
		}
		sent := a.room.Stats().PacketsSent
		time.Sleep(time.Second)
		if s := b.room.Streams()[0].Stats(); s.Received != s.Played+markers {
			t.Errorf("the end of a publication that was stopped is not told: %+v", s.Stats)
		}
		a.say(second, PublishConfig{})
		time.Sleep(time.Second)
		if n := a.room.Stats().PacketsSent; n < sent+45 {
			t.Errorf("%d packets of the first publication, %d of both", sent, n)
		}
		streams := b.room.Streams()
		if len(streams) != 2 || streams[0].Number() != 0 || streams[1].Number() != 1 ||
			!streams[1].Talking() {
			t.Errorf("%d streams", len(streams))
		}
	})
}

func TestPublishErrors(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.joined("anna", "r")
		for _, config := range []PublishConfig{{Bitrate: 5000}, {Bitrate: 65_000},
			{FrameDuration: 30 * time.Millisecond}, {FEC: true, ExpectedLoss: 101}} {
			if _, err := a.room.Publish(&samples{}, config); err == nil {
				t.Errorf("%+v was taken", config)
			}
		}
		lost := errors.New("unplugged")
		source := &samples{pcm: tone(100 * time.Millisecond), err: lost}
		p := a.say(source, PublishConfig{})
		if err := p.Err(); !errors.Is(err, lost) || !strings.Contains(err.Error(), "capture") {
			t.Errorf("a source that fails: %v", err)
		}
		if source.closed != 1 {
			t.Errorf("closed %d times", source.closed)
		}
	})
}

// TestFrames has all frame durations and rates heard, a last part of a frame included.
func TestFrames(t *testing.T) {
	for _, config := range []PublishConfig{
		{FrameDuration: 40 * time.Millisecond, Bitrate: 12_000},
		{FrameDuration: 60 * time.Millisecond, Bitrate: 6000, NoDTX: true},
		{FEC: true, Bitrate: 64_000},
	} {
		inLab(t, func(l *lab) {
			a, b := l.joined("anna", "r"), l.joined("bert", "r")
			if err := a.say(&samples{pcm: tone(1030 * time.Millisecond)}, config).Err(); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			if ms := sounding(b.mix.take()); ms < 1000 || ms > 1150 {
				t.Errorf("%+v: heard %d of 1030 ms", config, ms)
			}
		})
	}
}

func TestPlayErrors(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		a.say(&samples{pcm: tone(time.Minute)}, PublishConfig{})
		full := errors.New("disk full")
		failing := func(*Stream) (audio.Sink, error) { return nil, full }
		if err := b.room.Play(context.Background(), PlayConfig{Each: failing}); !errors.Is(err, full) {
			t.Errorf("a sink that cannot be made: %v", err)
		}
		if err := b.room.Play(context.Background(), PlayConfig{Mix: brokenSink{full}}); !errors.Is(err,
			full) {
			t.Errorf("a sink that fails: %v", err)
		}
	})
}

type brokenSink struct{ err error }

func (s brokenSink) WriteFrame([]float32) error { return s.err }
func (s brokenSink) Close() error               { return nil }

// TestPlayEach wants a sink for each talker, in step with the mix, closed once its talker is gone.
func TestPlayEach(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b, c := l.joined("anna", "r"), l.joined("bert", "r"), l.joined("carl", "r")
		var mu sync.Mutex // guards sinks
		sinks := make(map[string]*recording)
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		a.cancel() // its own Play
		a.wg.Go(func() {
			err := a.room.Play(ctx, PlayConfig{Each: func(st *Stream) (audio.Sink, error) {
				mu.Lock()
				defer mu.Unlock()
				sink := &recording{}
				sinks[st.Member().Name] = sink
				return sink, nil
			}})
			if err != nil {
				t.Error(err)
			}
		})
		b.say(&samples{pcm: tone(time.Minute)}, PublishConfig{})
		c.say(&samples{pcm: tone(time.Minute)}, PublishConfig{})
		time.Sleep(2 * time.Second)
		b.leave()
		time.Sleep(streamTail + 500*time.Millisecond)
		mu.Lock()
		closed := sinks["bert"].isClosed()
		mu.Unlock()
		if !closed {
			t.Error("the sink of who has left is open")
		}
		<-ctx.Done()
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(sinks) != 2 || !sinks["carl"].isClosed() {
			t.Errorf("%d sinks, carl's closed: %v", len(sinks), sinks["carl"].isClosed())
		}
		bert, carl := sounding(sinks["bert"].take()), sounding(sinks["carl"].take())
		if bert < 1900 || bert > 2200 || carl < 7800 {
			t.Errorf("bert was heard for %d of 2000 ms, carl for %d of 7900", bert, carl)
		}
	})
}

// TestPreRollIsThatOfTheSource holds the figure that users are told.
func TestPreRollIsThatOfTheSource(t *testing.T) {
	if keeps := preroll * time.Second / audio.SampleRate; keeps != 200*time.Millisecond {
		t.Errorf("the pre-roll is %v", keeps)
	}
}
