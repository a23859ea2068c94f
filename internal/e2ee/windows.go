package e2ee

import (
	"errors"
	"slices"
)

const (
	// maxWindows is how many streams of a talker have a whole ReplayWindow: it says one thing at a time.
	maxWindows = 16

	// maxJump is how far above the others of its stream a frame's CTR may be: hours of them.
	maxJump = 1 << 20
)

// ErrAhead means that a CTR is so far above the others that it cannot be the talker's: somebody who has the
// key, too, would have all later frames be too old.
var ErrAhead = errors.New("e2ee: frame is hours ahead of its stream, drop it")

// replayWindows say which frames of a talker were taken, of each of its 256 streams. They are as long-lived
// as what is known of the talker, not as a stream that is played, or as a key: a relay that makes a listener
// forget a stream (by many others, or by saying that the talker left) and has the talker send its key again
// could play the past once more. Only frames that authenticated make one, so forged ones cost nothing.
//
//	recent  at most 16, the one that had a frame last at the end    a ReplayWindow, 144 bytes
//	floors  the others, by stream                                   the highest CTR taken: none below is
//
// So a talker with all 256 streams costs 8 KB, and one that left, who has floors only, some tens of bytes.
// The zero value is empty.
type replayWindows struct {
	recent []streamWindow
	floors []streamFloor
	above  uint64 // of streams with neither no CTR below it is taken
}

type streamWindow struct {
	stream uint8
	ReplayWindow
}

type streamFloor struct {
	stream  uint8
	highest uint64
}

// accept notes a CTR of a stream, as [ReplayWindow.Accept] does; one that is far ahead is refused and changes
// nothing.
func (w *replayWindows) accept(stream uint8, ctr uint64) error {
	i := slices.IndexFunc(w.recent, func(s streamWindow) bool { return s.stream == stream })
	if i < 0 {
		f := w.floor(stream)
		switch {
		case f < 0 && ctr < w.above:
			return ErrTooOld
		case f < 0:
		case ctr <= w.floors[f].highest:
			return ErrTooOld
		case ctr-w.floors[f].highest > maxJump:
			return ErrAhead
		}
		w.recent = append(w.recent, streamWindow{stream, w.unfloor(f)})
		i = len(w.recent) - 1
		if i == maxWindows {
			w.shrink(1)
			i--
		}
	}
	if w.recent[i].Ahead(ctr) > maxJump {
		return ErrAhead
	}
	err := w.recent[i].Accept(ctr)
	if last := len(w.recent) - 1; err == nil && i != last {
		s := w.recent[i]
		copy(w.recent[i:], w.recent[i+1:])
		w.recent[last] = s
	}
	return err
}

// floor returns the index of a stream's floor, -1: it has none.
func (w *replayWindows) floor(stream uint8) int {
	return slices.IndexFunc(w.floors, func(f streamFloor) bool { return f.stream == stream })
}

// unfloor takes the i-th floor away and returns a window that refuses the same CTRs; of -1 it is new.
func (w *replayWindows) unfloor(i int) (window ReplayWindow) {
	if i < 0 {
		return window
	}
	window.highest, window.started = w.floors[i].highest, true
	for word := range window.seen {
		window.seen[word] = ^uint64(0)
	}
	w.floors = slices.Delete(w.floors, i, i+1)
	return window
}

// shrink makes floors of the n windows that had no frame for longest.
func (w *replayWindows) shrink(n int) {
	for _, s := range w.recent[:n] {
		w.floors = append(w.floors, streamFloor{s.stream, s.highest})
	}
	w.recent = slices.Delete(w.recent, 0, n)
}

// rest makes floors of all windows, when nothing late can be opened any more, and one for all streams if that
// are more than most.
func (w *replayWindows) rest(most int) {
	w.shrink(len(w.recent))
	if len(w.floors) > most {
		for _, f := range w.floors {
			w.above = max(w.above, f.highest+1)
		}
		w.floors = nil
	}
	w.floors = slices.Clone(w.floors) // without spare memory
}
