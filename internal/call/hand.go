package call

import (
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	handEvery = 2 * time.Second // a raised hand is told again while nothing else is sent,
	// and a lowered one for so long, for which a stay goes on without a connection.
	handDownFor = 60 * time.Second
)

// hand is what a publication tells of the hand of who speaks: in its silence payloads, and while there are
// none the keeper's view does. Times are in samples.
type hand struct {
	up    bool
	owed  int   // payloads that tell of its last change
	last  int64 // when it was told
	until int64 // when a lowered one is told of no more
}

// set notes that it is up or down at a time.
func (h *hand) set(up bool, at int64) {
	if up != h.up {
		h.up, h.owed, h.until = up, markers, at+samplesIn(handDownFor)
	}
}

// says is what there is to say of it at a time.
func (h *hand) says(at int64) wire.Hand {
	switch {
	case h.up:
		return wire.HandUp
	case at < h.until:
		return wire.HandDown
	}
	return wire.HandUnknown
}

// due reports whether it should be told at a time, though nothing else is.
func (h *hand) due(at int64) bool {
	return h.owed > 0 || h.says(at) != wire.HandUnknown && at-h.last >= samplesIn(handEvery)
}

// told notes that it was.
func (h *hand) told(at int64) { h.owed, h.last = max(0, h.owed-1), at }

func samplesIn(d time.Duration) int64 { return int64(d * audio.SampleRate / time.Second) }
