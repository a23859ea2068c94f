package federation

import (
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	earlyFor    = 2 * time.Second // for which frames of a talker who was not announced are kept
	earlyFrames = 50              // of one stream: a second of them
	earlyMost   = 32              // streams of one link
	lookAgain   = 50 * time.Millisecond
)

// heldFrame is a frame of a talker who was not announced yet.
type heldFrame struct {
	layer      uint8
	ctr        uint64
	ciphertext []byte
}

// early are the streams of one link whose talkers were not announced yet. The zero value has none.
type early struct {
	mu      sync.Mutex // guards what follows
	streams []earlyStream
	taken   []earlyStream // away, to see whether they have to be kept still; never changed, only replaced
}

type earlyStream struct {
	*incoming
	since time.Time
}

// add begins to keep a stream. It reports false when there are too many.
func (e *early) add(in *incoming, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.streams = slices.DeleteFunc(e.streams, func(s earlyStream) bool { return now.Sub(s.since) >= earlyFor })
	if len(e.streams)+len(e.taken) >= earlyMost {
		return false
	}
	e.streams = append(e.streams, earlyStream{in, now})
	return true
}

// has reports whether a stream is kept still.
func (e *early) has(in *incoming, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	kept := func(s earlyStream) bool { return s.incoming == in && now.Sub(s.since) < earlyFor }
	return slices.ContainsFunc(e.streams, kept) || slices.ContainsFunc(e.taken, kept)
}

// take takes away all streams, until keep puts back those that have to be kept. One goroutine does that.
func (e *early) take() (streams []earlyStream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.taken, e.streams = e.streams, nil
	return slices.Clone(e.taken)
}

// keep puts streams back, and forgets the others that were taken.
func (e *early) keep(streams []earlyStream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.streams, e.taken = append(e.streams, streams...), nil
}

// hold keeps a frame until its talker is announced.
func (in *incoming) hold(m *wire.Media, tx *link.Tx) {
	f, now := in.federation, tx.Now()
	if !in.from.intake.allowMedia(in.room, now) {
		return
	}
	known := in.from.early.has(in, now) // a stream that is not kept any more still looks for its talker
	in.mu.Lock()
	if p := in.place.Load(); p != nil { // only just
		in.mu.Unlock()
		in.take(p, m, tx)
		return
	}
	if known && len(in.held) < earlyFrames {
		in.Seen(m.CTR) // or the next short frames could not be read
		in.held = append(in.held, heldFrame{m.Layer, m.CTR, slices.Clone(m.Ciphertext)})
	}
	again := now.Sub(in.tried) >= lookAgain
	in.mu.Unlock()
	if again {
		in.release(f, tx)
	}
}

// release forwards what is held, if the talker is known by now. It reports whether it is, or cannot be.
func (in *incoming) release(f *Federation, tx *link.Tx) (done bool) {
	tx.Lock(&in.mu)
	defer tx.Unlock(&in.mu)
	in.tried = tx.Now()
	if in.place.Load() == nil && f.locate(in, tx.Now()) == notYet {
		return false
	}
	held := in.held
	in.held = nil
	if p := in.place.Load(); p != nil {
		for _, h := range held {
			in.take(p, &wire.Media{Layer: h.layer, KID: in.kid, CTR: h.ctr, Room: in.room, Ciphertext: h.ciphertext}, tx)
		}
	}
	return true
}

// releaseEarly looks whether talkers have been announced of whom frames are held.
func (f *Federation) releaseEarly(now time.Time) {
	for _, n := range f.live {
		streams := n.early.take()
		if len(streams) == 0 {
			continue
		}
		n.link.WithTx(func(tx *link.Tx) {
			streams = slices.DeleteFunc(streams, func(s earlyStream) bool {
				if s.release(f, tx) {
					return true
				}
				if now.Sub(s.since) < earlyFor {
					return false
				}
				s.mu.Lock()
				s.held = nil
				s.mu.Unlock()
				return true
			})
		})
		n.early.keep(streams)
	}
}
