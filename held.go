package wzp

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/wire"
)

const (
	maxHeldFrames = 64              // of a stream
	maxHeldTime   = 5 * time.Second // for which a frame waits for its key
	maxHeldBytes  = 1 << 20         // of a room
	askAfter      = 1500 * time.Millisecond
	askEvery      = 2 * time.Second
	noKeyWarn     = 10 * time.Second // of frames without a key
)

// heldFrames are the frames of a stream whose key has not come, so that the first word is heard however late the key
// is. Its Stream locks it. The zero value is empty.
//
//	no key ── hold ──> held ──key comes: playHeld──> jitter buffer, with the times at which they came
//	                    └──1.5 s: ask the talker; 5 s: dropped; 10 s: warn
type heldFrames struct {
	frames []heldFrame
	since  time.Time // of the first frame without a key, after the last that had one; zero: none
	newest time.Time // of the newest frame without one
	asked  time.Time
}

type heldFrame struct {
	of         *keyed
	ctr        uint64
	ciphertext []byte
	at         time.Time
}

// keyCame notes that the newest frame could be decrypted.
func (h *heldFrames) keyCame() { h.since, h.asked = time.Time{}, time.Time{} }

// drop takes away the first n frames.
func (h *heldFrames) drop(r *Room, n int) {
	for _, f := range h.frames[:n] {
		r.queued.Add(-int64(len(f.ciphertext)))
	}
	h.frames = slices.Delete(h.frames, 0, n)
}

// expire drops the frames that are too old.
func (h *heldFrames) expire(r *Room, now time.Time) {
	n := 0
	for n < len(h.frames) && now.Sub(h.frames[n].at) > maxHeldTime {
		n++
	}
	h.drop(r, n)
}

// holdLocked keeps a frame until its key comes. The caller holds st.mu.
func (st *Stream) holdLocked(e *keyed, m *wire.Media, now time.Time) {
	h, r := &st.held, st.room
	if st.gone() {
		r.revive(st) // its member may be back, and our key of it gone
	}
	if st.gone() || st.over.Load() {
		return
	}
	if h.since.IsZero() {
		h.since = now
		r.keeper.stir() // to ask for the key, later
	}
	h.expire(r, now)
	if len(h.frames) >= maxHeldFrames {
		h.drop(r, 1)
	}
	if r.queued.Add(int64(len(m.Ciphertext))) > maxHeldBytes {
		r.queued.Add(-int64(len(m.Ciphertext)))
		return
	}
	h.frames = append(h.frames, heldFrame{e, m.CTR, slices.Clone(m.Ciphertext), now})
}

// playHeld plays what was held of a member whose key has come.
func (r *Room) playHeld(id wire.MemberID) {
	for _, st := range r.streamsOf(id) {
		st.playHeld(time.Now())
	}
}

func (st *Stream) playHeld(now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	h := &st.held
	h.expire(st.room, now)
	frames := h.frames
	h.frames = nil
	for _, f := range frames {
		if st.playLocked(f.of, f.ctr, f.ciphertext, f.at) {
			h.frames = append(h.frames, f) // it is another key's
		} else {
			st.room.queued.Add(-int64(len(f.ciphertext)))
		}
	}
}

// streamsOf returns the streams of a member who is here.
func (r *Room) streamsOf(id wire.MemberID) []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.streams[id])
}

// askForKeys asks the talkers whose frames are held for long for their keys, and warns when none comes.
func (r *Room) askForKeys(now time.Time) (next time.Time) {
	var ask []wire.MemberID
	for _, st := range r.allStreams() {
		due, wants, hopeless := st.waiting(now)
		next = soonest(next, due)
		m, known := r.roster.member(st.owner)
		switch {
		case !known || m.Outside:
			continue
		case hopeless:
			r.keeper.warn(WarnNoKey, m.Member, called(m.Member)+" is sending, but its key does not come: the relay may keep it back, or its client "+
				"does not know that you are here")
		}
		if wants {
			ask = append(ask, st.owner)
		}
	}
	r.keeper.ask(slices.Compact(ask))
	return next
}

// waiting says when to look at the stream again, whether to ask for its key now, and whether that has been in vain.
func (st *Stream) waiting(now time.Time) (next time.Time, ask, hopeless bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	h := &st.held
	h.expire(st.room, now)
	if h.since.IsZero() {
		return time.Time{}, false, false
	}
	if now.Sub(h.newest) > maxHeldTime || st.gone() || st.over.Load() { // not talking any more
		h.drop(st.room, len(h.frames))
		h.keyCame()
		return time.Time{}, false, false
	}
	due := h.since.Add(askAfter)
	if !h.asked.IsZero() {
		due = h.asked.Add(askEvery)
	}
	if !now.Before(due) {
		h.asked, ask = now, true
		due = now.Add(askEvery)
	}
	return due, ask, now.Sub(h.since) >= noKeyWarn
}

// dropHeld forgets the frames that are held.
func (st *Stream) dropHeld() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.held.drop(st.room, len(st.held.frames))
	st.held.keyCame()
}

// allStreams returns the streams of all who are here, and those that had to give way to them since the last time.
func (r *Room) allStreams() []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.evicted
	r.evicted = nil
	for _, streams := range r.streams {
		list = append(list, streams...)
	}
	return list
}
