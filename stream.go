package wzp

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/jitter"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/wire"
)

// minDelay is the least that the jitter buffer adds: talker, relay and listener are scheduled late now and then
// even where the network is perfect.
const minDelay = 15 * time.Millisecond

// maxUnseen is after how many frames without a word of what their member sees a relay is suspected of keeping that
// back: it comes with one in 150 of 20 ms, so whatever is lost, hardly ever so many come without.
const maxUnseen = 12 * 150

// maxJump is how far ahead of the others a frame's CTR may be: hours of them.
const maxJump = 1 << 20

var errNoFEC = errors.New("wzp: the packet has no copy of the one before")

// Stream is what one member says, through all its keys. Its sound is read by one goroutine: Play, or whoever calls
// Read.
//
//	bound ──first frame that decrypts──> heard ──member left──> tail ──a while later──> released
//	                                       ^                     |                         |
//	                                       +──── frames again: the member is back ─────────+
type Stream struct {
	room   *Room
	owner  wire.MemberID
	number uint8

	mu     sync.Mutex        // guards what follows
	replay e2ee.ReplayWindow // CTR goes on through all keys
	buf    []byte
	held   heldFrames
	fec    bool         // the talker sends in-band FEC
	past   jitter.Stats // of players before the present one
	failed bool         // there is no decoder

	player atomic.Pointer[jitter.Player] // nil until heard, and when released
	heard  atomic.Bool                   // something came that decrypts
	forged atomic.Uint64
	unseen atomic.Int64 // frames since its member last said what it sees
	leftAt atomic.Int64 // when its member was told to have left, on the room's clock; 0: it has not
	over   atomic.Bool  // the room is over, or the member has newer streams in its place
	member Member       // guarded by room.roster.mu: who it was when last known
}

// StreamStats say how a stream was received.
type StreamStats struct {
	jitter.Stats
	Forged uint64 // frames that did not decrypt
}

// keyed is a stream under one of its keys: what a key id on the wire stands for.
type keyed struct {
	stream *Stream
	opener *e2ee.Opener // guarded by stream.mu
	link   *link.Stream
}

// Member returns whose stream it is. Before the relay has told of the member, only ID is set.
func (st *Stream) Member() Member {
	st.room.roster.mu.Lock()
	defer st.room.roster.mu.Unlock()
	if m, ok := st.room.roster.present[st.owner]; ok {
		st.member = m.Member
	}
	return st.member
}

// gone reports whether its member is not in the room any more.
func (st *Stream) gone() bool { return st.leftAt.Load() != 0 }

// Number tells the member's streams apart.
func (st *Stream) Number() int { return int(st.number) }

// Talking reports whether the stream sounds now.
func (st *Stream) Talking() bool {
	p := st.player.Load()
	return p != nil && p.Active()
}

// Read fills pcm with what is to be heard next: any number of samples, silence while there is nothing. It
// does not wait: the caller keeps the pace, 48,000 samples a second.
func (st *Stream) Read(pcm []float32) {
	if p := st.player.Load(); p != nil {
		p.Read(pcm, st.room.now())
		return
	}
	clear(pcm)
}

// Stats returns the counters so far.
func (st *Stream) Stats() StreamStats {
	st.mu.Lock()
	defer st.mu.Unlock()
	s := StreamStats{Stats: st.past, Forged: st.forged.Load()}
	if p := st.player.Load(); p != nil {
		s.Stats = addStats(st.past, p.Stats())
	}
	return s
}

// addStats adds up the counters of two players. The delays are those of the later one.
func addStats(past, now jitter.Stats) jitter.Stats {
	now.Received += past.Received
	now.Lost += past.Lost
	now.Late += past.Late
	now.Duplicate += past.Duplicate
	now.Dropped += past.Dropped
	now.Invalid += past.Invalid
	now.Resets += past.Resets
	now.Played += past.Played
	now.Recovered += past.Recovered
	now.Concealed += past.Concealed
	now.Undecodable += past.Undecodable
	now.Accelerated += past.Accelerated
	now.Decelerated += past.Decelerated
	return now
}

// frame takes a media frame: it is played, or held until its key comes.
func (e *keyed) frame(m *wire.Media) {
	st := e.stream
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Now()
	if st.playLocked(e, m.CTR, m.Ciphertext, now) {
		e.link.Seen(m.CTR) // a guess that the low bits of later ones are read by
		st.holdLocked(e, m, now)
	}
}

// playLocked takes a frame that came at a time. It reports whether its key is missing; otherwise the frame is done with.
// The caller holds st.mu.
func (st *Stream) playLocked(e *keyed, ctr uint64, ciphertext []byte, at time.Time) (noKey bool) {
	plain, err := e.opener.Open(st.buf[:0], ctr, ciphertext, time.Now())
	st.held.newest = at
	switch {
	case err == nil:
		st.buf = plain
		st.openedLocked(e, ctr, plain, len(ciphertext), at)
		return false
	case errors.Is(err, e2ee.ErrNoKey):
		return true
	case !errors.Is(err, e2ee.ErrEarly): // which is of before we were here
		st.forgery()
	}
	if st.held.since.IsZero() {
		st.held.since = at // if nothing else comes, our key is wrong
		st.room.keeper.stir()
	}
	return false
}

// openedLocked handles a frame that was decrypted, from size bytes: it drops what came before. The caller holds st.mu.
func (st *Stream) openedLocked(e *keyed, ctr uint64, plain []byte, size int, at time.Time) {
	if st.replay.Ahead(ctr) > maxJump {
		st.forgery() // one frame of somebody who has the key, too, must not make all later ones too old
		return
	}
	e.link.Seen(ctr)
	if st.replay.Accept(ctr) != nil {
		st.room.logHeard(e.link.KID, ctr, size, at, eventlog.ReasonReplay)
		return
	}
	st.room.logHeard(e.link.KID, ctr, size, at, "")
	st.held.keyCame()
	if st.number == wire.ViewStream {
		st.viewLocked(plain)
		return
	}
	if st.unseen.Add(1) == maxUnseen {
		st.room.keeper.unseen(st.owner)
	}
	st.payloadLocked(ctr, plain, at.Sub(st.room.start))
}

// forgery counts a frame that is not its member's.
func (st *Stream) forgery() {
	st.forged.Add(1)
	st.room.forged.Add(1)
}

// viewLocked hands what the member sees to the keeper. The caller holds st.mu.
func (st *Stream) viewLocked(plain []byte) {
	if members, err := wire.ParseView(plain); err == nil && !st.gone() {
		st.room.keeper.seen(st.owner, members)
		for _, other := range st.room.streamsOf(st.owner) {
			other.unseen.Store(0)
		}
	}
}

// payloadLocked gives what a frame holds to the jitter buffer. The caller holds st.mu.
func (st *Stream) payloadLocked(ctr uint64, plain []byte, at time.Duration) {
	payload, err := wire.ParsePayload(plain)
	if err != nil {
		return // of a later version
	}
	packet := jitter.Packet{Counter: ctr, Timestamp: payload.Timestamp, Payload: payload.Codec, Silence: payload.Silence}
	if !payload.Silence {
		if packet.Duration, err = opus.PacketDuration(payload.Codec); err != nil {
			return
		}
	}
	if st.gone() {
		st.room.revive(st)
	}
	player := st.player.Load()
	if player == nil {
		if player = st.beginLocked(); player == nil {
			return
		}
	}
	if !st.fec && !packet.Silence && hasFEC(packet.Payload) {
		st.fec = true
		player.SetMinDelay(packet.Duration + minDelay) // the next packet must be there when one is missing
	}
	player.Put(packet, at)
}

func hasFEC(packet []byte) bool {
	p, err := opus.Parse(packet)
	return err == nil && p.HasFEC()
}

// beginLocked makes the decoder with the first frame. The caller holds st.mu.
func (st *Stream) beginLocked() *jitter.Player {
	if st.gone() || st.over.Load() || st.failed || !st.room.remember(st) {
		return nil
	}
	decoder, err := opus.NewDecoder()
	if err != nil {
		st.room.events.put(Warning{Code: WarnSound, Text: err.Error()})
		st.failed = true
		return nil
	}
	player := jitter.New(playDecoder{decoder}, jitter.Config{MinDelay: minDelay})
	st.player.Store(player)
	if !st.heard.Swap(true) {
		st.room.events.put(StreamStarted{st})
	}
	return player
}

// release frees the decoder and the jitter buffer of a stream whose tail has been played.
func (st *Stream) release() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if p := st.player.Swap(nil); p != nil {
		st.past = addStats(st.past, p.Stats())
	}
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
