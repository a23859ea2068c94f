package link

import (
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Tx is what a goroutine needs for sending: a batch of packets and scratch memory. The handler of
// a received packet gets one; what it sends leaves when the received batch has been handled.
type Tx struct {
	batch *udp.Batch
	now   time.Time     // of the packet or tick that is being handled
	at    time.Duration // the same on the Endpoint's clock
	// packet is the counter of the packet that is being handled, on its session.
	packet uint64
	nonce  seal.Nonce
	plain  []byte // scratch for frames of our own
	// touched is written by SendMediaAll and means nothing.
	touched int
	ends    []func(tx *Tx) // what Finish has to call
	media   wire.Media     // that is being handled; a local one would be allocated
	source  budget.Source  // of the media that is being sent

	// Short and Long are scratch for the two forms of a media frame, cap wire.MaxPlaintext.
	Short, Long []byte
}

// Now returns when the packet that is being handled came.
func (tx *Tx) Now() time.Time { return tx.now }

// At returns the same on a clock that never goes back.
func (tx *Tx) At() time.Duration { return tx.at }

// From says whose media is sent next, to share out what a listener's path carries.
func (tx *Tx) From(source budget.Source) { tx.source = source }

// AtEnd has f called once, when what came together with the packet that is being handled has been handled,
// before what that led to is sent: f may send with the same system call.
func (tx *Tx) AtEnd(f func(tx *Tx)) { tx.ends = append(tx.ends, f) }

// Lock locks mu. Until Unlock nothing is sent, which may take 2 ms: packets that the batch has no room for
// wait. tx may be nil.
func (tx *Tx) Lock(mu sync.Locker) {
	mu.Lock()
	if tx != nil {
		tx.batch.Hold()
	}
}

// Unlock unlocks mu.
func (tx *Tx) Unlock(mu sync.Locker) {
	if tx != nil {
		tx.batch.Release()
	}
	mu.Unlock()
}

// Finish is the batch's, at the end.
func (tx *Tx) Finish() {
	for i := 0; i < len(tx.ends); i++ { // which may grow
		tx.ends[i](tx)
	}
	clear(tx.ends)
	tx.ends = tx.ends[:0]
}
