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

// maxUnseen is after how many frames without a word of what their member sees a relay is suspected of keeping
// that back: it comes with one in 150 of 20 ms, so whatever is lost, hardly ever so many come without.
const maxUnseen = 12 * 150

// talker is where the frames of one member come in, of all its streams and keys. Its hearing's mu guards it.
type talker struct {
	id      wire.MemberID
	current []*Stream // that are to be played, at most maxStreamsOfMember
	held    heldFrames
	unseen  int // frames since it last said what it sees
	told    told
	heardAt time.Time     // when a frame came that it sealed
	leftAt  time.Duration // when it was told to have left, on the room's clock; 0: it has not
}

// keyed is what a key id stands for: a talker's stream under one of its keys. The hearing's mu guards it.
type keyed struct {
	link.Stream
	hearing *hearing
}

// bind returns what a key id stands for; nil: nobody whom we hear.
func (h *hearing) bind(kid wire.KID) *keyed {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.talkerLocked(kid.Member()) == nil {
		return nil
	}
	return &keyed{link.Stream{KID: kid}, h}
}

// talkerLocked returns the talker with an id, which is made if it is new; nil: it is not heard.
func (h *hearing) talkerLocked(id wire.MemberID) *talker {
	if t := h.talkers[id]; t != nil {
		return t
	}
	m, known := h.roster.member(id)
	if id == h.self || h.over || known && m.Outside {
		return nil
	}
	t := &talker{id: id}
	if !known {
		h.noteKnownLocked()
		if len(h.unknown) >= maxUnknown {
			h.dropLocked(h.unknown[0])
		}
		h.unknown = append(h.unknown, t)
	}
	h.talkers[id] = t
	return t
}

// noteKnownLocked drops from the unknown whoever the relay has told of.
func (h *hearing) noteKnownLocked() {
	h.unknown = slices.DeleteFunc(h.unknown, func(t *talker) bool {
		m, known := h.roster.member(t.id)
		return known && !m.Outside
	})
}

// dropLocked forgets a talker: its next frame makes another one.
func (h *hearing) dropLocked(t *talker) {
	h.dropHeldLocked(t, len(t.held.frames))
	for _, st := range t.current {
		h.retireLocked(t, st)
	}
	h.unknown = slices.DeleteFunc(h.unknown, func(o *talker) bool { return o == t })
	delete(h.talkers, t.id)
}

// hereLocked reports whether a talker is in the room, or has come back.
func (h *hearing) hereLocked(t *talker) bool {
	if t.leftAt != 0 {
		if _, here := h.roster.member(t.id); !here {
			return false
		}
		t.leftAt = 0
	}
	return !h.over
}

// frame is one that came. Those that are held own their ciphertext.
type frame struct {
	of         *keyed
	ctr        uint64
	ciphertext []byte
	at         time.Time
}

// Media implements link.Inbound: the frame is played, or held until its key comes.
func (e *keyed) Media(m *wire.Media, _ *link.Tx) {
	var n news
	h := e.hearing
	h.mu.Lock()
	f := frame{e, m.CTR, m.Ciphertext, time.Now()}
	if t := h.talkerLocked(e.KID.Member()); t != nil && h.decryptLocked(t, f, &n) {
		e.Seen(m.CTR) // a guess that the low bits of later ones are read by
		h.holdLocked(t, f, &n)
	}
	h.mu.Unlock()
	h.passOn(&n)
}

// decryptLocked decrypts a frame and plays it. It reports whether its key is missing.
func (h *hearing) decryptLocked(t *talker, f frame, n *news) (noKey bool) {
	plain, err := h.listener.Open(f.of.KID, h.buf[:0], f.ctr, f.ciphertext, time.Now())
	switch {
	case err == nil:
		h.buf = plain
		h.opened.Store(int64(h.clock.now()))
		h.acceptLocked(t, f, plain, n)
		return false
	case errors.Is(err, e2ee.ErrNoKey):
		return true
	case !errors.Is(err, e2ee.ErrEarly): // which is of before we were here
		h.countForgedLocked(f.of)
	}
	h.noteUndecryptedLocked(t, f.at, n) // if nothing else comes, our key is wrong
	return false
}

// acceptLocked handles a frame that was decrypted, unless it came before.
func (h *hearing) acceptLocked(t *talker, f frame, plain []byte, n *news) {
	e := f.of
	err := h.listener.AcceptFrame(e.KID, f.ctr)
	if errors.Is(err, e2ee.ErrAhead) {
		h.countForgedLocked(e) // one frame of a member with that key must not make all later ones too old
		return
	}
	e.Seen(f.ctr)
	if err != nil {
		h.eventLog.noteReceived(f, eventlog.ReasonReplay)
		return
	}
	h.eventLog.noteReceived(f, "")
	t.held.keyCame()
	if e.KID.Stream() == wire.ViewStream {
		if v, err := wire.ParseView(plain); err == nil && h.hereLocked(t) {
			t.unseen = 0
			n.views = append(n.views, viewOf{t.id, v.Members})
			h.handInViewLocked(t, f, v.Hand, n)
		}
		return
	}
	if t.unseen++; t.unseen == maxUnseen {
		n.blind = append(n.blind, t.id)
	}
	h.payloadLocked(t, f, plain, n)
}

// countForgedLocked counts a frame that is not its member's.
func (h *hearing) countForgedLocked(e *keyed) {
	h.forged++
	if st := h.streams[streamID{e.KID.Member(), e.KID.Stream()}]; st != nil {
		st.forged++
	}
}

// payloadLocked gives what a frame holds to its stream.
func (h *hearing) payloadLocked(t *talker, f frame, plain []byte, n *news) {
	payload, err := wire.ParsePayload(plain)
	if err != nil {
		return // of a later version
	}
	packet := jitter.Packet{
		Counter: f.ctr, Timestamp: payload.Timestamp, Payload: payload.Codec, Silence: payload.Silence,
	}
	if !payload.Silence {
		parsed, err := opus.Parse(payload.Codec)
		if packet.Duration = parsed.Duration(); err != nil {
			return
		}
	}
	number, at := f.of.KID.Stream(), f.at.Sub(h.clock.start)
	if h.hereLocked(t) {
		h.toldLocked(t, f, payload, n)
		h.soundLocked(h.streamLocked(t, number, n), packet, at, n)
	} else if st := h.streams[streamID{t.id, number}]; st != nil && st.player.Load() != nil {
		h.soundLocked(st, packet, at, n) // it is the end of what was said
	}
}
