package room

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxKeys is how many sender keys of a member are kept for the wraps that follow them.
	maxKeys = 4
	// keyRate and keyBurst bound the sender keys of one member: each may become a packet to every other.
	keyRate  = 2
	keyBurst = 8
	// silence is after how long without a packet from a member nobody waits for its acknowledgement. A link
	// that takes no more messages gets as long to recover.
	silence = 4 * time.Second
	// patience is for how long an acknowledgement is waited for, also of a member that sends packets: one that does
	// not acknowledge must not hold up the others' keys.
	patience = 4 * time.Second
	// watchTime is for how long after it was last passed on a key's recipients are watched. Talkers
	// wait for 8 s.
	watchTime = 12 * time.Second
	// maxLeft bounds how many recipients that left are remembered, lest they be counted again.
	maxLeft = 64
)

// exchange is what a room knows of sender keys. The zero value is that of an empty room.
//
//	talker                                room                               listener
//	  SenderKey ──────> memberKeys.newest: senderKey
//	  KeyWraps  ──────> senderKey.passed, waiting ──── entry (once), key ──> SendUrgentThen
//	  <─ key delivered ── waiting is empty <──────────── acknowledged, left, silent or slow (watched, by Flush)
//	  <─ keys wanted ──── Flush <── asked <─────────────────────────────────── KeysWanted
//
// A remote listener acknowledges by KeyReceived, and asks by KeyWantedBy. Of a remote talker's keys its home knows all
// that is above; here it is only known who got them (passkey.go).
//
// What is known of a pair of members is one bit: members have slots, which are used again.
type exchange struct {
	mu      sync.Mutex   // guards what follows, and all memberKeys and senderKeys; the last of a room's locks, nothing is sent under it
	members []*Member    // by slot; nil: free
	watched []*senderKey // some recipients have not acknowledged, or the sender has not been told that all have
	asked   []*Member    // who are to be told who wants their keys
}

// noSlot is the slot of a member that has left.
const noSlot = -1

// memberKeys is what a room's exchange knows of one member, and guards.
type memberKeys struct {
	slot     int
	told     slots                 // of whom the member was told by UrgentMembersJoined; empty if it is remote
	newest   []*senderKey          // of a local talker, at most maxKeys, by number
	remote   []*remoteKey          // of a remote talker, at most maxRemoteKeys, by when they came
	announce *rate.Limiter         // of both; nil: there were none
	variants map[int]*rate.Limiter // of a remote talker, by recipient's slot
	ask      *rate.Limiter         // nil: has not asked
	list     *rate.Limiter         // of answers to MembersWanted; nil: has not asked
	wantedBy slots                 // who asked, and was not named to the member yet
	named    int                   // one above the slot that was named last
}

// senderKey is a key that a member announced. Its exchange guards what may change.
type senderKey struct {
	member     *Member
	key        wire.SignedKey // never changed, as all up to recipients
	entry      []byte         // the member's, as UrgentMembersJoined
	number     uint32
	came       time.Time
	recipients uint32 // wraps that the member announced

	passed    slots           // to whom
	waiting   waiting         // of those, who have not acknowledged
	count     uint32          // wraps that came: passed, or for nobody
	left      []wire.MemberID // to whom it was passed, and who left while wraps were to come
	passedAt  time.Time       // last; came, if never
	watched   bool            // is in exchange.watched
	delivered bool            // the sender was told, or is being told
	owed      bool            // it could not be told
}

// KeyCounts are totals of all rooms since the start.
type KeyCounts struct {
	Announced  atomic.Uint64 // sender keys taken
	Passed     atomic.Uint64 // sent to a recipient
	Introduced atomic.Uint64 // entries sent to members that would not have known whose key it is
	Delivered  atomic.Uint64 // senders told that all have a key
}

// join gives a member its slot, the lowest, for sets are as long as their highest.
func (x *exchange) join(m *Member) {
	x.mu.Lock()
	defer x.mu.Unlock()
	slot := slices.Index(x.members, nil)
	if slot < 0 {
		slot = len(x.members)
		x.members = append(x.members, nil)
	}
	x.members[slot] = m
	m.keys.slot = slot
}

// leave forgets a member and its keys. What waits for it waits no more; the next Flush tells senders so.
func (x *exchange) leave(m *Member) {
	x.mu.Lock()
	defer x.mu.Unlock()
	slot := m.keys.slot
	m.keys = memberKeys{slot: noSlot}
	x.members[slot] = nil
	x.watched = slices.DeleteFunc(x.watched, func(k *senderKey) bool { return k.member == m })
	x.asked = slices.DeleteFunc(x.asked, func(a *Member) bool { return a == m })
	for _, k := range x.watched {
		k.forget(slot, m.ID)
	}
	last := 0
	for i, other := range x.members {
		if other == nil {
			continue
		}
		last = i + 1
		other.keys.told.remove(slot)
		other.keys.wantedBy.remove(slot)
		for _, k := range other.keys.newest {
			k.forget(slot, m.ID)
		}
		delete(other.keys.variants, slot)
		for _, k := range other.keys.remote {
			k.forget(slot)
		}
	}
	x.members = x.members[:last]
}

// forget frees the slot of a recipient that has left. The caller holds exchange.mu.
func (k *senderKey) forget(slot int, id wire.MemberID) {
	k.waiting.remove(slot)
	if k.passed.remove(slot) && k.count < k.recipients && len(k.left) < maxLeft {
		k.left = append(k.left, id)
	}
}

// settle reports, once, that all wraps have come and nobody is waited for. The caller holds exchange.mu, and calls
// deliver without it.
func (k *senderKey) settle() bool {
	if k.delivered || k.count < k.recipients || !k.waiting.empty() || k.member.keys.slot == noSlot {
		return false
	}
	k.delivered, k.left = true, nil
	return true
}

// watch has the next Flushes look at the key. It reports whether that is news. The caller holds exchange.mu.
func (x *exchange) watch(k *senderKey) bool {
	if k.watched {
		return false
	}
	k.watched = true
	x.watched = append(x.watched, k)
	return true
}

// deliver tells the sender that all have its key.
func (k *senderKey) deliver() {
	m := k.member
	if m.receiver.SendUrgent(wire.UrgentKeyDelivered, wire.AppendKeyDelivered(nil, k.number)) == nil {
		m.rooms.Keys.Delivered.Add(1)
		return
	}
	x := &m.room.keys
	x.mu.Lock()
	k.owed = m.keys.slot != noSlot
	if k.owed {
		x.watch(k)
	}
	x.mu.Unlock()
	m.rooms.Soon()
}

// acknowledged notes that a recipient has the key, or that its session has ended.
func (k *senderKey) acknowledged(to *Member) {
	x := &k.member.room.keys
	x.mu.Lock()
	done := to.keys.slot != noSlot && k.waiting.remove(to.keys.slot) && k.settle()
	x.mu.Unlock()
	if done {
		k.deliver()
	}
}

// flush does what time alone brings about. It reports whether something is left to be done.
func (x *exchange) flush(now time.Time) bool {
	x.mu.Lock()
	delivered := x.lookLocked(now)
	asks := x.takeAsksLocked()
	x.mu.Unlock()
	for _, k := range delivered {
		k.deliver()
	}
	for i := range asks {
		asks[i].send(x)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.watched) > 0 || len(x.asked) > 0
}

// lookLocked goes through the keys that are watched, and returns those whose senders must be told. The caller holds x.mu.
func (x *exchange) lookLocked(now time.Time) (delivered []*senderKey) {
	if len(x.watched) == 0 {
		return nil
	}
	silent := x.silentLocked()
	x.watched = slices.DeleteFunc(x.watched, func(k *senderKey) bool {
		k.waiting.removeAll(silent)
		k.waiting.expire(now.Add(-patience))
		due := now.Sub(k.passedAt) < watchTime
		if k.settle() || k.owed && due {
			delivered = append(delivered, k)
		} else if due && !k.waiting.empty() {
			return false
		}
		k.owed, k.watched = false, false
		return true
	})
	return delivered
}

// silentLocked returns who is waited for and was not heard of for some time. The caller holds x.mu.
func (x *exchange) silentLocked() (silent slots) {
	var all slots
	for _, k := range x.watched {
		all.addAll(k.waiting.all())
	}
	for slot := range all.from(0) {
		if !x.members[slot].receiver.HeardWithin(silence) {
			silent.add(slot)
		}
	}
	return silent
}

// toldOf notes of whom members were told: each of the first of messages, as many as reached says.
func (x *exchange) toldOf(members []*Member, reached []int, messages []urgent) {
	x.mu.Lock()
	defer x.mu.Unlock()
	joined := make([]slots, len(messages))
	for i, msg := range messages {
		for _, m := range msg.joined {
			if m.keys.slot != noSlot {
				joined[i].add(m.keys.slot)
			}
		}
	}
	for i, m := range members {
		if m.keys.slot == noSlot {
			continue
		}
		for _, set := range joined[:reached[i]] {
			m.keys.told.addAll(set)
		}
	}
}
