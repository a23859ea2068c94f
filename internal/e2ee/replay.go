package e2ee

import "errors"

// ReplayWindowSize is how many CTRs, the highest included, a [ReplayWindow]
// remembers: 20 s of one frame each 20 ms, more than any frame is waited for.
const ReplayWindowSize = 1024

var (
	// ErrReplayed means that a frame with this CTR was accepted before.
	ErrReplayed = errors.New("e2ee: frame was received before, drop it")

	// ErrTooOld means that the CTR is so far below the highest that the window
	// cannot tell a late frame from a replay.
	ErrTooOld = errors.New("e2ee: frame is older than the replay window, drop it")
)

// ReplayWindow lets each CTR of a stream through once (RFC 9605, section 9.3). It is bounded; its zero value
// is ready. A stream has one for all its keys: CTR goes on.
//
//	highest-1023                      highest
//	     |  seen, or still welcome  |    |
//	 ----+-------------------------------+---->  CTR
//	 too old                               new: the window moves up
type ReplayWindow struct {
	highest uint64 // the highest CTR accepted, if started
	started bool
	seen    [ReplayWindowSize / 64]uint64 // bit CTR mod ReplayWindowSize, for CTRs in the window
}

// Accept notes ctr and returns nil the first time, otherwise [ErrReplayed] or [ErrTooOld]. Call it only for a
// frame that [Key.Open] has authenticated: a forged CTR would move the window past the frames to come.
func (w *ReplayWindow) Accept(ctr uint64) error {
	word, bit := position(ctr)
	switch {
	case !w.started:
		w.started, w.highest = true, ctr
	case ctr > w.highest:
		w.moveTo(ctr)
	case w.highest-ctr >= ReplayWindowSize:
		return ErrTooOld
	case w.seen[word]&bit != 0:
		return ErrReplayed
	}
	w.seen[word] |= bit
	return nil
}

// Ahead returns how far above the highest CTR accepted ctr is: 0 if it is not, or if none was.
func (w *ReplayWindow) Ahead(ctr uint64) uint64 {
	if !w.started || ctr < w.highest {
		return 0
	}
	return ctr - w.highest
}

// moveTo makes ctr, which is above it, the highest, and forgets the CTRs that
// had the bits of those in between.
func (w *ReplayWindow) moveTo(ctr uint64) {
	if ctr-w.highest >= ReplayWindowSize {
		clear(w.seen[:])
	} else {
		for c := w.highest + 1; c < ctr; c++ {
			word, bit := position(c)
			w.seen[word] &^= bit
		}
	}
	w.highest = ctr
}

func position(ctr uint64) (word int, bit uint64) {
	i := ctr % ReplayWindowSize
	return int(i / 64), 1 << (i % 64)
}
