package call

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxStreams bounds the streams that are remembered, some 1.5 KB each. Those silent for longest give way.
	maxStreams = 4096
	// maxStreamsOfMember bounds those of one member that are to be played, one a publication.
	maxStreamsOfMember = 16
	// maxUnknown bounds the talkers of whom the relay has not told yet: frames may be faster than news.
	maxUnknown = 64
	// streamTail is how long a stream is still played after its member has left.
	streamTail = 3 * time.Second
	// releaseAfter is when its memory is freed.
	releaseAfter = streamTail + 2*time.Second
	// forgetAfter is when a talker who left is forgotten: later than its keys.
	forgetAfter = 30 * time.Second
	pruneEvery  = time.Second
)

// hearing is what a room hears.
//
//	frame ── keyed ──> talker ── opens, for the first time ──> Stream ── sounds ──> jitter.Player, maxLive
//	                     ├─ no key: heldFrames                    └─ silent for restAfter: none
//	                     └─ does not open: counted
//
// Whoever is on the way can send frames in anybody's name, so nothing but a frame that opens, and was not
// taken before, makes a stream, or has another one give way. What others cost is bounded: a member who is in
// the room has one talker, whatever its frames say, and who is not has one of maxUnknown, which give way to
// each other only. Frames without a key are shared out by talker, too (see heldFrames).
//
// Nothing here decides what is a replay: what was taken is known to the e2ee.Listener, for as long as a key
// of its talker could come again. So all that is here may be forgotten at any time, and is made anew by the
// next frame that opens.
type hearing struct {
	self     wire.MemberID
	roster   *roster
	listener *e2ee.Listener
	eventLog packetLog
	clock    clock
	tell     func(news)
	changes  atomic.Uint64 // counts changes of what Room.Streams returns
	opened   atomic.Int64  // when a frame was decrypted last, on the clock

	// mu guards what follows, and what talkers, heldFrames and Streams say. News are told without it.
	mu        sync.Mutex
	talkers   map[wire.MemberID]*talker
	unknown   []*talker // of whom the relay has not told, as far as was looked; the oldest first
	streams   map[streamID]*Stream
	history   []*Stream // the same, those that were heard first first
	live      []*Stream // those with a player, the newest last
	heldBytes int       // of frames that wait for their keys
	forged    uint64    // frames that did not decrypt, whoever they claimed to be from
	buf       []byte    // a frame's plaintext
	unheard   uint64    // frames that were not played because too many sounded
	crowded   bool      // people were told of that
	over      bool
}

// streamID is whose stream it is, and which.
type streamID struct {
	owner  wire.MemberID
	number uint8
}

// news is what a hearing has to tell others.
type news struct {
	undecrypted bool // frames wait for keys
	views       []viewOf
	blind       []wire.MemberID // who talks and does not say what it sees
	events      []Event
}

// viewOf is what a member says that it sees.
type viewOf struct {
	member wire.MemberID
	digest [32]byte
}

func newHearing(
	self wire.MemberID, roster *roster, listener *e2ee.Listener, eventLog packetLog, tell func(news),
) *hearing {
	return &hearing{
		self: self, roster: roster, listener: listener, eventLog: eventLog, tell: tell,
		clock:   clock{time.Now()},
		talkers: make(map[wire.MemberID]*talker), streams: make(map[streamID]*Stream),
	}
}

// Streams returns the streams heard so far of those who are still in the room, by member id.
func (r *Room) Streams() []*Stream {
	h := r.hearing
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*Stream
	for _, t := range h.talkers {
		list = append(list, t.current...)
	}
	slices.SortFunc(list, func(a, b *Stream) int {
		return cmp.Or(a.owner.Compare(b.owner), cmp.Compare(a.number, b.number))
	})
	return list
}

// Heard returns every stream that is remembered, the first ones first.
func (r *Room) Heard() []*Stream {
	r.hearing.mu.Lock()
	defer r.hearing.mu.Unlock()
	return slices.Clone(r.hearing.history)
}

// passOn tells news, if there are any. It is called without h.mu.
func (h *hearing) passOn(n *news) {
	if n.undecrypted || len(n.views)+len(n.blind)+len(n.events) > 0 {
		h.tell(*n)
	}
}

// streamLocked returns a stream of a talker who is here, which becomes one of those to be played.
func (h *hearing) streamLocked(t *talker, number uint8, n *news) *Stream {
	id := streamID{t.id, number}
	st := h.streams[id]
	if st == nil {
		if len(h.history) >= maxStreams {
			h.forgetLocked()
		}
		st = &Stream{of: h, streamID: id, member: Member{ID: t.id}, minDelay: minDelay}
		st.retired.Store(true)
		h.streams[id] = st
		h.history = append(h.history, st)
		n.events = append(n.events, StreamStarted{st})
	}
	if st.retired.Load() {
		if len(t.current) >= maxStreamsOfMember {
			h.retireLocked(t, quietest(t.current))
		}
		t.current = append(t.current, st)
		st.retired.Store(false)
		h.changes.Add(1)
	}
	return st
}

// quietest returns the stream that was silent for longest.
func quietest(list []*Stream) *Stream {
	return slices.MinFunc(list, func(a, b *Stream) int { return cmp.Compare(a.sounded, b.sounded) })
}

// retireLocked ends that a stream is to be played, until its next frame.
func (h *hearing) retireLocked(t *talker, st *Stream) {
	t.current = slices.DeleteFunc(slices.Clone(t.current), func(o *Stream) bool { return o == st })
	st.retired.Store(true)
	st.retiredAt = h.clock.now()
	h.changes.Add(1)
}

// forgetLocked forgets the stream that was silent for longest, but for those with a player.
func (h *hearing) forgetLocked() {
	resting := make([]*Stream, 0, len(h.history))
	for _, st := range h.history {
		if st.player.Load() == nil {
			resting = append(resting, st)
		}
	}
	st := quietest(resting) // there are more streams than players
	if t := h.talkers[st.owner]; t != nil && !st.retired.Load() {
		h.retireLocked(t, st)
	}
	delete(h.streams, st.streamID)
	h.history = slices.DeleteFunc(h.history, func(o *Stream) bool { return o == st })
}

// forgetStreams ends the streams of a member who left, once what is buffered has been played.
func (h *hearing) forgetStreams(m Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.talkers[m.ID]
	if t == nil {
		return
	}
	t.leftAt = max(1, h.clock.now())
	t.told.hand = false
	h.dropHeldLocked(t, len(t.held.frames))
	t.held.keyCame()
	for _, st := range t.current {
		h.retireLocked(t, st)
		st.member = m
	}
}

// pruneStreams frees what is not needed any more, until done is closed.
func (h *hearing) pruneStreams(done <-chan struct{}) {
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			h.prune()
		}
	}
}

func (h *hearing) prune() {
	var n news
	h.mu.Lock()
	h.pruneLocked(&n)
	h.mu.Unlock()
	h.passOn(&n)
}

func (h *hearing) pruneLocked(n *news) {
	now := h.clock.now()
	h.releaseSilentLocked(now)
	for _, t := range h.talkers {
		h.lowerLocked(t, time.Now(), n)
		if t.leftAt != 0 && now-t.leftAt > forgetAfter {
			h.dropLocked(t)
		}
	}
	h.noteKnownLocked()
	for _, t := range slices.Clone(h.unknown) {
		if t.held.since.IsZero() { // nothing of it waits
			h.dropLocked(t)
		}
	}
}

// close ends all streams.
func (h *hearing) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	for _, t := range h.talkers {
		for _, st := range t.current {
			st.retired.Store(true)
		}
	}
}
