package wzp

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/jitter"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/wire"
)

// Stream is what one member says. Its sound is read by one goroutine: Play, or whoever calls Read.
type Stream struct {
	room *Room
	kid  wire.KID
	link *link.Stream

	mu     sync.Mutex // guards what follows
	key    *e2ee.Key
	replay e2ee.ReplayWindow
	buf    []byte

	player  atomic.Pointer[jitter.Player] // nil until the first frame that decrypts
	decoder *opus.Decoder                 // set before player, closed by close
	forged  atomic.Uint64
	gone    atomic.Bool // its member has left
	member  Member      // guarded by room.roster.mu: who it was when last known
}

// StreamStats say how a stream was received.
type StreamStats struct {
	jitter.Stats
	Forged uint64 // frames that did not decrypt
}

func newStream(r *Room, kid wire.KID) (*Stream, error) {
	key, err := mediaKey(kid)
	if err != nil {
		return nil, err
	}
	st := &Stream{room: r, kid: kid, key: key, link: &link.Stream{KID: kid}, member: Member{ID: kid.Member()}}
	st.link.Owner = st
	return st, nil
}

// Member returns whose stream it is. Before the relay has told of the member, only ID is set.
func (st *Stream) Member() Member {
	st.room.roster.mu.Lock()
	defer st.room.roster.mu.Unlock()
	if m, ok := st.room.roster.present[st.kid.Member()]; ok {
		st.member = m
	}
	return st.member
}

// Number tells the member's streams apart.
func (st *Stream) Number() int { return int(st.kid.Stream()) }

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
	s := StreamStats{Forged: st.forged.Load()}
	if p := st.player.Load(); p != nil {
		s.Stats = p.Stats()
	}
	return s
}

// heard reports whether anything ever came that decrypts.
func (st *Stream) heard() bool { return st.player.Load() != nil }

// frame takes a media frame: decrypts it, drops what came before, and gives it to the jitter buffer.
func (st *Stream) frame(m *wire.Media) {
	st.mu.Lock()
	defer st.mu.Unlock()
	plain, err := st.key.Open(st.buf[:0], m.CTR, m.Ciphertext)
	if err != nil {
		st.forged.Add(1)
		return
	}
	st.buf = plain
	if st.replay.Accept(m.CTR) != nil {
		return
	}
	st.link.Seen(m.CTR)
	payload, err := wire.ParsePayload(plain)
	if err != nil {
		return // of a later version
	}
	player := st.player.Load()
	if player == nil {
		if player = st.begin(); player == nil {
			return
		}
	}
	packet := jitter.Packet{Counter: m.CTR, Timestamp: payload.Timestamp, Payload: payload.Codec, Silence: payload.Silence}
	if !payload.Silence {
		if packet.Duration, err = opus.PacketDuration(payload.Codec); err != nil {
			return
		}
	}
	player.Put(packet, st.room.now())
}

// begin makes the decoder with the first frame. The caller holds st.mu.
func (st *Stream) begin() *jitter.Player {
	if st.gone.Load() {
		return nil
	}
	decoder, err := opus.NewDecoder()
	if err != nil {
		st.room.events.put(Warning{err.Error()})
		st.gone.Store(true)
		return nil
	}
	st.decoder = decoder
	player := jitter.New(playDecoder{decoder}, jitter.Config{})
	st.player.Store(player)
	st.room.remember(st)
	st.room.events.put(StreamStarted{st})
	return player
}

// playDecoder is an opus.Decoder as the jitter buffer wants it.
type playDecoder struct{ *opus.Decoder }

// Conceal implements jitter.Decoder.
func (d playDecoder) Conceal(dst []float32) {
	if d.Decoder.Conceal(dst) != nil {
		clear(dst)
	}
}

// remember keeps a stream in the room's history.
func (r *Room) remember(st *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.history) < maxStreamsHeld {
		r.history = append(r.history, st)
	}
}

// forgetStreams lets the streams of a member go, once what is buffered has been played.
func (r *Room) forgetStreams(id wire.MemberID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for kid, st := range r.streams {
		if kid.Member() == id {
			st.gone.Store(true)
			delete(r.streams, kid)
		}
	}
}

// closeStreams ends all streams.
func (r *Room) closeStreams() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, st := range r.streams {
		st.gone.Store(true)
	}
}

// streamTail is how long a stream is still played after its member has left.
const streamTail = 3 * time.Second
