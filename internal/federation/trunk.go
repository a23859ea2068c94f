package federation

import (
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// trunkHold is how long a frame may wait for others that share its packet. An alarm may be a millisecond
// late, and no frame may wait for longer than 5 ms.
const trunkHold = 4 * time.Millisecond

// peerLink is a peer.Link that is up.
type peerLink interface {
	trunkLink
	// Send sends an urgent message, and calls acked, unless nil, when the peer has acknowledged it.
	Send(kind wire.UrgentKind, body []byte, acked func())
	// RTT returns how long the round trip is; 0: that is not known.
	RTT() time.Duration
}

// trunkLink is what a trunk sends with.
type trunkLink interface {
	// SendPacket sends whole frames as one packet, and does not keep them. media is how many of them are
	// media.
	SendPacket(tx *link.Tx, frames []byte, media int)
	// AtEnd has f called when what came together with the packet that tx handles has been handled.
	AtEnd(tx *link.Tx, f func(tx *link.Tx))
	// WithTx calls f with a Tx, for who has none.
	WithTx(f func(tx *link.Tx))
	// TakesMedia reports whether packets with media are sent at all now.
	TakesMedia() bool
	// NewAlarm returns an alarm that is not set, with f to call.
	NewAlarm(f func()) link.Alarm
}

// Why a trunk does not take a frame.
const (
	whyGone      = "the stream or the link is gone"
	whyNoAlias   = "more streams go over the link than it has aliases for"
	whyLinkHolds = "the peer does not report that anything arrives, so no media is sent"
)

// trunk puts the media frames of all streams that go over one peer link together in packets.
//
//	stream A ──┐ alias   ┌──────────────────────────────┐  full, or no more expected soon: with the frame
//	stream B ──┼───────> │ frame | frame | frame |      │ ───────────────────────────────────> SendPacket
//	stream C ──┘         └──────────────────────────────┘  at the end of a batch, unless waiting pays;
//	                                                       held for 4 ms: by the alarm, the same
//
// It begins to wait for more only when the recent rate promises more: a few talkers get no delay. It serves
// one time that the link is up: when the peer has forgotten what aliases stand for, it is closed, and another
// is made. All methods are safe for concurrent use.
type trunk struct {
	link   trunkLink
	peer   wire.RelayID
	events *eventlog.Writer  // nil: none
	flush  func(tx *link.Tx) // t.sendDue; made once, since it would be allocated each time
	end    func(tx *link.Tx) // t.ended, likewise

	mu      sync.Mutex // guards what follows; held while a packet is put into a batch
	aliases aliasTable
	rate    frameRate
	packet  []byte     // the frames that wait, cap wire.MaxPlaintext
	frames  int        // how many those are
	due     time.Time  // when they have to be sent
	ending  bool       // end is to be called
	kept    bool       // the frames wait for what comes later
	waiting waiting    // whether that pays
	alarm   link.Alarm // nil until it is needed
	armed   bool       // it is set, and has not called fire yet
	closed  bool
	counts  trunkCounts
}

// trunkCounts are a trunk's totals.
type trunkCounts struct {
	Frames  uint64 // media frames sent
	Packets uint64 // that they were sent in
	Bytes   uint64 // plaintext of those
	Taken   uint64 // aliases of the link that a stream had to give to another
	Unnamed uint64 // frames dropped for which no alias of the link was to be had
	Held    uint64 // frames dropped since the link sends no media
	Dropped uint64 // frames of streams that were gone, and those that the trunk had when it was closed
}

func newTrunk(l trunkLink) *trunk {
	t := &trunk{link: l, packet: make([]byte, 0, wire.MaxPlaintext)}
	t.flush, t.end = t.sendDue, t.ended
	return t
}

// put sends a frame of a stream, now or within trunkHold. Of m, Layer, Ciphertext and the full CTR count; it
// is not changed. tx is the sender's; from is what the frame came by, nil for a local talker's. It returns
// why the frame is not sent; empty: it is.
func (t *trunk) put(tx *link.Tx, st outStream, m *wire.Media, from ingress, now time.Time) (refused string) {
	refused, ending := t.add(tx, st, m, from, now)
	if ending {
		t.link.AtEnd(tx, t.end)
	}
	return refused
}

// add is put. ending says that ended is to be called at the end.
func (t *trunk) add(tx *link.Tx, st outStream, m *wire.Media, from ingress,
	now time.Time) (refused string, ending bool) {
	tx.Lock(&t.mu)
	defer tx.Unlock(&t.mu)
	if t.closed || st.Dropped() {
		t.counts.Dropped++
		return whyGone, false
	}
	if !t.link.TakesMedia() {
		t.counts.Held++
		return whyLinkHolds, false
	}
	alias, short, ok := t.aliases.of(st, m.CTR, from, now)
	if !ok {
		t.counts.Unnamed++
		return whyNoAlias, false
	}
	frame := wire.Media{Layer: m.Layer, Alias: alias, CTR: m.CTR, Ciphertext: m.Ciphertext}
	if !short {
		frame.Tagged, frame.Long, frame.KID, frame.Room = true, true, st.KID(), st.Room()
	}
	t.rate.note(now)
	size := frame.Size(false)
	if len(t.packet)+size > wire.MaxPlaintext {
		t.sendLocked(tx)
	}
	if t.frames == 0 {
		t.due = now.Add(trunkHold)
	}
	if t.kept && !t.ending {
		t.waiting.gained()
	}
	t.frames++
	full := t.frames == wire.MaxFrames || len(t.packet)+2*size > wire.MaxPlaintext
	last := full || !t.rate.worthWaiting(t.due.Sub(now))
	t.packet = wire.AppendMedia(t.packet, &frame, last)
	if last {
		t.sendLocked(tx)
		return "", false
	}
	ending, t.ending = !t.ending, true
	return "", ending
}

// ended sends the frames that wait, or has them wait for those that come later.
func (t *trunk) ended(tx *link.Tx) {
	tx.Lock(&t.mu)
	defer tx.Unlock(&t.mu)
	t.ending = false
	switch {
	case t.closed || t.frames == 0 || t.kept:
	case t.waiting.pays(t.due):
		t.kept = true
		t.armLocked()
	default:
		t.sendLocked(tx)
	}
}

// sendLocked sends the frames that wait. The caller holds t.mu.
func (t *trunk) sendLocked(tx *link.Tx) {
	if t.frames == 0 {
		return
	}
	t.counts.Packets++
	t.counts.Frames += uint64(t.frames)
	t.counts.Bytes += uint64(len(t.packet))
	t.link.SendPacket(tx, t.packet, t.frames)
	t.packet, t.frames, t.kept = t.packet[:0], 0, false
	if t.armed {
		t.armLocked()
	}
}

// armLocked has the alarm go off in trunkHold, and not before. A packet that is sent does not stop it, but
// moves it on, as the next one does when it begins to wait: an alarm that goes off wakes a thread, which
// costs more than a few packets. So in a steady flow it does not; in the end it finds nothing due and does
// nothing. The caller holds t.mu.
func (t *trunk) armLocked() {
	if t.alarm == nil {
		t.alarm = t.link.NewAlarm(t.fire)
	}
	t.armed = true
	t.alarm.Set(trunkHold)
}

// fire is the alarm's.
func (t *trunk) fire() {
	t.mu.Lock()
	t.armed = false
	waiting := t.frames > 0 && !t.closed
	if waiting {
		t.waiting.lost(t.due)
	}
	t.mu.Unlock()
	if waiting {
		t.link.WithTx(t.flush)
	}
}

// sendDue sends the frames that have waited for trunkHold.
func (t *trunk) sendDue(tx *link.Tx) {
	tx.Lock(&t.mu)
	defer tx.Unlock(&t.mu)
	if !t.closed && !time.Now().Before(t.due) {
		t.sendLocked(tx)
	}
}

// aliasAcked notes that the peer knows what an alias stands for: its frames travel short from now on.
func (t *trunk) aliasAcked(pair wire.AliasPair) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.aliases.acked(pair)
}

// total returns the counts so far.
func (t *trunk) total() trunkCounts {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := t.counts
	counts.Taken += t.aliases.taken
	return counts
}

// close drops what waits, and returns when the alarm is stopped; nothing is sent after it. It must not be
// called by what SendPacket or WithTx calls.
func (t *trunk) close() {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		t.counts.Dropped += uint64(t.frames)
		t.packet, t.frames, t.kept = nil, 0, false
		t.counts.Taken += t.aliases.taken
		t.aliases = aliasTable{}
	}
	alarm := t.alarm
	t.alarm = nil
	t.mu.Unlock()
	if alarm != nil {
		alarm.Stop() // without t.mu, which fire takes; nobody sets it any more
	}
}

var _ room.Trunk = (*trunk)(nil)

// SendStream implements room.Trunk.
func (t *trunk) SendStream(tx *link.Tx, st *room.Stream, m *wire.Media, from room.Trunk) {
	t.send(tx, st, m, from)
}

// send is put, and notes in the event log what becomes of the frame.
func (t *trunk) send(tx *link.Tx, st outStream, m *wire.Media, from ingress) {
	if t.events == nil {
		t.put(tx, st, m, from, tx.Now())
		return
	}
	event := packet(eventlog.FederationEgress, t.peer, st.Room(), st.KID(), m)
	event.Time = time.Now().UnixMicro() // it may have arrived before put returns
	if refused := t.put(tx, st, m, from, tx.Now()); refused != "" {
		event.Kind, event.Reason = eventlog.QueueDrop, refused
	}
	t.events.Log(event)
}
