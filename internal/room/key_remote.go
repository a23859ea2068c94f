package room

import (
	"bytes"
	"hash/maphash"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxRemoteKeys is of how many keys of a remote talker it is known who got them. What is forgotten only
	// costs a second copy, which clients ignore.
	maxRemoteKeys = 16
	// remoteKeyRate and remoteKeyBurst bound the new keys of a remote talker. Its home holds it to keyRate;
	// what a broken path held up may come at once.
	remoteKeyRate  = 2 * keyRate
	remoteKeyBurst = 2 * keyBurst
	// variantRate and variantBurst bound, for a talker and a recipient, the other messages with a key number
	// that the recipient had one of. A talker that encrypts its key once more for who asks again makes one.
	variantRate  = 2 * keyRate
	variantBurst = 2 * keyBurst
	// maxVariants bounds how many messages with one number are under way to one recipient and known to be.
	// The oldest gives way: it goes on, but a repeat of it would be sent again.
	maxVariants = 4
	// maxRepeats bounds who waits for one acknowledgement.
	maxRepeats = 4
)

// digestSeed makes digests of messages that nobody outside can aim at.
var digestSeed = maphash.MakeSeed()

// keyDigest tells messages with the same key number apart: whoever passes keys on could make one up, and it
// must not be taken for the true one. It is short, for there is one for each pair of talker and recipient.
type keyDigest uint32

func digestKey(message []byte) keyDigest { return keyDigest(maphash.Bytes(digestSeed, message)) }

// remoteKey is a key of a remote talker, of which copies came for recipients here. Its exchange guards it.
//
//	           ┌── link full ──┐
//	           v               |
//	not passed ── PassKey ──> pending ── acknowledged ──> passed
//	           ^               |
//	           └ session ended ┘
type remoteKey struct {
	number  uint32
	came    time.Time           // first
	entry   []byte              // the talker's, as UrgentMembersJoined
	passed  map[int]keyDigest   // what was acknowledged last, by recipient's slot
	pending map[int][]*delivery // by recipient's slot; at most maxVariants, oldest first
}

// delivery is one copy under way to one recipient, with who wants to know when it has come.
type delivery struct {
	digest keyDigest
	done   []func(acked bool)
}

// PassKey passes an UrgentKey message of the member, which is a remote talker, on to a local recipient, who
// is told who the talker is if it was not yet. A message goes to a recipient once: a repeat waits for the
// same acknowledgement, if it is still to come. Another message with the same number is another key, for
// either may be made up.
//
// If taken, done is called once: with true when the recipient has acknowledged, or had before, and with false
// when it will not get this copy. It may be called before PassKey returns; no lock is held then. If not
// taken, the message shall come again, and done is not called.
func (m *Member) PassKey(key []byte, to wire.MemberID, done func(acked bool), now time.Time) (taken bool) {
	rooms := m.rooms
	msg, err := wire.Parse[wire.Key](key)
	recipient := m.room.find(to)
	if err != nil || msg.Sender != m.ID || recipient == nil || recipient.remote() {
		rooms.Drops.Add(drops.KeyUnusable, 1)
		done(false)
		return true
	}
	c := copyOf{m, recipient, nil, &delivery{digestKey(key), []func(bool){done}}}
	x := &m.room.keys
	x.mu.Lock()
	state, introduce := c.claimLocked(msg.Key.Number, now)
	x.mu.Unlock()
	switch state {
	case copyHad:
		done(true)
	case copyRefused:
		rooms.Drops.Add(drops.KeyUnusable, 1)
		done(false)
	case copyLimited:
		rooms.Drops.Add(drops.KeyRate, 1)
		return false
	case copyClaimed:
		if introduce && !recipient.introduce(m, c.key.entry) ||
			recipient.receiver.SendUrgentThen(wire.UrgentKey, bytes.Clone(key), c.finish) != nil {
			return c.unclaim(now)
		}
		rooms.Keys.Passed.Add(1)
	}
	return true
}

// copyOf is a key of a remote talker on its way to one recipient.
type copyOf struct {
	talker, to *Member
	key        *remoteKey
	delivery   *delivery
}

// copyState is what becomes of a copy.
type copyState int

const (
	copyClaimed copyState = iota // it is to be sent
	copyHad                      // the recipient has acknowledged another
	copyWaits                    // for the acknowledgement of another
	copyLimited                  // the talker makes keys too fast
	copyRefused                  // one of both has left, the talker is local, or too many wait
)

// claimLocked finds out what to do with the copy, and notes that. introduce: the recipient does not know the
// talker. The caller holds exchange.mu.
func (c *copyOf) claimLocked(number uint32, now time.Time) (state copyState, introduce bool) {
	slot, talker := c.to.keys.slot, c.talker.keys.slot
	if slot == noSlot || talker == noSlot || !c.talker.remote() {
		return copyRefused, false
	}
	if c.key = c.talker.remoteKeyLocked(number, now); c.key == nil {
		return copyLimited, false
	}
	pending := c.key.pending[slot]
	same := func(d *delivery) bool { return d.digest == c.delivery.digest }
	if i := slices.IndexFunc(pending, same); i >= 0 {
		if len(pending[i].done) == maxRepeats {
			return copyRefused, false
		}
		pending[i].done = append(pending[i].done, c.delivery.done...)
		return copyWaits, false
	}
	last, passed := c.key.passed[slot]
	if passed && last == c.delivery.digest {
		return copyHad, false
	}
	if (passed || len(pending) > 0) && !c.talker.variantLocked(slot, now) {
		return copyLimited, false
	}
	if len(pending) == maxVariants {
		pending = slices.Delete(pending, 0, 1)
	}
	c.key.pending[slot] = append(pending, c.delivery)
	return copyClaimed, !c.to.keys.told.has(talker)
}

// remoteKeyLocked returns what is known of a key of the member, or nil if its keys come too fast. Which one
// is forgotten for a new one goes by when they came, not by number: else one high number that somebody made
// up would shut out all true ones. The caller holds exchange.mu.
func (m *Member) remoteKeyLocked(number uint32, now time.Time) *remoteKey {
	keys := &m.keys
	if i := slices.IndexFunc(keys.remote, func(k *remoteKey) bool { return k.number == number }); i >= 0 {
		return keys.remote[i]
	}
	if !allow(&keys.announce, remoteKeyRate, remoteKeyBurst, now) {
		return nil
	}
	if len(keys.remote) == maxRemoteKeys {
		keys.remote = append(keys.remote[:0:0], keys.remote[1:]...)
	}
	k := &remoteKey{
		number: number, came: now, entry: wire.AppendMembersJoined(nil, m.Entry),
		passed: make(map[int]keyDigest), pending: make(map[int][]*delivery),
	}
	keys.remote = append(keys.remote, k)
	return k
}

// variantLocked reports whether another message with a number that the recipient in a slot had one of may go
// to it. The caller holds exchange.mu.
func (m *Member) variantLocked(slot int, now time.Time) bool {
	keys := &m.keys
	if keys.variants == nil {
		keys.variants = make(map[int]*rate.Limiter)
	}
	limiter := keys.variants[slot]
	ok := allow(&limiter, variantRate, variantBurst, now)
	keys.variants[slot] = limiter
	return ok
}

// finish tells who waits for the copy what became of it.
func (c *copyOf) finish(acked bool) {
	x := &c.talker.room.keys
	x.mu.Lock()
	done := c.overLocked(acked)
	x.mu.Unlock()
	for _, f := range done {
		f(acked)
	}
}

// overLocked forgets the copy, unless its recipient has left and is forgotten as a whole. It returns who
// waits for it. The caller holds exchange.mu.
func (c *copyOf) overLocked(acked bool) (done []func(bool)) {
	if slot := c.to.keys.slot; slot != noSlot {
		pending := slices.DeleteFunc(c.key.pending[slot], func(d *delivery) bool { return d == c.delivery })
		if c.key.pending[slot] = pending; len(pending) == 0 {
			delete(c.key.pending, slot)
		}
		if acked {
			c.key.passed[slot] = c.delivery.digest
		}
	}
	done, c.delivery.done = c.delivery.done, nil
	return done
}

// unclaim takes back what claimLocked noted, because the recipient's link took no message. It reports whether
// the recipient is given up: it will ask for the key when it is back.
func (c *copyOf) unclaim(now time.Time) (taken bool) {
	givenUp := now.Sub(c.key.came) > silence || !c.to.receiver.HeardWithin(silence)
	x := &c.talker.room.keys
	x.mu.Lock()
	done := c.overLocked(false)
	x.mu.Unlock()
	if givenUp {
		c.talker.rooms.Drops.Add(drops.KeyUnusable, 1)
	} else {
		done = done[1:] // this one's comes again; those that joined it meanwhile were taken
	}
	for _, f := range done {
		f(false)
	}
	return givenUp
}
