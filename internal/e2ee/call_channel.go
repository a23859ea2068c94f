package e2ee

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Call messages (docs/protocol.md, section 14.4) are encrypted with keys that the offer's HPKE context
// exports, one for each direction:
//
//	key (16) || iv (12) = Export("wzp/1 call caller", 28), and with "called"
//	nonce               = iv, its last 8 bytes XOR counter
//	body                = counter (varint) || AES-128-GCM(plaintext), additional data: path id (16)
const (
	callKeySize = 16
	callIVSize  = 12
	callExport  = callKeySize + callIVSize
	callTag     = 16
	maxCounter  = 1<<62 - 1
)

var (
	// ErrCallMessage means that a call message is not the other end's, or was changed.
	ErrCallMessage = errors.New("e2ee: call message does not authenticate, drop it")

	errCallCounter = errors.New("e2ee: too many call messages: call again")
)

// CallChannel seals what one end of a call says to the other, and opens what that says. Its counters go on
// over all generations of the path, so nothing that was said before one can be said again after it. It never
// prints. One goroutine at a time may use it.
type CallChannel struct {
	redacted
	path     wire.PathID
	ours     callKey
	theirs   callKey
	next     uint64 // counter of our next message
	received ReplayWindow
}

// callKey is the key of one direction, behind a function as other secrets are.
type callKey func() (cipher.AEAD, [callIVSize]byte)

// callKeys returns the keys of what the caller says, and of what the called says, of an HPKE context's
// Export.
func callKeys(export func(context string, length int) ([]byte, error)) (caller, called callKey) {
	key := func(context string) callKey {
		b := mustDerive(export(context, callExport))
		block, err := aes.NewCipher(b[:callKeySize])
		if err != nil {
			panic(fmt.Sprintf("e2ee: %v", err)) // only for another size
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			panic(fmt.Sprintf("e2ee: %v", err)) // only for another block size
		}
		iv := [callIVSize]byte(b[callKeySize:])
		return func() (cipher.AEAD, [callIVSize]byte) { return aead, iv }
	}
	return key("wzp/1 call caller"), key("wzp/1 call called")
}

func newCallChannel(path wire.PathID, ours, theirs callKey) *CallChannel {
	return &CallChannel{path: path, ours: ours, theirs: theirs}
}

// Seal returns the body of a call message.
func (c *CallChannel) Seal(plaintext []byte) ([]byte, error) {
	if c.next > maxCounter {
		return nil, errCallCounter
	}
	counter := c.next
	c.next++
	aead, nonce := c.ours.nonce(counter)
	return aead.Seal(wire.AppendVarint(nil, counter), nonce, plaintext, c.path[:]), nil
}

// Open returns what a body says, and its counter: who says something later has a higher one. It fails with
// [ErrCallMessage], or [ErrReplayed] or [ErrTooOld], after which nothing has changed.
func (c *CallChannel) Open(body []byte) (plaintext []byte, counter uint64, err error) {
	counter, ciphertext, ok := wire.CutVarint(body)
	if !ok || len(ciphertext) < callTag {
		return nil, 0, ErrCallMessage
	}
	aead, nonce := c.theirs.nonce(counter)
	if plaintext, err = aead.Open(nil, nonce, ciphertext, c.path[:]); err != nil {
		return nil, 0, ErrCallMessage
	}
	if err := c.received.Accept(counter); err != nil {
		return nil, 0, err
	}
	return plaintext, counter, nil
}

// nonce returns the key's cipher, and its nonce for a counter.
func (k callKey) nonce(counter uint64) (cipher.AEAD, []byte) {
	aead, nonce := k()
	last := nonce[callIVSize-8:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^counter)
	return aead, nonce[:]
}
