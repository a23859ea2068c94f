package peer

import "time"

const (
	checkEvery  = 250 * time.Millisecond
	suspectTime = 3 * time.Second         // a link that was not heard for so long is the last choice
	lostTime    = 14 * time.Second        // and for so long, over: all is undone everywhere when 15 s are
	trustAfter  = 2 * time.Second         // a link that is heard for so long on end is not suspect any more
	trustGap    = 1500 * time.Millisecond // what still is "on end": both sides ping every second
)

// liveness judges one link by when it was heard. It is pure: its owner asks every checkEvery. The zero value
// is a link that is not suspect.
//
//	        not heard for 3 s            not heard for 14 s
//	good ─────────────────────> suspect ───────────────────> lost
//	  ^                            |
//	  +──── heard for 2 s on end ──+
type liveness struct {
	suspect bool
	good    time.Time // since when a suspect link is heard again; zero: it is not
}

// judge judges the link now. heard tells whether something authentic came within the last d.
func (v *liveness) judge(now time.Time, heard func(d time.Duration) bool) (suspect, lost bool) {
	switch {
	case !heard(lostTime):
		v.suspect = true
		return true, true
	case !v.suspect:
		v.suspect = !heard(suspectTime)
		v.good = time.Time{}
	case !heard(trustGap):
		v.good = time.Time{}
	case v.good.IsZero():
		v.good = now
	default:
		v.suspect = now.Sub(v.good) < trustAfter
	}
	return v.suspect, false
}
