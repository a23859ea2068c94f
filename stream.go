package wzp

import (
	"context"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/call"
)

// PlayConfig says where the sound goes.
type PlayConfig struct {
	Mix Sink // gets the sum of all streams; nil: none
	// Each makes a sink for a stream when it is first heard, and again after its member came back; nil: none.
	Each func(Stream) (Sink, error)
}

// Play plays what is heard in the room, in real time, until ctx is done or the room is over, which is no
// error, or a sink or Each fails. It closes the sinks that Each made, not Mix. Only one Play at a time reads
// a room's streams.
func (r *Room) Play(ctx context.Context, config PlayConfig) error {
	inner := call.PlayConfig{Mix: config.Mix}
	if config.Each != nil {
		inner.Each = func(s *call.Stream) (audio.Sink, error) { return config.Each(Stream{s}) }
	}
	return r.engine.Play(ctx, inner)
}

// Streams returns the streams heard so far of those who are still in the room, by member id.
func (r *Room) Streams() []Stream { return streams(r.engine.Streams()) }

// Heard returns every stream that was heard since the room was joined, the first ones first; of more than
// 4096 those that were silent for longest are missing.
func (r *Room) Heard() []Stream { return streams(r.engine.Heard()) }

func streams(list []*call.Stream) []Stream {
	out := make([]Stream, len(list))
	for i, s := range list {
		out[i] = Stream{s}
	}
	return out
}

// Stream is what one member says: a member has one a publication. Streams are small values; equal ones are
// the same stream. The zero Stream is none. Its sound is read by one goroutine: Play, or whoever calls Read.
type Stream struct{ engine *call.Stream }

// Member returns whose stream it is. Before the relay has told of the member, only ID is set.
func (s Stream) Member() Member { return member(s.engine.Member()) }

// Number tells the member's streams apart.
func (s Stream) Number() int { return s.engine.Number() }

// Talking reports whether the stream sounds now.
func (s Stream) Talking() bool { return s.engine.Talking() }

// Read fills pcm with what is to be heard next: any number of samples, silence while there is nothing. It
// does not wait: the caller keeps the pace, 48,000 samples a second.
func (s Stream) Read(pcm []float32) { s.engine.Read(pcm) }

// StreamStats say how a stream was received. Counters never fall, except Lost, when a packet comes after all.
type StreamStats struct {
	Received  uint64 // packets, with those that mark silence and those that came twice
	Lost      uint64 // packets that never came
	Late      uint64 // frames that came after their time and were discarded
	Duplicate uint64 // packets that came twice
	Dropped   uint64 // frames that found the jitter buffer full
	Forged    uint64 // frames that did not decrypt
	Unheard   uint64 // frames that were not played, because more than 64 streams sounded at once
	Played    uint64 // frames decoded
	Recovered uint64 // frames rebuilt from in-band FEC
	Concealed uint64 // frames filled by concealment while the talker was talking

	Jitter time.Duration // interarrival jitter, RFC 3550, section 6.4.1
	Delay  time.Duration // from a frame's arrival to its first sample being played, mean of the last 16 or so
}

// Stats returns the counters so far.
func (s Stream) Stats() StreamStats {
	c := s.engine.Stats()
	return StreamStats{
		Received: c.Received, Lost: c.Lost, Late: c.Late, Duplicate: c.Duplicate, Dropped: c.Dropped,
		Forged: c.Forged, Unheard: c.Unheard,
		Played: c.Played, Recovered: c.Recovered, Concealed: c.Concealed,
		Jitter: c.Jitter, Delay: c.Delay,
	}
}
