package call

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// maxAliases is how many aliases take no further byte on the wire. Keys change at most once a second, so each
// rests for some 14 s before it stands for another key id.
const maxAliases = 28

// sender is what a room sends by its bearer.
//
//	Publication, keeper's view ── payload ──> outlet: Sealer, alias ──> link.Session
//	keeper ── keys, questions ──> urgent ──> bearer
type sender struct {
	bearer   bearer
	eventLog packetLog
	clock    clock

	packets, payload atomic.Uint64 // of publications; bytes of the codec
	last             atomic.Int64  // when a publication sent a packet last, on the clock
	sent             atomic.Int64  // when a frame of any stream was sent last, likewise

	mu      sync.Mutex           // guards what follows
	newest  uint16               // alias
	aliases [maxAliases]wire.KID // what they stand for
}

// outlet is one stream that we send. It belongs to one goroutine.
type outlet struct {
	sealer *e2ee.Sealer
	pair   wire.AliasPair
	buf    []byte
}

// send encrypts and sends a payload.
func (s *sender) send(o *outlet, payload []byte) error {
	if !s.bearer.Talks() {
		return nil
	}
	kid, ctr, ciphertext, err := o.sealer.Seal(o.buf[:0], payload)
	if err != nil {
		return err
	}
	o.buf = ciphertext
	session := s.bearer.Session()
	if kid != o.pair.KID {
		o.pair = s.rename(session, kid)
	}
	s.eventLog.noteSent(kid, ctr, len(ciphertext))
	s.sent.Store(int64(s.clock.now()))
	session.SendMediaNow(o.pair.Alias, &wire.Media{KID: kid, CTR: ctr, Ciphertext: ciphertext})
	return nil
}

// count counts a packet of a publication, with so many bytes of the codec.
func (s *sender) count(codec int) {
	s.packets.Add(1)
	s.payload.Add(uint64(codec))
	s.last.Store(int64(s.clock.now()))
}

// silentFor returns how long no publication has sent anything.
func (s *sender) silentFor() time.Duration { return s.clock.now() - time.Duration(s.last.Load()) }

// rename returns another alias for another key id: frames under way still carry the one before.
func (s *sender) rename(session *link.Session, kid wire.KID) wire.AliasPair {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = (s.newest + 1) % maxAliases
	s.aliases[s.newest] = kid
	session.SetAliasKnown(s.newest, false)
	return wire.AliasPair{Alias: s.newest, KID: kid}
}

// aliasAcked notes that the relay knows what an alias stands for.
func (s *sender) aliasAcked(session *link.Session, pair wire.AliasPair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pair.Alias < maxAliases && s.aliases[pair.Alias] == pair.KID {
		session.SetAliasKnown(pair.Alias, true)
	}
}

// urgent sends an urgent message; acked, unless nil, is told whether it arrived.
func (s *sender) urgent(kind wire.UrgentKind, body []byte, acked func(bool)) error {
	return s.bearer.SendUrgentThen(kind, body, acked)
}

// clock is the time since a room was joined, which its streams run on.
type clock struct{ start time.Time }

func (c clock) now() time.Duration { return time.Since(c.start) }
