package e2ee

// Sender seals the frames of one stream. It owns a [Key] and its CTR, which
// goes 0, 1, 2, ... and cannot be set, so that no (KID, CTR) pair seals twice.
// One goroutine at a time may use it.
type Sender struct {
	key  *Key
	next uint64 // the CTR of the next frame; above MaxCTR: none is left
}

// NewSender takes over key, starting at CTR 0. It refuses, with [ErrKeyUse], a
// key that has opened frames or has a Sender already. It cannot know of other
// keys with the same base key and KID: the caller must never make a second one
// for sealing, not even in a later run of the program.
func NewSender(key *Key) (*Sender, error) {
	if key.use != unused {
		return nil, ErrKeyUse
	}
	key.use = seals
	return &Sender{key: key}, nil
}

// Seal encrypts plaintext as the next frame: it appends ciphertext || tag to
// dst as [Key.Seal] does, and returns the frame's CTR. Once CTR has passed
// [MaxCTR] it returns [ErrExhausted], always.
func (s *Sender) Seal(dst, plaintext []byte) (ctr uint64, sealed []byte, err error) {
	if s.next > MaxCTR {
		return 0, nil, ErrExhausted
	}
	ctr = s.next
	s.next++
	return ctr, s.key.Seal(dst, ctr, plaintext), nil
}

// KID returns the key id of the frames.
func (s *Sender) KID() uint64 { return s.key.kid }

// Next returns the CTR that the next frame will have.
func (s *Sender) Next() uint64 { return s.next }

// Overhead returns how many bytes longer than its plaintext a sealed frame is.
func (s *Sender) Overhead() int { return s.key.Overhead() }
