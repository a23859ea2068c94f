package jitter

const (
	markerRepeats  = 3        // a talkspurt ends with this many markers ...
	markerSpacing  = 20 * ms  // ... this far apart ...
	markerInterval = 400 * ms // ... and keep-alives follow in this interval
	markerSlack    = 10 * ms  // jitter of the sender's timers
)

// markerTime is the media time of marker n of a silence, from its beginning.
//
//	n       0   1   2    3    4 ...
//	ms      0  20  40  440  840 ...
func markerTime(n int64) int64 {
	if n < markerRepeats {
		return n * markerSpacing
	}
	return (markerRepeats-1)*markerSpacing + (n-markerRepeats+1)*markerInterval
}

// lostMedia says how much of a gap of media time was speech that got lost, when
// missing packets belonged there: the rest was silence, whose markers got lost.
//
// f lost frames leave missing-f lost markers, which cover the rest of the gap until the next marker would
// have been sent. The greatest f that fits is taken; when none fits (a talker with other habits) all of them
// were frames. The result is at most the gap.
func lostMedia(gap, missing, frame int64) int64 {
	if gap <= 0 || missing <= 0 || frame <= 0 {
		return 0
	}
	most := min(missing, (gap+frame-1)/frame)
	for f := most; f >= 0; f-- {
		if gap-f*frame <= markerTime(missing-f)+markerSlack {
			return min(gap, f*frame)
		}
	}
	return min(gap, most*frame)
}
