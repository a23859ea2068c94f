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
	// patience is for how long an acknowledgement is waited for, also of a member that sends packets: one
	// that does not acknowledge must not hold up the others' keys.
	patience = 4 * time.Second
	// watchTime is how long a key's recipients are watched after it was passed on. Talkers wait for 8 s.
	watchTime = 12 * time.Second
	// maxLeft bounds how many recipients that left are remembered, lest they be counted again.
	maxLeft = 64
)

// exchange is what a room knows of sender keys. The zero value is that of an empty room.
//
//	talker                                room                               listener
//	  SenderKey ──────> memberKeys.newest: senderKey
//	  KeyWraps  ──────> senderKey.passed, waiting ──── entry (once), key ──> SendUrgentThen
//	  <─ key delivered ── waiting is empty <──────────── acknowledged, left, silent or slow (Flush)
//	  <─ keys wanted ──── Flush <── asked <─────────────────────────────────── KeysWanted
//
// A remote listener acknowledges by KeyReceived, and asks by KeyWantedBy. Of a remote talker's keys its home
// knows all that is above; here it is only known who got them (key_remote.go).
//
// What is known of a pair of members is one bit: members have slots, which are used again.
type exchange struct {
	// mu guards what follows, all memberKeys and senderKeys. It is a room's last lock.
	mu      sync.Mutex
	members []*Member    // by slot; nil: free
	watched []*senderKey // some recipients have not acknowledged, or the sender was not told that all have
	asked   []*Member    // who are to be told who wants their keys
}

// noSlot is the slot of a member that has left.
const noSlot = -1

// memberKeys is what a room's exchange knows of one member, and guards.
type memberKeys struct {
	slot     int
	told     slots                 // of whom the member was told by UrgentMembersJoined; empty: it is remote
	newest   []*senderKey          // of a local talker, at most maxKeys, by number
	remote   []*remoteKey          // of a remote talker, at most maxRemoteKeys, by when they came
	announce *rate.Limiter         // of both; for allow, as all of them
	variants map[int]*rate.Limiter // of a remote talker, by recipient's slot
	ask      *rate.Limiter
	list     *rate.Limiter // of answers to MembersWanted
	wantedBy slots         // who asked, and was not named to the member yet
	named    int           // one above the slot that was named last
}

// allow takes one from a limiter, which it makes if there is none: most members never need theirs.
func allow(l **rate.Limiter, limit rate.Limit, burst int, now time.Time) bool {
	if *l == nil {
		*l = rate.NewLimiter(limit, burst)
	}
	return (*l).AllowN(now, 1)
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
		for _, k := range other.keys.remote { // who waits learns it when the recipient's session ends
			delete(k.passed, slot)
			delete(k.pending, slot)
		}
	}
	x.members = x.members[:last]
}

// watch has the next Flushes check the key. It reports whether that is news. The caller holds exchange.mu.
func (x *exchange) watch(k *senderKey) bool {
	if k.watched {
		return false
	}
	k.watched = true
	x.watched = append(x.watched, k)
	return true
}

// flush does what time alone brings about. It reports whether something is left to be done.
func (x *exchange) flush(now time.Time) bool {
	x.mu.Lock()
	delivered := x.expireLocked(now)
	requests := x.requestsLocked()
	x.mu.Unlock()
	for _, k := range delivered {
		k.deliver()
	}
	for i := range requests {
		requests[i].send(x)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.watched) > 0 || len(x.asked) > 0
}

// expireLocked gives recipients up that are silent or slow, and returns the keys whose senders are to be
// told. The caller holds x.mu.
func (x *exchange) expireLocked(now time.Time) (delivered []*senderKey) {
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
		if !x.members[slot].receiver.ReceivedWithin(silence) {
			silent.add(slot)
		}
	}
	return silent
}

// introduced notes of whom members were told: each by the first of messages, as many as reached says.
func (x *exchange) introduced(members []*Member, reached []int, messages []urgent) {
	if len(messages) == 0 {
		return
	}
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

// introduce sends the member a talker's entry, once. It reports whether the link took it.
func (m *Member) introduce(talker *Member, entry []byte) bool {
	if m.receiver.SendUrgent(wire.UrgentMembersJoined, entry) != nil {
		return false
	}
	m.rooms.Keys.Introduced.Add(1)
	x := &m.room.keys
	x.mu.Lock()
	defer x.mu.Unlock()
	if sender := talker.keys.slot; m.keys.slot != noSlot && sender != noSlot {
		m.keys.told.add(sender)
	}
	return true
}
