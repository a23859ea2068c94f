package e2ee

import (
	"errors"
	"fmt"
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// MaxCTR is the highest CTR that is used: the wire carries CTR as a varint of RFC 9000, which ends there.
const MaxCTR = 1<<62 - 1

var (
	// ErrExhausted means that a stream has used all its CTRs.
	ErrExhausted = errors.New("e2ee: stream has used all its counters, open another one")

	// ErrDisarmed means that no microphone is armed, so that keys do not follow the members.
	ErrDisarmed = errors.New("e2ee: no microphone is armed, call Arm before sealing")

	// ErrStreamClosed means that a stream's Sealer was closed.
	ErrStreamClosed = errors.New("e2ee: stream is closed, open another one")

	errTalkerClosed = errors.New("e2ee: the talker of this stay was closed, join again to open streams")
)

// Sealer seals the frames of one stream with whatever key its Talker has in use. Its CTR counts on through
// all keys, so no (KID, CTR) pair seals twice, though generations wrap. One goroutine at a time may use it,
// beside the Talker's.
type Sealer struct {
	talker *Talker
	number uint8

	// Guarded by talker.mu.
	closed bool
	key    *Key // of this stream and the key in use; nil: not derived yet
	kid    wire.KID
	next   uint64 // the CTR of the next frame; above MaxCTR: none is left
}

// Stream opens stream number, 0 to 255, which must not have been used before: its CTR would start again. Its
// first CTR is that of the newest key.
func (t *Talker) Stream(number uint8) (*Sealer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, errTalkerClosed
	case t.key == nil:
		return nil, ErrDisarmed
	case t.numbers[number]:
		return nil, fmt.Errorf("e2ee: stream number %d was used before, take another", number)
	}
	t.numbers[number] = true
	s := &Sealer{talker: t, number: number, next: t.first}
	t.streams = append(t.streams, s)
	return s, nil
}

// Seal encrypts plaintext as the stream's next frame: it appends ciphertext || tag to dst as [Key.Seal] does,
// and returns the KID and CTR that it used. The error is [ErrDisarmed], [ErrStreamClosed], or [ErrExhausted]
// after [MaxCTR]; then nothing was sealed.
func (s *Sealer) Seal(dst, plaintext []byte) (kid wire.KID, ctr uint64, sealed []byte, err error) {
	t := s.talker
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case s.closed:
		return 0, 0, nil, ErrStreamClosed
	case !t.armed:
		return 0, 0, nil, ErrDisarmed
	case s.next > MaxCTR:
		return 0, 0, nil, ErrExhausted
	}
	if s.key == nil {
		if err := s.deriveLocked(); err != nil {
			return 0, 0, nil, err
		}
	}
	ctr = s.next
	s.next++
	return s.kid, ctr, s.key.Seal(dst, ctr, plaintext), nil
}

// deriveLocked takes over the key in use.
func (s *Sealer) deriveLocked() error {
	t := s.talker
	kid := wire.MakeKID(t.self.Member(), s.number, t.key.epoch())
	base := baseKey(t.secret, t.room, *t.key.w)
	defer clear(base)
	key, err := NewKey(t.key.suite, uint64(kid), base)
	if err != nil {
		return err
	}
	s.key, s.kid, t.used = key, kid, true
	return nil
}

// Close ends the stream: its CTR no longer holds back the first CTR of new keys. Closing again does nothing.
func (s *Sealer) Close() {
	t := s.talker
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.closed {
		return
	}
	s.closed, s.key = true, nil
	t.highest = max(t.highest, s.next)
	t.streams = slices.DeleteFunc(t.streams, func(o *Sealer) bool { return o == s })
}
