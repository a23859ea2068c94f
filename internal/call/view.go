package call

import (
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	viewRest   = 500 * time.Millisecond // that the members must not change for, before the talker says who they are,
	viewAgain  = 500 * time.Millisecond // again,
	viewAgains = 3                      // as often as that, for a frame may be lost,
	viewEvery  = 3 * time.Second        // and then as often as that while it talks
)

// view says what this member sees to who hears it, so that a relay cannot show somebody to one of them only: a digest of the
// members, in a stream of its own, encrypted as media is. A new key says the same, but only to who gets it. It belongs to
// keepKeys, but for the sealer and the pair.
type view struct {
	sealer *e2ee.Sealer   // guarded by keeper.talking; nil: nothing was ever said
	pair   wire.AliasPair // written by keepKeys with room.mu held

	known  bool
	digest [32]byte
	since  time.Time // of the digest
	said   int       // times that it was said
	last   time.Time // when something was said last
}

// openLocked opens the view stream with the first key. The caller holds keeper.talking.
func (v *view) openLocked(talker *e2ee.Talker) {
	if v.sealer == nil {
		v.sealer, _ = talker.Stream(wire.ViewStream) // the number is not used otherwise
	}
}

// changed takes what we see now.
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

// showView says what we see, if it is time to and we talk.
func (k *keeper) showView(now time.Time) (next time.Time) {
	v := &k.view
	sealer := k.viewSealer()
	if sealer == nil || !v.known || !k.room.publishing() {
		return time.Time{}
	}
	if due := v.due(); now.Before(due) {
		return due
	}
	if k.room.now()-time.Duration(k.room.sent.last.Load()) > viewAgain { // silent: who does not talk has no secrets
		return now.Add(viewAgain)
	}
	v.last = now
	v.said++
	kid, ctr, ciphertext, err := sealer.Seal(nil, wire.AppendView(nil, v.digest))
	if err != nil { // the microphone was closed just now, or the room is over
		return now.Add(viewAgain)
	}
	session := k.room.link.Session()
	if kid != v.pair.KID {
		k.room.rename(session, &v.pair, kid)
	}
	k.room.logSent(kid, ctr, len(ciphertext))
	session.SendMediaNow(v.pair.Alias, &wire.Media{KID: kid, CTR: ctr, Ciphertext: ciphertext})
	return v.due()
}

// viewSealer returns what the view is sealed with. Its keys follow the talker's, whoever holds keeper.talking.
func (k *keeper) viewSealer() *e2ee.Sealer {
	k.talking.Lock()
	defer k.talking.Unlock()
	return k.view.sealer
}

// publishing reports whether a microphone is armed.
func (r *Room) publishing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.publication != nil && !r.publication.ended()
}
