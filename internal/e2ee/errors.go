package e2ee

import (
	"errors"
	"fmt"
)

// What can be wrong with a key.
var (
	// ErrKnown means that a key's number is not above that of the last one of its talker: it is old, replayed
	// or repeated.
	ErrKnown = errors.New("e2ee: key is old or known, ignore it")

	// ErrBadKey means that a key is not what its talker sent us, or that its talker breaks the rules.
	ErrBadKey = errors.New("e2ee: key is not valid, warn of its talker")
)

// Reasons of ErrBadKey.
var (
	errKeySender    = fmt.Errorf("%w: it names another sender", ErrBadKey)
	errKeyTaken     = fmt.Errorf("%w: another member has the sender's id", ErrBadKey)
	errKeySignature = fmt.Errorf("%w: its signature does not verify", ErrBadKey)
	errKeyWrap      = fmt.Errorf("%w: its wrap does not open", ErrBadKey)
	errKeyHash      = fmt.Errorf("%w: the wrapped key is not the signed one", ErrBadKey)
	errKeyLength    = fmt.Errorf("%w: the wrapped key's length does not fit its step", ErrBadKey)
	errKeyFirst     = fmt.Errorf("%w: its first CTR went back", ErrBadKey)
	errKeySuite     = fmt.Errorf("%w: it changes the suite within a generation", ErrBadKey)
	errKeyFollow    = fmt.Errorf("%w: it does not follow from the key of its generation", ErrBadKey)
)

// Why a frame does not open, beside [ErrAuth].
var (
	// ErrNoKey means that the key of a frame has not come: hold the frame.
	ErrNoKey = errors.New("e2ee: the key of the frame has not come, hold it")

	// ErrEarly means that a frame is older than what we may hear of its talker: its CTR is below the key's
	// first one, or its ratchet step is before those that are held, which comes back only with a new header.
	ErrEarly = errors.New("e2ee: frame is of before our key, drop it")
)
