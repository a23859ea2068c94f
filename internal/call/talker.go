package call

import (
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/jitter"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/internal/wire"
)

// maxUnseen is after how many frames without a word of what their member sees a relay is suspected of keeping that
// back: it comes with one in 150 of 20 ms, so whatever is lost, hardly ever so many come without.
const maxUnseen = 12 * 150

// talker is where the frames of one member come in, of all its streams and keys. Its hearing's mu guards it.
type talker struct {
	id      wire.MemberID
	current []*Stream // that are to be played, at most maxStreamsOfMember
	held    heldFrames
	unseen  int           // frames since it last said what it sees
	leftAt  time.Duration // when it was told to have left, on the room's clock; 0: it has not
	dropped bool          // another one takes its frames
}

// keyed is a talker's stream under one of its keys: what a key id on the wire stands for. The hearing's mu guards talker and
// opener.
type keyed struct {
	link.Stream
	hearing *hearing
	talker  *talker
	opener  *e2ee.Opener
}

// bind returns what a key id stands for; nil: nobody whom we hear.
func (r *Room) bind(kid wire.KID) *keyed {
	h := &r.hearing
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.talkerLocked(kid.Member())
	if t == nil {
		return nil
	}
	return &keyed{Stream: link.Stream{KID: kid}, hearing: h, talker: t, opener: r.keeper.listener.Opener(kid)}
}

// talkerLocked returns the talker with an id, which is made if it is new; nil: it is not heard. The caller holds h.mu.
func (h *hearing) talkerLocked(id wire.MemberID) *talker {
	if t := h.talkers[id]; t != nil {
		return t
	}
	m, known := h.room.roster.member(id)
	if id == h.room.id || h.over || known && m.Outside {
		return nil
	}
	t := &talker{id: id}
	if !known {
		h.knowLocked()
		if len(h.unknown) >= maxUnknown {
			h.dropLocked(h.unknown[0])
		}
		h.unknown = append(h.unknown, t)
	}
	h.talkers[id] = t
	return t
}

// knowLocked looks who of the unknown has been told of. The caller holds h.mu.
func (h *hearing) knowLocked() {
	h.unknown = slices.DeleteFunc(h.unknown, func(t *talker) bool {
		m, known := h.room.roster.member(t.id)
		return known && !m.Outside
	})
}

// dropLocked forgets a talker: its next frame makes another one. The caller holds h.mu.
func (h *hearing) dropLocked(t *talker) {
	h.dropHeldLocked(t, len(t.held.frames))
	for _, st := range t.current {
		h.retireLocked(t, st)
	}
	h.unknown = slices.DeleteFunc(h.unknown, func(o *talker) bool { return o == t })
	t.dropped = true
	delete(h.talkers, t.id)
}

// hereLocked reports whether a talker is in the room, or back. The caller holds h.mu.
func (h *hearing) hereLocked(t *talker) bool {
	if t.leftAt != 0 {
		if _, here := h.room.roster.member(t.id); !here {
			return false
		}
		t.leftAt = 0
	}
	return !h.over
}

// Media implements link.Inbound.
func (e *keyed) Media(m *wire.Media, _ *link.Tx) { e.hearing.frame(e, m) }

// frame takes a media frame: it is played, or held until its key comes.
func (h *hearing) frame(e *keyed, m *wire.Media) {
	var n news
	h.mu.Lock()
	if e.talker.dropped {
		e.talker = h.talkerLocked(e.KID.Member())
	}
	if t := e.talker; t == nil {
		e.talker = &talker{dropped: true} // look again with the next frame
	} else if now := time.Now(); h.openLocked(t, e, m.CTR, m.Ciphertext, now, &n) {
		e.Seen(m.CTR) // a guess that the low bits of later ones are read by
		h.holdLocked(t, e, m, now, &n)
	}
	h.mu.Unlock()
	h.tell(&n)
}

// openLocked takes a frame that came at a time. It reports whether its key is missing; otherwise the frame is done with.
// The caller holds h.mu.
func (h *hearing) openLocked(t *talker, e *keyed, ctr uint64, ciphertext []byte, at time.Time, n *news) (noKey bool) {
	plain, err := e.opener.Open(h.buf[:0], ctr, ciphertext, time.Now())
	switch {
	case err == nil:
		h.buf = plain
		h.openedLocked(t, e, ctr, plain, len(ciphertext), at, n)
		return false
	case errors.Is(err, e2ee.ErrNoKey):
		return true
	case !errors.Is(err, e2ee.ErrEarly): // which is of before we were here
		h.forgedLocked(e)
	}
	h.doubtLocked(t, at, n) // if nothing else comes, our key is wrong
	return false
}

// openedLocked handles a frame that was decrypted, from size bytes: it drops what came before. The caller holds h.mu.
func (h *hearing) openedLocked(t *talker, e *keyed, ctr uint64, plain []byte, size int, at time.Time, n *news) {
	err := e.opener.Accept(ctr)
	if errors.Is(err, e2ee.ErrAhead) {
		h.forgedLocked(e) // one frame of somebody who has the key, too, must not make all later ones too old
		return
	}
	e.Seen(ctr)
	if err != nil {
		h.room.logHeard(e.KID, ctr, size, at, eventlog.ReasonReplay)
		return
	}
	h.room.logHeard(e.KID, ctr, size, at, "")
	t.held.keyCame()
	number := e.KID.Stream()
	if number == wire.ViewStream {
		if digest, err := wire.ParseView(plain); err == nil && h.hereLocked(t) {
			t.unseen = 0
			n.views = append(n.views, viewOf{t.id, digest})
		}
		return
	}
	if t.unseen++; t.unseen == maxUnseen {
		n.blind = append(n.blind, t.id)
	}
	h.payloadLocked(t, number, ctr, plain, at, n)
}

// forgedLocked counts a frame that is not its member's. The caller holds h.mu.
func (h *hearing) forgedLocked(e *keyed) {
	h.room.forged.Add(1)
	if st := h.streams[streamID{e.KID.Member(), e.KID.Stream()}]; st != nil {
		st.forged++
	}
}

// payloadLocked gives what a frame holds to its stream. The caller holds h.mu.
func (h *hearing) payloadLocked(t *talker, number uint8, ctr uint64, plain []byte, at time.Time, n *news) {
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
	if h.hereLocked(t) {
		h.soundLocked(h.streamLocked(t, number, n), packet, at.Sub(h.room.start), n)
	} else if st := h.streams[streamID{t.id, number}]; st != nil && st.player.Load() != nil {
		h.soundLocked(st, packet, at.Sub(h.room.start), n) // it is the end of what was said
	}
}
