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
	pending map[int][]keyDigest // what is under way, likewise; at most maxVariants, oldest first
}

// PassKey passes an UrgentKey message of the member, which is a remote talker, on to a local recipient, who
// is told who the talker is if it was not yet. A message goes to a recipient once: of a repeat the
// acknowledgement is the same. Another message with the same number is another key, for either may be made
// up.
//
// acked is called when the recipient has acknowledged the message, or had before; perhaps before PassKey
// returns. No lock is held then. If not taken, the message shall come again.
func (m *Member) PassKey(key []byte, to wire.MemberID, acked func(), now time.Time) (taken bool) {
	rooms := m.rooms
	msg, err := wire.Parse[wire.Key](key)
	recipient := m.room.find(to)
	if err != nil || msg.Sender != m.ID || recipient == nil || recipient.remote() {
		rooms.Drops.Add(drops.KeyUnusable, 1)
		return true
	}
	c := copyOf{talker: m, to: recipient, digest: digestKey(key)}
	x := &m.room.keys
	x.mu.Lock()
	state, introduce := c.claimLocked(msg.Key.Number, now)
	x.mu.Unlock()
	switch state {
	case copyHad:
		acked()
	case copyRefused:
		rooms.Drops.Add(drops.KeyUnusable, 1)
	case copyLimited:
		rooms.Drops.Add(drops.KeyRate, 1)
		return false
	case copyClaimed:
		done := func(ok bool) {
			if c.finish(ok); ok {
				acked()
			}
		}
		if introduce && !recipient.introduce(m, c.key.entry) ||
			recipient.receiver.SendUrgentThen(wire.UrgentKey, bytes.Clone(key), done) != nil {
			return c.giveUp(now)
		}
		rooms.Keys.Passed.Add(1)
	}
	return true
}

// copyOf is a key of a remote talker on its way to one recipient.
type copyOf struct {
	talker, to *Member
	key        *remoteKey
	digest     keyDigest
}

// copyState is what becomes of a copy.
type copyState int

const (
	copyClaimed copyState = iota // it is to be sent
	copyHad                      // the recipient has acknowledged it
	copyWaits                    // it is under way
	copyLimited                  // the talker makes keys too fast
	copyRefused                  // one of both has left, or the talker is local
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
	last, passed := c.key.passed[slot]
	switch {
	case slices.Contains(pending, c.digest):
		return copyWaits, false
	case passed && last == c.digest:
		return copyHad, false
	case (passed || len(pending) > 0) && !c.talker.variantLocked(slot, now):
		return copyLimited, false
	case len(pending) == maxVariants:
		pending = slices.Delete(pending, 0, 1)
	}
	c.key.pending[slot] = append(pending, c.digest)
	return copyClaimed, !c.to.keys.told.has(talker)
}

// finish notes that the copy is not under way any more. Who has left is forgotten already.
func (c *copyOf) finish(acked bool) {
	x := &c.talker.room.keys
	x.mu.Lock()
	defer x.mu.Unlock()
	slot := c.to.keys.slot
	if slot == noSlot {
		return
	}
	pending := slices.DeleteFunc(c.key.pending[slot], func(d keyDigest) bool { return d == c.digest })
	if c.key.pending[slot] = pending; len(pending) == 0 {
		delete(c.key.pending, slot)
	}
	if acked {
		c.key.passed[slot] = c.digest
	}
}

// giveUp takes back what claimLocked noted, because the recipient's link took no message. It reports whether
// it is for good: then the recipient will ask for the key when it is back.
func (c *copyOf) giveUp(now time.Time) (over bool) {
	c.finish(false)
	over = now.Sub(c.key.came) > silence || !c.to.receiver.ReceivedWithin(silence)
	if over {
		c.talker.rooms.Drops.Add(drops.KeyUnusable, 1)
	}
	return over
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
	k := &remoteKey{number: number, came: now, entry: wire.AppendMembersJoined(nil, m.Entry),
		passed: make(map[int]keyDigest), pending: make(map[int][]keyDigest)}
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
