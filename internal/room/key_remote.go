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
	// maxCopies is of how many messages with keys of a remote talker to one recipient it is known what became
	// of them. What is forgotten only costs a second copy, which clients ignore.
	maxCopies = 16
	// copyRate and copyBurst bound these messages. The talker's home holds it to keyRate, but a talker
	// encrypts its key once more for who asks again, and what a broken path held up may come at once.
	copyRate  = 2 * keyRate
	copyBurst = 2 * keyBurst
)

// digestSeed makes digests of messages that nobody outside can aim at.
var digestSeed = maphash.MakeSeed()

// keyDigest tells messages apart, also those with the same key number: whoever passes keys on could make one
// up, and it must not be taken for the true one. It is short, for there are some for each pair of talker and
// recipient.
type keyDigest uint32

// keyCopies are what came of one remote talker's keys for one recipient here. Their exchange guards them.
type keyCopies struct {
	limit *rate.Limiter
	list  []keyCopy // oldest first; a high number that somebody made up keeps no true one out
}

// keyCopy is a message that is under way to the recipient, or was acknowledged.
//
//	           ┌── link full ──┐
//	           v               |
//	not passed ── PassKey ──> under way ── acknowledged ──> acked
//	           ^               |
//	           └ session ended ┘
type keyCopy struct {
	digest keyDigest
	acked  bool
}

// PassKey passes an UrgentKey message of the member, which is a remote talker, on to a local recipient, who
// is told who the talker is if it was not yet. A message goes to a recipient once: of a repeat the
// acknowledgement is the same. Another message with the same number is another key, for either may be made
// up.
//
// acked is called when the recipient has acknowledged the message, or had before; perhaps before PassKey
// returns. No lock is held then. If not taken, the message may come again, for as long as that is of use.
func (m *Member) PassKey(key []byte, to wire.MemberID, acked func(), now time.Time) (taken bool) {
	rooms := m.rooms
	msg, err := wire.Parse[wire.Key](key)
	recipient := m.room.find(to)
	if err != nil || msg.Sender != m.ID || recipient == nil || recipient.remote() || !m.remote() {
		rooms.Drops.Add(drops.KeyUnusable, 1)
		return true
	}
	digest := keyDigest(maphash.Bytes(digestSeed, key))
	state, introduce := m.claimCopy(recipient, digest, now)
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
			if m.finishCopy(recipient, digest, ok); ok {
				acked()
			}
		}
		if introduce && !recipient.introduce(m, wire.AppendMembersJoined(nil, m.Entry)) ||
			recipient.receiver.SendUrgentThen(wire.UrgentKey, bytes.Clone(key), done) != nil {
			m.finishCopy(recipient, digest, false)
			silent := !recipient.receiver.ReceivedWithin(silence) // it will ask for the key when it is back
			if silent {
				rooms.Drops.Add(drops.KeyUnusable, 1)
			}
			return silent
		}
		rooms.Keys.Passed.Add(1)
	}
	return true
}

// copyState is what becomes of a copy.
type copyState int

const (
	copyClaimed copyState = iota // it is to be sent
	copyHad                      // the recipient has acknowledged it
	copyWaits                    // it is under way
	copyLimited                  // the talker makes keys too fast
	copyRefused                  // one of both has left
)

// claimCopy finds out what to do with a message of the member to a recipient, and notes that. introduce: the
// recipient does not know the member.
func (m *Member) claimCopy(to *Member, digest keyDigest, now time.Time) (state copyState, introduce bool) {
	x := &m.room.keys
	x.mu.Lock()
	defer x.mu.Unlock()
	slot, talker := to.keys.slot, m.keys.slot
	if slot == noSlot || talker == noSlot {
		return copyRefused, false
	}
	if m.keys.copies == nil {
		m.keys.copies = make(map[int]*keyCopies)
	}
	copies := m.keys.copies[slot]
	if copies == nil {
		copies = new(keyCopies)
		m.keys.copies[slot] = copies
	}
	switch i := copies.find(digest); {
	case i >= 0 && copies.list[i].acked:
		return copyHad, false
	case i >= 0:
		return copyWaits, false
	case !allow(&copies.limit, copyRate, copyBurst, now):
		return copyLimited, false
	case len(copies.list) == maxCopies:
		copies.list = slices.Delete(copies.list, 0, 1)
	}
	copies.list = append(copies.list, keyCopy{digest: digest})
	return copyClaimed, !to.keys.told.has(talker)
}

func (c *keyCopies) find(digest keyDigest) int {
	return slices.IndexFunc(c.list, func(one keyCopy) bool { return one.digest == digest })
}

// finishCopy notes that a message is not under way any more. Who has left is forgotten already.
func (m *Member) finishCopy(to *Member, digest keyDigest, acked bool) {
	x := &m.room.keys
	x.mu.Lock()
	defer x.mu.Unlock()
	copies := m.keys.copies[to.keys.slot]
	if copies == nil {
		return
	}
	switch i := copies.find(digest); {
	case i < 0:
	case acked:
		copies.list[i].acked = true
	default:
		copies.list = slices.Delete(copies.list, i, i+1)
	}
}
