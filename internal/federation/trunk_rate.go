package federation

import "time"

const (
	// rateWindow is what "recent" means: five frames of a talker at the usual 20 ms.
	rateWindow = 100 * time.Millisecond
	// rateWorth is how many frames have to be expected within trunkHold for one to wait: with less, most
	// packets would be late and carry one frame all the same.
	rateWorth = 2
)

// frameRate counts frames of about the last 100 to 200 ms. It is pure; its trunk locks it. The zero value has
// seen none.
type frameRate struct {
	start  time.Time // of the running window
	n      int       // frames in it
	before int       // frames in the one before
}

// note counts a frame.
func (r *frameRate) note(now time.Time) {
	if past := now.Sub(r.start); past >= rateWindow {
		r.before = r.n
		if past >= 2*rateWindow {
			r.before = 0
		}
		r.start, r.n = now, 0
	}
	r.n++
}

// worthWaiting tells whether frames come fast enough to wait for more, of which the next has to be expected
// before left, with half a gap to spare: frames come out of step, and a packet that goes with a frame is
// cheaper than one that takes the timer. What the running window has more than the one before counts too, so
// that many who begin at once are noticed soon.
func (r *frameRate) worthWaiting(left time.Duration) bool {
	n := time.Duration(max(r.n, r.before))
	return trunkHold*n >= rateWorth*rateWindow && 2*left*n > 3*rateWindow
}

// A packet that waits in vain costs a wake-up by the alarm; whenever frames join one that waits, that saves a
// packet.
const (
	waitLost  = 8            // packets, at least, cost as much as a wake-up
	waitMost  = 4 * waitLost // more saved ones are not counted
	waitPause = time.Second  // without waiting, when too few are saved
)

// waiting learns whether it pays to wait for frames that come later than those at hand: it does for talkers
// out of step, and not for those whose frames come all at once. It is pure; its trunk locks it. The zero
// value waits.
type waiting struct {
	saved int       // packets, less waitLost for each alarm
	until time.Time // it does not wait until then
}

func (w *waiting) pays(now time.Time) bool { return !now.Before(w.until) }

// gained notes that frames joined others that waited.
func (w *waiting) gained() { w.saved = min(w.saved+1, waitMost) }

// lost notes that the alarm went off.
func (w *waiting) lost(now time.Time) {
	if w.saved -= waitLost; w.saved < 0 {
		w.saved, w.until = 0, now.Add(waitPause)
	}
}
