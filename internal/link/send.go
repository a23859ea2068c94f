package link

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Tx is what a goroutine needs for sending: a batch of packets and scratch memory. The handler of
// a received packet gets one; what it sends leaves when the received batch has been handled.
type Tx struct {
	batch *udp.Batch
	now   time.Time     // of the packet or tick that is being handled
	at    time.Duration // the same on the Endpoint's clock
	// packet is the counter of the packet that is being handled, on its session.
	packet uint64
	nonce  seal.Nonce
	plain  []byte // scratch for frames of our own
	// touched is written by SendMediaAll and means nothing.
	touched int
	ends    []func(tx *Tx) // what Finish has to call
	media   wire.Media     // that is being handled; a local one would be allocated
	source  budget.Source  // of the media that is being sent

	// Short and Long are scratch for the two forms of a media frame, cap wire.MaxPlaintext.
	Short, Long []byte
}

// Now returns when the packet that is being handled came.
func (tx *Tx) Now() time.Time { return tx.now }

// At returns the same on a clock that never goes back.
func (tx *Tx) At() time.Duration { return tx.at }

// From says whose media is sent next, to share out what a listener's path carries.
func (tx *Tx) From(source budget.Source) { tx.source = source }

// AtEnd has f called once, when what came together with the packet that is being handled has been handled, before
// what that led to is sent: f may send with the same system call.
func (tx *Tx) AtEnd(f func(tx *Tx)) { tx.ends = append(tx.ends, f) }

// Lock locks mu. Until Unlock nothing is sent, which may take 2 ms: packets that the batch has no room for wait. tx may be nil.
func (tx *Tx) Lock(mu sync.Locker) {
	mu.Lock()
	if tx != nil {
		tx.batch.Hold()
	}
}

// Unlock unlocks mu.
func (tx *Tx) Unlock(mu sync.Locker) {
	if tx != nil {
		tx.batch.Release()
	}
	mu.Unlock()
}

// Finish is the batch's, at the end.
func (tx *Tx) Finish() {
	for i := 0; i < len(tx.ends); i++ { // which may grow
		tx.ends[i](tx)
	}
	clear(tx.ends)
	tx.ends = tx.ends[:0]
}

// SendMedia sends a media frame, which is the only one of its packet, in its short or its long form, as the
// peer has acknowledged alias or not. It never blocks and allocates nothing.
func (s *Session) SendMedia(tx *Tx, alias uint16, short, long []byte) {
	s.sendMedia(tx, s.route.Load(), alias, short, long)
}

// TakesMedia reports whether media is sent to the peer now: the circuit breaker is closed, and there is a way to it.
func (s *Session) TakesMedia() bool { return !s.stopped.Load() && s.route.Load() != nil }

// lookAhead is for how many sessions SendMediaAll loads memory at a time.
const lookAhead = 16

// SendMediaAll is SendMedia to many sessions. What thousands of them need for sending is in no cache, and loads that
// follow from each other wait for each other; so it loads for some sessions what it needs next, and those loads
// overlap.
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

// Unsent says why media is not sent to a peer.
type Unsent uint8

// The reasons.
const (
	Sent        Unsent = iota
	UnsentHeld         // nothing shows that packets arrive, or there is no way to the peer
	UnsentShare        // the path is too narrow for all, and this is above the talker's share
)

// TrySendMedia is SendMedia, and says what became of it.
func (s *Session) TrySendMedia(tx *Tx, alias uint16, short, long []byte) Unsent {
	return s.sendMedia(tx, s.route.Load(), alias, short, long)
}

func (s *Session) sendMedia(tx *Tx, r *route, alias uint16, short, long []byte) Unsent {
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
	if share := s.share.Load(); share != nil && !share.Take(tx.source, len(frame)+packetOverhead, tx.at) {
		s.refuseMedia(len(frame) + packetOverhead)
		return UnsentShare
	}
	s.mediaSent.add(len(frame) + packetOverhead)
	s.expect(tx)
	s.transmitOn(tx, r, &r.path, frame)
	return Sent
}

// refuseMedia counts a media packet that is more than its talker's share of a path that is too narrow for all.
func (s *Session) refuseMedia(size int) {
	s.mediaRefused.Add(1)
	s.ep.drops.AddBytes(drops.ListenerPath, size)
}

// SendPacket sends frames, which are whole and whose last one ends with the packet, as one packet. media is how many
// of them are media frames; 0: what else the caller has to say, which wants no report and is sent while the circuit
// breaker is open, too. It never blocks and allocates nothing. More than wire.MaxPlaintext bytes, or none, are not
// sent.
func (s *Session) SendPacket(tx *Tx, frames []byte, media int) {
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
func (s *Session) SendMediaNow(alias uint16, m *wire.Media) {
	s.ep.WithTx(func(tx *Tx) {
		m.Alias = alias
		m.Long = false
		tx.Short = wire.AppendMedia(tx.Short[:0], m, true)
		m.Long = true
		tx.Long = wire.AppendMedia(tx.Long[:0], m, true)
		s.SendMedia(tx, alias, tx.Short, tx.Long)
	})
}

// SendUrgent sends a message that is repeated until the peer acknowledges it. body is kept. It fails with
// ErrUrgentFull or ErrOver.
func (s *Session) SendUrgent(kind wire.UrgentKind, body []byte) error {
	return s.SendUrgentThen(kind, body, nil)
}

// SendUrgentThen is SendUrgent, and done, unless nil, is called once when the peer has acknowledged the message
// (acked), or when the session has ended or the relay has forgotten it before that: on the goroutine that receives
// the acknowledgement, or that ends the session, with no lock of this package held that matters to it: it may do
// all that Handler.Urgent may. When SendUrgentThen fails, done is not called.
func (s *Session) SendUrgentThen(kind wire.UrgentKind, body []byte, done func(acked bool)) error {
	var err error
	s.ep.WithTx(func(tx *Tx) {
		tx.Lock(&s.mu)
		defer tx.Unlock(&s.mu)
		if s.ended {
			err = ErrOver
		} else if err = s.urgentOut.add(kind, body, done); err == nil {
			s.stir()
			s.urgentLocked(tx)
		}
	})
	return err
}

// UrgentPending returns how many urgent messages wait for their acknowledgement.
func (s *Session) UrgentPending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.urgentOut.size()
}

// urgentLocked sends the urgent messages whose time has come. The caller holds s.mu.
func (s *Session) urgentLocked(tx *Tx) {
	if s.out.Load() == nil {
		return
	}
	s.meter.look(s.mediaSent.bytes(), tx.at)
	path := pathView{
		media:  s.meter.rate(s.mediaSent.bytes(), tx.at),
		rtt:    s.send.quality.RTT,
		jitter: s.send.quality.Jitter,
	}
	s.urgentOut.due(tx.now, path, func(m *urgentMessage, ping int) {
		tx.plain = tx.plain[:0]
		if ping != 0 {
			tx.plain = wire.AppendEcho(tx.plain, wire.FramePing, pingData(tx.at, ping), false)
		}
		u := wire.Urgent{Number: m.number, Kind: m.kind, Message: m.body}
		tx.plain = wire.AppendUrgent(tx.plain, &u, true)
		s.expect(tx)
		s.transmit(tx, tx.plain)
	})
}

// ping asks the peer for a sign of life.
func (s *Session) ping(tx *Tx) {
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

// expect notes that something is sent that the peer will report.
func (s *Session) expect(tx *Tx) {
	if s.waiting.Load() == 0 {
		s.waiting.CompareAndSwap(0, max(1, int64(tx.at)))
	}
}

// route is what sending to a peer takes, in one piece: a fan-out should not have to follow pointers for it. It
// is never changed, only replaced.
type route struct {
	key    seal.Key
	remote wire.ConnID
	path   udp.Path
	web    *webConn // not nil: the peer is a browser, and nothing else counts
}

// setOutLocked makes a the attachment to send with; nil stops sending. The caller holds s.mu.
func (s *Session) setOutLocked(a *attachment) {
	if old := s.out.Swap(a); old != a && (old.ofBrowser() || a.ofBrowser()) {
		s.urgentOut.pace.forget()
		s.widenLocked()
	}
	s.rerouteLocked()
}

// setPathLocked makes path the one to send to. The caller holds s.mu.
func (s *Session) setPathLocked(path udp.Path) {
	if old := s.path.Swap(&path); old == nil || old.Peer != path.Peer {
		s.urgentOut.pace.forget()
		s.widenLocked()
	}
	s.rerouteLocked()
}

// rerouteLocked makes the route anew. The caller holds s.mu.
func (s *Session) rerouteLocked() {
	out, path := s.out.Load(), s.path.Load()
	if out.ofBrowser() {
		s.route.Store(&route{key: unusedKey, web: out.web})
		return
	}
	if out == nil || path == nil {
		s.route.Store(nil)
		return
	}
	if key, ok := out.sealer.Key(s.counter.Load()); ok {
		s.route.Store(&route{key: key, remote: out.remote, path: *path})
	}
}

// transmit seals frames as one packet and adds it to the batch.
func (s *Session) transmit(tx *Tx, frames []byte) {
	if r := s.route.Load(); r != nil {
		s.transmitOn(tx, r, &r.path, frames)
	}
}

// transmitTo is transmit to another path.
func (s *Session) transmitTo(tx *Tx, path udp.Path, frames []byte) {
	if r := s.route.Load(); r != nil {
		s.transmitOn(tx, r, &path, frames)
	}
}

func (s *Session) transmitOn(tx *Tx, r *route, path *udp.Path, frames []byte) {
	counter := s.counter.Add(1) - 1
	if r.web != nil {
		s.sent.put(counter, tx.at)
		r.web.enqueue(counter, frames, tx.source, tx.at)
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
func (s *Session) rekeyed(counter uint64) *route {
	out := s.out.Load()
	if out == nil || out.ofBrowser() {
		return nil
	}
	s.stir()
	key, ok := out.sealer.Key(counter)
	if !ok {
		return nil
	}
	return &route{key: key, remote: out.remote}
}
