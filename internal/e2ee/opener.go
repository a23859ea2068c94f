package e2ee

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Open authenticates sealed (ciphertext || tag) as frame ctr of a KID and appends its plaintext to dst, as
// [Key.Open] does. The error is [ErrNoKey], [ErrEarly] or [ErrAuth]; then nothing has been written and
// nothing changed. A frame of a step that is ahead of the key's is opened by ratcheting a copy, which is kept
// if the frame is authentic. Call AcceptFrame next, before the plaintext is used.
func (l *Listener) Open(kid wire.KID, dst []byte, ctr uint64, sealed []byte, now time.Time) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	talker := l.talkers[kid.Member()]
	if talker == nil {
		return nil, ErrNoKey
	}
	g := talker.generation(kid.Epoch() / generations)
	if g == nil {
		return nil, ErrNoKey
	}
	index := kid.Epoch() % generations
	if index > g.newest().index {
		return l.openAhead(g, kid, dst, ctr, sealed, now)
	}
	step := g.step(index)
	if step == nil || ctr < step.first {
		return nil, ErrEarly
	}
	if key := step.keys[kid.Stream()]; key != nil {
		return key.Open(dst, ctr, sealed)
	}
	key, err := l.derive(kid, g.suite, step.w())
	if err != nil {
		return nil, err
	}
	if dst, err = key.Open(dst, ctr, sealed); err != nil {
		return nil, err // forged frames, of 256 streams, cost no memory
	}
	step.hold(kid.Stream(), key)
	return dst, nil
}

// AcceptFrame notes that the frame that Open has just authenticated came: nil the first time, otherwise
// [ErrReplayed], [ErrTooOld] or [ErrAhead]. What it notes outlives the keys and the talker's stays in the
// room.
func (l *Listener) AcceptFrame(kid wire.KID, ctr uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	talker := l.talkers[kid.Member()]
	if talker == nil { // it was closed, or the talker forgotten, meanwhile
		return ErrTooOld
	}
	return talker.windows.accept(kid.Stream(), ctr)
}

// openAhead opens a frame of a step that is above the newest one, and keeps the steps up to it if it is
// authentic: it replaces the newest.
func (l *Listener) openAhead(
	g *heldGeneration, kid wire.KID, dst []byte, ctr uint64, sealed []byte, now time.Time,
) ([]byte, error) {
	newest := g.newest()
	if ctr < newest.first {
		return nil, ErrEarly
	}
	ahead := ratchetAhead(newest, kid.Epoch()%generations)
	last := ahead[len(ahead)-1]
	key, err := l.derive(kid, g.suite, last.w())
	if err == nil {
		dst, err = key.Open(dst, ctr, sealed)
	}
	if err != nil {
		eraseSteps(ahead)
		return nil, err
	}
	last.keys = map[uint8]*Key{kid.Stream(): key}
	g.append(ahead, now)
	return dst, nil
}

// derive returns the SFrame key of a KID.
func (l *Listener) derive(kid wire.KID, suite Suite, w []byte) (*Key, error) {
	base := baseKey(l.secret, l.room, w)
	defer clear(base)
	return NewKey(suite, uint64(kid), base)
}
