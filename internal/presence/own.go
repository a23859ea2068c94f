package presence

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// ownChange is whether one of our own takes calls now, in the next version.
type ownChange struct {
	here        bool
	fingerprint identity.Fingerprint
}

// version makes the next version of who takes calls here, if somebody came or left; not all at once, so that
// no crowd takes peers' links.
func (t *Table) nextVersion(now time.Time) {
	h, c := t.own, change{rise: 1}
	most := changesMost
	if len(t.peers) == 0 || len(t.news) > crowd {
		most = len(t.news) // peers will ask for what differs, which is less than to tell them all
	}
	for hash, news := range t.news {
		if most--; most < 0 {
			break
		}
		delete(t.news, hash)
		known, here := h.whole[hash]
		switch {
		case here && (!news.here || known != news.fingerprint):
			h.hashes.remove(hash)
			delete(h.whole, hash)
			c.left = append(c.left, hash)
		case here:
			continue
		}
		if news.here {
			h.hashes.add(hash)
			h.whole[hash] = news.fingerprint
			c.whole = append(c.whole, news.fingerprint)
		}
	}
	if len(c.left)+len(c.whole) > 0 {
		t.changed = now
		h.version++
		t.push(h, c)
	}
}

// signOwn signs who takes calls here, if that was not done for a while, and has it told.
func (t *Table) signOwn(now time.Time) {
	h := t.own
	if h.state != nil && now.Before(h.stateAt.Add(stateEvery)) {
		return
	}
	s := &wire.PresenceState{Boot: t.boot, Sequence: h.version, Count: uint32(h.hashes.n),
		Time: uint64(now.UnixMilli()), Digest: h.hashes.sum()}
	s.Sign(t.identity)
	h.state, h.stateAt = s, now
	t.push(h, change{state: s})
}
