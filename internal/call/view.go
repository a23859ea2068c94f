package call

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	viewRest   = 500 * time.Millisecond // without a change of the members, before a talker says who is there,
	viewAgain  = 500 * time.Millisecond // again,
	viewAgains = 3                      // as often as that, for a frame may be lost,
	viewEvery  = 3 * time.Second        // and then as often as that while it talks
)

// view says what this member sees to whoever hears it, so that a relay cannot show somebody to one of them
// only: a digest of the members, in a stream of its own. A new key says the same to who gets it. Who talks
// without a silence also says there that the hand is up. It belongs to keeper.run.
type view struct {
	outlet // its sealer is set once, with keeper.talking held

	hand   wire.Hand // as it was said last
	known  bool
	digest [32]byte
	since  time.Time // of the digest
	said   int       // times that it was said
	last   time.Time // when something was said last
}

// changed notes what we see now.
func (v *view) changed(digest [32]byte, now time.Time) {
	if !v.known || digest != v.digest {
		v.known, v.digest, v.since, v.said = true, digest, now, 0
	}
}

// due returns when to say it next.
func (v *view) due() time.Time {
	due := v.last.Add(viewEvery)
	if v.said < viewAgains {
		due = v.last.Add(viewAgain)
	}
	if rest := v.since.Add(viewRest); due.Before(rest) {
		due = rest
	}
	return due
}

// sayView says what we see, if it is time to and we talk.
func (k *keeper) sayView(now time.Time) (next time.Time) {
	v := &k.view
	k.talking.Lock()
	armed := k.armed // then there is a sealer
	k.talking.Unlock()
	if !armed || !v.known {
		return time.Time{}
	}
	if hand := wire.Hand(k.hand.Load()); hand != v.hand {
		if v.hand = hand; hand != wire.HandUnknown {
			v.said = 0
		}
	}
	if due := v.due(); now.Before(due) {
		return due
	}
	if k.sender.silentFor() > viewAgain { // who does not talk has no secrets
		return now.Add(viewAgain)
	}
	v.last = now
	v.said++
	if k.sender.send(&v.outlet, wire.AppendView(nil, wire.View{Members: v.digest, Hand: v.hand})) != nil {
		return now.Add(viewAgain) // the microphone was closed just now, or the room is over
	}
	return v.due()
}
