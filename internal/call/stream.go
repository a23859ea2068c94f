package call

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/jitter"
	"github.com/wzp-voice/wzp/internal/opus"
)

const (
	// minDelay is the least that the jitter buffer adds: programs are scheduled late now and then.
	minDelay = 15 * time.Millisecond
	// primeFrames is how many frames of before a silence a new decoder decodes first: then it differs by -20
	// dB or less from the one before, without by -1 to -12 dB, for 60 ms.
	primeFrames = 8
	// maxPrime is how long they may be, in bytes: 64 kbit/s for 60 ms.
	maxPrime = 512
	// maxMissing is how many counters may be missing between two packets: the rest is another count.
	maxMissing = 4096
)

var errNoFEC = errors.New("wzp: the packet has no copy of the one before")

// Stream is what one member says, through all its keys. One goroutine reads its sound.
//
//	frame that opens ──> heard ──sound──> live ──silent, or member left──> heard ──sound──> live ...
//
// Live is some 310 KiB: a jitter buffer and a decoder. What is kept of them through a silence is what makes
// the next word sound as if they were the same: the delay that was learned, and the last frames.
type Stream struct {
	of *hearing
	streamID

	player  atomic.Pointer[jitter.Player] // nil: it is not live; set with the hearing's mu held
	retired atomic.Bool                   // not to be played: its member left or said other things since
	member  Member                        // guarded by the hearing's mu: who it was when last known

	// Guarded by the hearing's mu.
	sounded   time.Duration       // when a frame with sound came last, on the room's clock
	retiredAt time.Duration       // when it was retired last
	next      uint64              // one above the highest CTR; 0: none came
	past      jitter.Stats        // until the present player was made, and of what came without
	forged    uint64              // frames that did not decrypt
	unheard   uint64              // frames with sound that were not played, because too many others sounded
	delay     time.Duration       // that the last player learned
	minDelay  time.Duration       // of players
	fec       bool                // the talker sends in-band FEC
	last      [primeFrames][]byte // packets with sound, the oldest first
}

// StreamStats say how a stream was received.
type StreamStats struct {
	jitter.Stats
	Forged  uint64 // frames that did not decrypt
	Unheard uint64 // frames that were not played, because more than 64 streams sounded at once
}

// Member returns whose stream it is. Before the relay has told of the member, only ID is set.
func (st *Stream) Member() Member {
	m, here := st.of.roster.member(st.owner)
	st.of.mu.Lock()
	defer st.of.mu.Unlock()
	if here {
		st.member = m.Member
	}
	return st.member
}

// Number tells the member's streams apart.
func (st *Stream) Number() int { return int(st.number) }

// Talking reports whether the stream sounds now.
func (st *Stream) Talking() bool {
	p := st.player.Load()
	return p != nil && p.Active()
}

// Read fills pcm with what is to be heard next, silence if that is nothing. The caller keeps the pace.
func (st *Stream) Read(pcm []float32) {
	if p := st.player.Load(); p != nil {
		p.Read(pcm, st.of.clock.now())
		return
	}
	clear(pcm)
}

// Stats returns the counters so far.
func (st *Stream) Stats() StreamStats {
	st.of.mu.Lock()
	defer st.of.mu.Unlock()
	s := StreamStats{Stats: st.past, Forged: st.forged, Unheard: st.unheard}
	if p := st.player.Load(); p != nil {
		s.Stats = p.Stats()
	}
	return s
}

// storeLocked keeps a packet with sound for the next decoder.
func (st *Stream) storeLocked(packet []byte) {
	if len(packet) > maxPrime {
		return
	}
	oldest := st.last[0]
	copy(st.last[:], st.last[1:])
	st.last[primeFrames-1] = append(oldest[:0], packet...)
}

// missedLocked counts what is missing between a packet and those before it.
func (st *Stream) missedLocked(ctr uint64) {
	switch {
	case st.next == 0:
	case ctr >= st.next:
		if missing := ctr - st.next; missing <= maxMissing {
			st.past.Lost += missing
		}
	case st.past.Lost > 0:
		st.past.Lost--
	}
	st.next = max(st.next, ctr+1)
}

func hasFEC(packet []byte) bool {
	p, err := opus.Parse(packet)
	return err == nil && p.HasFEC()
}

// playDecoder is an opus.Decoder as the jitter buffer wants it.
type playDecoder struct{ *opus.Decoder }

// DecodeFEC implements jitter.Decoder.
func (d playDecoder) DecodeFEC(dst []float32, next []byte) error {
	if !hasFEC(next) {
		return errNoFEC
	}
	return d.Decoder.DecodeFEC(dst, next)
}

// Conceal implements jitter.Decoder.
func (d playDecoder) Conceal(dst []float32) {
	if d.Decoder.Conceal(dst) != nil {
		clear(dst)
	}
}
