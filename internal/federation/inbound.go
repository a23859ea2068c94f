package federation

import (
	"time"

	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// renewEvery is how far apart looks for a stream's successor in its room are, at least: the talker may have
// left, and its frames come for a while.
const renewEvery = 250 * time.Millisecond

// inbound is one stream of media that comes over a peer link.
//
//	frame ── judge: intake (peer, member, room) ── dedups (shared by all links) ── stream().Forward
//
// All methods are safe for concurrent use.
type inbound struct {
	key    dedupKey
	home   wire.RelayID // of the talker
	speech *room.Speech
	intake *intake
	dedups *dedups
	seen   *streamDedup // guarded by dedups.mu
}

// newInbound returns the inbound of a stream that a peer announces, or nil if its talker is not there or can
// have no stream, or too many streams come from peers, or from the one whose intake that is.
func newInbound(key dedupKey, in *intake, d *dedups, talker func() *room.Member, now time.Time) *inbound {
	b := &inbound{key: key, speech: room.NewSpeech(key.kid, talker, renewEvery, now), intake: in, dedups: d}
	if b.speech == nil || !d.add(b, now) {
		return nil
	}
	return b
}

// judge decides about a frame. It is to be forwarded only if the verdict says so, and only then does its CTR
// say anything about the stream (link.Stream.Seen).
func (b *inbound) judge(ctr uint64, now time.Time) verdict {
	if v := b.intake.allowFrame(memberKey{b.key.room, b.key.kid.Member()}, now); v != forwarded {
		return v
	}
	v := b.dedups.judge(b, ctr, now)
	b.intake.counts[v].Add(1)
	return v
}

// stream returns the stream of the room, for a frame that came, or nil if its talker is not there.
func (b *inbound) stream(now time.Time) *room.Stream {
	if st := b.speech.Received(now); !st.Dropped() {
		return st
	}
	return nil
}
