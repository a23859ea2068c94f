package call

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	maxHeldFrames   = 64              // of a stream
	maxHeldOfTalker = 128             // of all streams of one
	maxHeldTime     = 5 * time.Second // for which a frame waits for its key
	maxHeldBytes    = 1 << 20         // of a room
	askAfter        = 1500 * time.Millisecond
	askEvery        = 2 * time.Second
	tellEvery       = time.Second
	noKeyWarn       = 10 * time.Second // of frames without a key
)

// heldFrames are the frames of a talker whose key has not come, so that the first word is heard however late
// the key is. The hearing's mu guards them. The zero value is empty.
//
//	no key ── hold ──> held ──key comes: playHeld──> jitter buffer, with the times at which they came
//	                    └──1.5 s: ask the talker; 5 s: dropped; 10 s: warn
//
// Nobody knows whether they are genuine, so the space for them is shared out: when it is full, the oldest
// frame of who has most gives way, and of those whom the relay has not told of first.
type heldFrames struct {
	frames []frame
	bytes  int
	since  time.Time // of the first frame that did not open, after the last that did; zero: none
	newest time.Time // of the newest frame that did not
	asked  time.Time
	told   time.Time // when the keeper was
}

// keyCame notes that the newest frame could be decrypted.
func (f *heldFrames) keyCame() { f.since, f.asked = time.Time{}, time.Time{} }

// dropHeldLocked takes away the first n frames of a talker.
func (h *hearing) dropHeldLocked(t *talker, n int) {
	for _, f := range t.held.frames[:n] {
		t.held.bytes -= len(f.ciphertext)
		h.heldBytes -= len(f.ciphertext)
	}
	t.held.frames = slices.Delete(t.held.frames, 0, n)
}

// expireHeldLocked drops the frames of a talker that are too old.
func (h *hearing) expireHeldLocked(t *talker, now time.Time) {
	n := 0
	for n < len(t.held.frames) && now.Sub(t.held.frames[n].at) > maxHeldTime {
		n++
	}
	h.dropHeldLocked(t, n)
}

// noteUndecryptedLocked notes a frame that does not decrypt. The keeper is not told of all, if there are
// many.
func (h *hearing) noteUndecryptedLocked(t *talker, at time.Time, n *news) {
	if t.held.since.IsZero() {
		t.held.since = at
	}
	if at.After(t.held.newest) { // what was held is tried again
		t.held.newest = at
	}
	if at.Sub(t.held.told) >= tellEvery {
		t.held.told, n.undecrypted = at, true // to ask for the key, later
	}
}

// holdLocked holds a frame until its key comes.
func (h *hearing) holdLocked(t *talker, f frame, n *news) {
	if !h.hereLocked(t) { // if it is back, our key of it may be gone
		return
	}
	if other, known := h.roster.member(t.id); known && other.Outside {
		return
	}
	h.noteUndecryptedLocked(t, f.at, n)
	h.expireHeldLocked(t, f.at)
	same := 0
	for _, held := range t.held.frames {
		if held.of.KID.Stream() == f.of.KID.Stream() {
			same++
		}
	}
	if same >= maxHeldFrames || len(t.held.frames) >= maxHeldOfTalker {
		h.dropHeldLocked(t, 1)
	}
	f.ciphertext = slices.Clone(f.ciphertext)
	t.held.frames = append(t.held.frames, f)
	t.held.bytes += len(f.ciphertext)
	h.heldBytes += len(f.ciphertext)
	for h.heldBytes > maxHeldBytes {
		h.dropHeldLocked(h.greediestLocked(), 1)
	}
}

// greediestLocked returns the talker whose held frame gives way: of the unknown first.
func (h *hearing) greediestLocked() *talker {
	h.noteKnownLocked()
	var most *talker
	greedier := func(t *talker) {
		if most == nil || t.held.bytes > most.held.bytes {
			most = t
		}
	}
	for _, t := range h.unknown {
		greedier(t)
	}
	if most == nil || most.held.bytes == 0 {
		for _, t := range h.talkers {
			greedier(t)
		}
	}
	return most
}

// playHeld implements undecrypted.
func (h *hearing) playHeld(id wire.MemberID) {
	var n news
	defer h.passOn(&n)
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.talkers[id]
	if t == nil {
		return
	}
	h.expireHeldLocked(t, time.Now())
	frames := t.held.frames
	t.held.frames = nil
	for _, f := range frames {
		if h.decryptLocked(t, f, &n) {
			t.held.frames = append(t.held.frames, f) // it is another key's
			continue
		}
		t.held.bytes -= len(f.ciphertext)
		h.heldBytes -= len(f.ciphertext)
	}
}

// waitingTalker is a talker of whom nothing opens.
type waitingTalker struct {
	id       wire.MemberID
	next     time.Time // when to look again
	ask      bool      // for its key, now
	hopeless bool      // that has been in vain
}

// waiting implements undecrypted.
func (h *hearing) waiting(now time.Time) (list []waitingTalker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.talkers {
		if t.held.since.IsZero() {
			continue
		}
		h.expireHeldLocked(t, now)
		if now.Sub(t.held.newest) > maxHeldTime || !h.hereLocked(t) { // not talking any more
			h.dropHeldLocked(t, len(t.held.frames))
			t.held.keyCame()
			continue
		}
		list = append(list, t.held.due(t.id, now))
	}
	slices.SortFunc(list, func(a, b waitingTalker) int { return a.id.Compare(b.id) })
	return list
}

func (f *heldFrames) due(id wire.MemberID, now time.Time) waitingTalker {
	w := waitingTalker{id: id, next: f.since.Add(askAfter), hopeless: now.Sub(f.since) >= noKeyWarn}
	if !f.asked.IsZero() {
		w.next = f.asked.Add(askEvery)
	}
	if !now.Before(w.next) {
		f.asked, w.ask = now, true
		w.next = now.Add(askEvery)
	}
	return w
}
