package call

import (
	"context"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
)

const (
	playChunk   = 10 * time.Millisecond // what is played at a time
	playSamples = audio.SampleRate / 100
	playBehind  = time.Second // a player that was away for longer goes on with the present
)

// PlayConfig is described in the package at the root.
type PlayConfig struct {
	Mix  audio.Sink
	Each func(*Stream) (audio.Sink, error)
}

// player is one call of Play.
type player struct {
	room   *Room
	config PlayConfig
	mixer  audio.Mixer
	voices map[*Stream]*voice
	frames [][]float32 // of the streams that sound, for the mixer
	mix    []float32
	quiet  []float32 // what the others say
	known  uint64    // changes of the streams to be played so far
}

// voice is a stream that is being played.
type voice struct {
	sink  audio.Sink
	pcm   []float32 // nil: it does not sound
	since time.Time // when it was retired; zero: it was not
}

// Play plays what is heard in the room, in real time, until ctx is done or the room is over, or a sink
// fails. It closes the sinks that Each made, not Mix. Only one Play at a time reads a room's streams.
func (r *Room) Play(ctx context.Context, config PlayConfig) error {
	p := &player{
		room: r, config: config, voices: make(map[*Stream]*voice),
		mix: make([]float32, playSamples), quiet: make([]float32, playSamples),
	}
	defer p.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.ctx.Done():
			return nil
		case <-timer.C:
		}
		now := time.Now()
		if now.Sub(next) > playBehind {
			next = now
		}
		for !next.After(now) {
			if err := p.chunk(now); err != nil {
				return err
			}
			next = next.Add(playChunk)
		}
		timer.Reset(time.Until(next))
	}
}

// chunk plays the next 10 ms of everybody.
func (p *player) chunk(now time.Time) error {
	if changes := p.room.hearing.changes.Load(); changes != p.known {
		p.known = changes
		for _, st := range p.room.Streams() {
			if err := p.add(st); err != nil {
				return err
			}
		}
	}
	p.frames = p.frames[:0]
	for st, v := range p.voices {
		if err := v.sink.WriteFrame(p.read(st, v)); err != nil {
			return err
		}
		if err := p.retire(st, v, now); err != nil {
			return err
		}
	}
	if p.config.Mix == nil {
		return nil
	}
	p.mixer.Mix(p.mix, p.frames...)
	return p.config.Mix.WriteFrame(p.mix)
}

// read returns what a stream says next, which is mixed if it sounds.
func (p *player) read(st *Stream, v *voice) []float32 {
	if st.player.Load() == nil {
		v.pcm = nil
		return p.quiet
	}
	if v.pcm == nil {
		v.pcm = make([]float32, playSamples)
	}
	st.Read(v.pcm)
	p.frames = append(p.frames, v.pcm)
	return v.pcm
}

// add makes a voice of a stream, unless there is one.
func (p *player) add(st *Stream) (err error) {
	if p.voices[st] != nil {
		return nil
	}
	v := &voice{}
	if p.config.Each != nil {
		v.sink, err = p.config.Each(st)
	}
	if v.sink == nil {
		v.sink = audio.Discard{} // it is in the mix only
	}
	if err == nil {
		p.voices[st] = v
	}
	return err
}

// retire ends a voice some time after its stream was retired.
func (p *player) retire(st *Stream, v *voice, now time.Time) error {
	switch {
	case !st.retired.Load():
		v.since = time.Time{} // it may have come back
		return nil
	case v.since.IsZero():
		v.since = now
		return nil
	case now.Sub(v.since) < streamTail:
		return nil
	}
	delete(p.voices, st)
	p.known = 0 // if it comes back just now
	return v.sink.Close()
}

func (p *player) close() {
	for _, v := range p.voices {
		v.sink.Close()
	}
}
