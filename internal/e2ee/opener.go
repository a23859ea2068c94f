package e2ee

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Opener opens the frames of one KID with the keys of its Listener. It holds no key itself: what the Listener
// erases is gone. One goroutine at a time may use it.
type Opener struct {
	listener *Listener
	kid      wire.KID
	member   wire.MemberID
}

// Opener returns the Opener of a KID, whether its key came or not.
func (l *Listener) Opener(kid wire.KID) *Opener {
	return &Opener{listener: l, kid: kid, member: kid.Member()}
}

// Open authenticates sealed (ciphertext || tag) as frame ctr and appends its plaintext to dst, as [Key.Open]
// does. The error is [ErrNoKey], [ErrEarly] or [ErrAuth]; then nothing has been written and nothing changed.
// A frame of a step that is ahead of the key's is opened by ratcheting a copy, which is kept if the frame is
// authentic. Call Accept next, before the plaintext is used.
func (o *Opener) Open(dst []byte, ctr uint64, sealed []byte, now time.Time) ([]byte, error) {
	l := o.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	talker := l.talkers[o.member]
	if talker == nil {
		return nil, ErrNoKey
	}
	generation := talker.generation(o.kid.Epoch() / generations)
	if generation == nil {
		return nil, ErrNoKey
	}
	return o.openLocked(generation, dst, ctr, sealed, now)
}

// Accept notes that the frame that Open has just authenticated came: nil the first time, otherwise
// [ErrReplayed], [ErrTooOld] or [ErrAhead]. What it notes outlives the Opener, the keys and the talker's
// stays in the room.
func (o *Opener) Accept(ctr uint64) error {
	l := o.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	talker := l.talkers[o.member]
	if talker == nil { // it was closed, or the talker forgotten, meanwhile
		return ErrTooOld
	}
	return talker.windows.accept(o.kid.Stream(), ctr)
}

// openLocked opens a frame with the step of a generation that its KID names.
func (o *Opener) openLocked(
	g *heldGeneration, dst []byte, ctr uint64, sealed []byte, now time.Time,
) ([]byte, error) {
	index := o.kid.Epoch() % generations
	if index > g.newest().index {
		return o.openAhead(g, dst, ctr, sealed, now)
	}
	step := g.step(index)
	if step == nil || ctr < step.first {
		return nil, ErrEarly
	}
	if key := step.keys[o.kid.Stream()]; key != nil {
		return key.Open(dst, ctr, sealed)
	}
	key, err := o.derive(g.suite, step.w())
	if err != nil {
		return nil, err
	}
	if dst, err = key.Open(dst, ctr, sealed); err != nil {
		return nil, err // forged frames, of 256 streams, cost no memory
	}
	step.hold(o.kid.Stream(), key)
	return dst, nil
}

// openAhead opens a frame of a step that is above the newest one, and keeps the steps up to it if it is
// authentic: it replaces the newest.
func (o *Opener) openAhead(
	g *heldGeneration, dst []byte, ctr uint64, sealed []byte, now time.Time,
) ([]byte, error) {
	newest := g.newest()
	if ctr < newest.first {
		return nil, ErrEarly
	}
	ahead := ratchetAhead(newest, o.kid.Epoch()%generations)
	last := ahead[len(ahead)-1]
	key, err := o.derive(g.suite, last.w())
	if err == nil {
		dst, err = key.Open(dst, ctr, sealed)
	}
	if err != nil {
		eraseSteps(ahead)
		return nil, err
	}
	last.keys = map[uint8]*Key{o.kid.Stream(): key}
	g.append(ahead, now)
	return dst, nil
}

// derive returns the SFrame key of the Opener's KID.
func (o *Opener) derive(suite Suite, w []byte) (*Key, error) {
	base := baseKey(o.listener.secret, o.listener.room, w)
	defer clear(base)
	return NewKey(suite, uint64(o.kid), base)
}
