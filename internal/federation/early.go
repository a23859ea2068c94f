package federation

import (
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	earlyFor       = 2 * time.Second // for which frames of a talker who was not announced are kept
	maxEarlyFrames = 50              // of one stream: a second of them
	maxEarly       = 32              // streams of one link
	locateEvery    = 50 * time.Millisecond
)

// heldFrame is a frame of a talker who was not announced yet.
type heldFrame struct {
	layer      uint8
	ctr        uint64
	ciphertext []byte
}

// early are the streams of one link whose talkers were not announced yet. The zero value has none.
type early struct {
	mu      sync.Mutex // guards streams
	streams []earlyStream
}

type earlyStream struct {
	*incoming
	since time.Time
}

func (s *earlyStream) expired(now time.Time) bool { return now.Sub(s.since) >= earlyFor }

// add begins to keep a stream, in the place of those whose time is up. It reports false when there are too
// many.
func (e *early) add(in *incoming, now time.Time) bool {
	e.mu.Lock()
	var over []earlyStream
	e.streams = slices.DeleteFunc(e.streams, func(s earlyStream) bool {
		if s.expired(now) {
			over = append(over, s)
		}
		return s.expired(now)
	})
	ok := len(e.streams) < maxEarly
	if ok {
		e.streams = append(e.streams, earlyStream{in, now})
	}
	e.mu.Unlock()
	for _, s := range over {
		s.forget()
	}
	return ok
}

// has reports whether a stream is kept still.
func (e *early) has(in *incoming, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.streams {
		if s.incoming == in {
			return !s.expired(now)
		}
	}
	return false
}

// list returns the streams.
func (e *early) list() []earlyStream {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.streams)
}

// remove keeps a stream no longer.
func (e *early) remove(in *incoming) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.streams = slices.DeleteFunc(e.streams, func(s earlyStream) bool { return s.incoming == in })
}

// hold keeps a frame until its talker is announced.
func (in *incoming) hold(m *wire.Media, tx *link.Tx) {
	now := tx.Now()
	if !in.from.intake.allowMedia(in.Room, now) {
		return
	}
	known := in.from.early.has(in, now) // a stream that is not kept any more still looks for its talker
	in.mu.Lock()
	if b := in.found.Load(); b != nil { // only just
		in.mu.Unlock()
		in.forward(b, m, tx)
		return
	}
	if known && len(in.held) < maxEarlyFrames {
		in.Seen(m.CTR) // or the next short frames could not be read
		in.held = append(in.held, heldFrame{m.Layer, m.CTR, slices.Clone(m.Ciphertext)})
	}
	again := now.Sub(in.tried) >= locateEvery
	in.mu.Unlock()
	if again {
		in.release(tx)
	}
}

// forget lets go of what is held.
func (in *incoming) forget() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.held = nil
}

// release forwards what is held, if the talker is known by now. It reports whether it is, or cannot be.
func (in *incoming) release(tx *link.Tx) (done bool) {
	tx.Lock(&in.mu)
	defer tx.Unlock(&in.mu)
	in.tried = tx.Now()
	if in.found.Load() == nil && in.locate(tx.Now()) == notYet {
		return false
	}
	held := in.held
	in.held = nil
	if b := in.found.Load(); b != nil {
		for _, h := range held {
			m := wire.Media{Layer: h.layer, KID: in.KID, CTR: h.ctr, Room: in.Room, Ciphertext: h.ciphertext}
			in.forward(b, &m, tx)
		}
	}
	return true
}

// releaseEarly looks whether talkers have been announced of whom frames are held.
func (f *Federation) releaseEarly(now time.Time) {
	for _, p := range f.live {
		streams := p.early.list()
		if len(streams) == 0 {
			continue
		}
		p.link.WithTx(func(tx *link.Tx) {
			for _, s := range streams {
				switch {
				case s.release(tx):
				case s.expired(now):
					s.forget()
				default:
					continue
				}
				p.early.remove(s.incoming)
			}
		})
	}
}
