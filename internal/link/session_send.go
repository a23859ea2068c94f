package link

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// sender sends the packets of a session. It takes no lock: any number of goroutines may send at once, each
// with its own Tx. What a fan-out needs comes first, with the words of the first aliases, so that it touches
// one cache line of each session.
type sender struct {
	counter    atomic.Uint64 // of the next packet
	acked      atomic.Uint64 // one above the highest counter that a report acknowledged
	route      atomic.Pointer[route]
	waiting    atomic.Int64 // since when (Tx.At) nothing shows that packets arrive; 0: they do
	stopped    atomic.Bool  // the circuit breaker is open: no media
	elicited   atomic.Bool  // the remote sent something that wants a report
	mediaSent  mediaCount
	share      atomic.Pointer[budget.Pool] // of media, by talker, on a narrow path; nil: all is sent
	aliasKnown [wire.MaxAliases / 64]atomic.Uint64
	mediaHeld  atomic.Uint64 // media frames not sent because of the circuit breaker
	// mediaRefused counts media frames that share kept back.
	mediaRefused atomic.Uint64
	reportAt     atomic.Int64 // when (Endpoint.clock) the next report may be due
	idleUntil    atomic.Int64 // until when (Endpoint.clock) no tick has anything to do
	sent         sentTimes
	out          atomic.Pointer[attachment] // the one to send with
	path         atomic.Pointer[udp.Path]   // where to

	ep *Endpoint
}

// SendMedia sends a media frame, which is the only one of its packet, in its short or its long form, as the
// peer has acknowledged alias or not. It never blocks and allocates nothing.
func (s *sender) SendMedia(tx *Tx, alias uint16, short, long []byte) {
	s.sendMedia(tx, s.route.Load(), alias, short, long)
}

// TakesMedia reports whether media is sent to the remote now: the circuit breaker is closed, and there is a
// way to it.
func (s *sender) TakesMedia() bool { return !s.stopped.Load() && s.route.Load() != nil }

// lookAhead is for how many sessions SendMediaAll loads memory at a time.
const lookAhead = 16

// SendMediaAll is SendMedia to many sessions. What thousands of them need for sending is in no cache, and
// loads that follow from each other wait for each other; so it loads for some sessions what it needs next,
// and those loads overlap.
func SendMediaAll(tx *Tx, to []*Session, alias uint16, short, long []byte) {
	var routes [lookAhead]*route
	for len(to) > 0 {
		some := to[:min(len(to), lookAhead)]
		to = to[len(some):]
		for i, s := range some {
			routes[i] = s.route.Load()
		}
		for _, r := range routes[:len(some)] {
			if r != nil {
				tx.touched += r.key.Touch()
			}
		}
		for i, s := range some {
			s.sendMedia(tx, routes[i], alias, short, long)
		}
	}
}

// Unsent says why media is not sent to the remote.
type Unsent uint8

// The reasons.
const (
	Sent        Unsent = iota
	UnsentHeld         // nothing shows that packets arrive, or there is no way to the remote
	UnsentShare        // the path is too narrow for all, and this is above the talker's share
)

// TrySendMedia is SendMedia, and says what became of it.
func (s *sender) TrySendMedia(tx *Tx, alias uint16, short, long []byte) Unsent {
	return s.sendMedia(tx, s.route.Load(), alias, short, long)
}

func (s *sender) sendMedia(tx *Tx, r *route, alias uint16, short, long []byte) Unsent {
	switch {
	case s.stopped.Load():
		s.mediaHeld.Add(1)
		return UnsentHeld
	case r == nil:
		return UnsentHeld
	}
	frame := short
	if !s.AliasKnown(alias) {
		frame = long
	}
	size := len(frame) + packetOverhead
	if share := s.share.Load(); share != nil && !share.Take(tx.source, size, tx.at) {
		s.mediaRefused.Add(1)
		s.ep.drops.AddBytes(drops.ListenerPath, size)
		return UnsentShare
	}
	s.mediaSent.add(size)
	s.expect(tx)
	s.transmitOn(tx, r, &r.path, frame)
	return Sent
}

// SendPacket sends frames, which are whole and whose last one ends with the packet, as one packet. media is
// how many of them are media frames; 0: what else the caller has to say, which wants no report and is sent
// while the circuit breaker is open, too. It never blocks and allocates nothing. More than wire.MaxPlaintext
// bytes, or none, are not sent.
func (s *sender) SendPacket(tx *Tx, frames []byte, media int) {
	r := s.route.Load()
	switch {
	case len(frames) == 0 || len(frames) > wire.MaxPlaintext:
		return
	case media > 0 && s.stopped.Load():
		s.mediaHeld.Add(uint64(media))
		return
	case r == nil:
		return
	}
	if media > 0 {
		s.mediaSent.add(len(frames) + packetOverhead)
		s.expect(tx)
	}
	s.transmitOn(tx, r, &r.path, frames)
}

// SendMediaNow is SendMedia for goroutines that have no Tx.
func (s *sender) SendMediaNow(alias uint16, m *wire.Media) {
	s.ep.WithTx(func(tx *Tx) {
		m.Alias = alias
		m.Long = false
		tx.Short = wire.AppendMedia(tx.Short[:0], m, true)
		m.Long = true
		tx.Long = wire.AppendMedia(tx.Long[:0], m, true)
		s.SendMedia(tx, alias, tx.Short, tx.Long)
	})
}

// ping asks the remote for a sign of life.
func (s *sender) ping(tx *Tx) {
	tx.plain = wire.AppendEcho(tx.plain[:0], wire.FramePing, pingData(tx.at, 0), true)
	s.expect(tx)
	s.transmit(tx, tx.plain)
}

// pingFrame is the size of a ping that is not the last frame, in bytes.
const pingFrame = 1 + 1 + 8

// pingTime is how many bits of a ping say when it was sent (Endpoint.clock, in ns); the others are its kind.
const pingTime = 62

// pingData returns the content of a ping of a kind below pingSizes.
func pingData(at time.Duration, kind int) (data [8]byte) {
	binary.BigEndian.PutUint64(data[:], uint64(kind)<<pingTime|uint64(at))
	return data
}

// parsePing returns what pingData was given.
func parsePing(data [8]byte) (at time.Duration, kind int) {
	v := binary.BigEndian.Uint64(data[:])
	return time.Duration(v & (1<<pingTime - 1)), int(v >> pingTime)
}

// expect notes that something is sent that the remote will report.
func (s *sender) expect(tx *Tx) {
	if s.waiting.Load() == 0 {
		s.waiting.CompareAndSwap(0, max(1, int64(tx.at)))
	}
}

// AliasKnown tells whether the remote has acknowledged an alias of ours.
func (s *sender) AliasKnown(alias uint16) bool {
	return s.aliasKnown[alias/64].Load()&(1<<(alias%64)) != 0
}

// SetAliasKnown notes that the remote knows, or must learn again, what an alias of ours stands for. While it
// does not, SendMedia sends the long form.
func (s *sender) SetAliasKnown(alias uint16, known bool) {
	if known {
		s.aliasKnown[alias/64].Or(1 << (alias % 64))
	} else {
		s.aliasKnown[alias/64].And(^uint64(1 << (alias % 64)))
	}
}

// arrived notes that what we send arrives.
func (s *sender) arrived() {
	s.waiting.Store(0)
	s.stopped.Store(false)
}

// transmit seals frames as one packet and adds it to the batch.
func (s *sender) transmit(tx *Tx, frames []byte) {
	if r := s.route.Load(); r != nil {
		s.transmitOn(tx, r, &r.path, frames)
	}
}

// transmitTo is transmit to another path.
func (s *sender) transmitTo(tx *Tx, path udp.Path, frames []byte) {
	if r := s.route.Load(); r != nil {
		s.transmitOn(tx, r, &path, frames)
	}
}

func (s *sender) transmitOn(tx *Tx, r *route, path *udp.Path, frames []byte) {
	counter := s.counter.Add(1) - 1
	if r.web != nil {
		s.sent.put(counter, tx.at)
		if r.web.queue.push(counter, frames, tx.source, tx.at) {
			s.ep.drops.Add(drops.BrowserQueue, 1)
		}
		return
	}
	long := counter-s.acked.Load() >= longAfter
	if !r.key.Covers(counter) {
		if r = s.rekeyed(counter); r == nil {
			return
		}
	}
	header := wire.AppendHeader(tx.batch.Buffer(), r.remote, counter, long)
	packet := r.key.Seal(header, frames, counter, &tx.nonce)
	s.sent.put(counter, tx.at)
	tx.batch.Commit(len(packet), *path)
}

// rekeyed returns a route with the key for counter, which is of another generation than the route's. The next
// tick makes that the route of all.
func (s *sender) rekeyed(counter uint64) *route {
	out := s.out.Load()
	if out == nil || out.ofBrowser() {
		return nil
	}
	s.wake()
	key, ok := out.sealer.Key(counter)
	if !ok {
		return nil
	}
	return &route{key: key, remote: out.remote}
}
