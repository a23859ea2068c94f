package room

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// How the sender keys of local talkers are passed on, docs/protocol.md, section 4.4. Nothing of a key is
// understood here but its number: header, signature and wraps go on as they came.
//
// The messages of one member are handed over one at a time, as internal/link does. taken false means that the
// message cannot be used yet, and shall come again.

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

// SenderKey receives a sender key that the member announces.
func (m *Member) SenderKey(message []byte, now time.Time) (taken bool) {
	msg, err := wire.Parse[wire.SenderKey](message)
	if err != nil {
		m.rooms.Drops.Add(drops.KeyUnusable, 1)
		return true
	}
	x := &m.room.keys
	x.mu.Lock()
	k, taken := m.announceLocked(&msg, now)
	ready := k != nil && k.settle() // for nobody
	x.mu.Unlock()
	if ready {
		k.deliver()
	}
	return taken
}

// announceLocked makes a senderKey of an announcement, or nil. The caller holds exchange.mu.
func (m *Member) announceLocked(msg *wire.SenderKey, now time.Time) (k *senderKey, taken bool) {
	rooms, keys := m.rooms, &m.keys
	i, found := slices.BinarySearchFunc(keys.newest, msg.Key.Number, byNumber)
	full := len(keys.newest) == maxKeys
	if keys.slot == noSlot || m.remote() || found || full && i == 0 {
		rooms.Drops.Add(drops.KeyUnusable, 1)
		return nil, true
	}
	if !allow(&keys.announce, keyRate, keyBurst, now) {
		rooms.Drops.Add(drops.KeyRate, 1)
		return nil, false
	}
	if full {
		keys.newest = append(keys.newest[:0:0], keys.newest[1:]...)
		i--
	}
	k = &senderKey{member: m, number: msg.Key.Number, recipients: msg.Recipients, came: now, passedAt: now}
	k.entry = wire.AppendMembersJoined(nil, m.Entry)
	k.key.Signed, k.key.Signature = bytes.Clone(msg.Key.Signed), bytes.Clone(msg.Key.Signature)
	keys.newest = slices.Insert(keys.newest, i, k)
	rooms.Keys.Announced.Add(1)
	return k, true
}

func byNumber(k *senderKey, number uint32) int { return cmp.Compare(k.number, number) }

// KeyWraps passes a key that the member announced on to those whom the message has wraps for. Those of them
// who have it already do not get it again; for whom the link is too full the message comes again.
func (m *Member) KeyWraps(message []byte, now time.Time) (taken bool) {
	rooms := m.rooms
	w, err := wire.ParseKeyWraps(message)
	if err != nil {
		rooms.Drops.Add(drops.KeyUnusable, 1)
		return true
	}
	x := &m.room.keys
	x.mu.Lock()
	k, old := m.announcedLocked(w.Number)
	x.mu.Unlock()
	if k == nil {
		if old {
			rooms.Drops.Add(drops.KeyUnusable, w.Len())
		}
		return old
	}
	absent := make([]wire.MemberID, 0, 16)
	taken = true
	for i := range w.Len() {
		id, wrap := w.Wrap(i)
		switch k.pass(id, wrap, now) {
		case wrapAbsent:
			absent = append(absent, id)
		case wrapFull:
			taken = false
		}
	}
	if taken {
		k.finish(absent)
	}
	return taken
}

// announcedLocked returns the key with a number; if there is none, old says that it will not come any more.
// The caller holds exchange.mu.
func (m *Member) announcedLocked(number uint32) (k *senderKey, old bool) {
	i, found := slices.BinarySearchFunc(m.keys.newest, number, byNumber)
	if found {
		return m.keys.newest[i], false
	}
	return nil, m.keys.slot == noSlot || i == 0 && len(m.keys.newest) == maxKeys
}

// outcome is what became of a wrap.
type outcome int

const (
	wrapDone    outcome = iota // passed on, now or before, or given up
	wrapAbsent                 // the recipient is not in the room
	wrapFull                   // its link takes no more messages now
	wrapClaimed                // about to be passed on
)

// pass sends the key to one recipient.
func (k *senderKey) pass(id wire.MemberID, wrap []byte, now time.Time) outcome {
	m := k.member
	to := m.room.find(id)
	if to == nil || to == m {
		return wrapAbsent
	}
	x := &m.room.keys
	x.mu.Lock()
	state, introduce := k.claimLocked(to, now)
	news := state == wrapClaimed && x.watch(k)
	x.mu.Unlock()
	if state != wrapClaimed {
		return state
	}
	if news {
		m.rooms.Soon()
	}
	if introduce && !to.introduce(k.member, k.entry) || !k.send(to, wrap) {
		return k.unclaim(to, now)
	}
	m.rooms.Keys.Passed.Add(1)
	return wrapDone
}

// claimLocked notes that the key is about to be passed to a recipient, or returns why it need not be.
// introduce: the recipient does not know the sender, was not sent its entry before, and has no other home
// that does so. The caller holds exchange.mu.
func (k *senderKey) claimLocked(to *Member, now time.Time) (state outcome, introduce bool) {
	slot, sender := to.keys.slot, k.member.keys.slot
	switch {
	case slot == noSlot:
		return wrapAbsent, false
	case sender == noSlot, k.passed.has(slot):
		return wrapDone, false
	}
	k.passed.add(slot)
	k.waiting.add(slot, now)
	k.count++
	k.passedAt = now
	return wrapClaimed, !to.remote() && !to.keys.told.has(sender)
}

// unclaim takes back what claimLocked noted, because the recipient's link took no message, unless it is time
// to give the recipient up: it will ask for the key when it is back.
func (k *senderKey) unclaim(to *Member, now time.Time) outcome {
	givenUp := now.Sub(k.came) > silence || !to.receiver.ReceivedWithin(silence)
	x := &k.member.room.keys
	x.mu.Lock()
	defer x.mu.Unlock()
	slot := to.keys.slot
	if slot == noSlot {
		return wrapDone // forget has seen to it
	}
	k.waiting.remove(slot)
	if givenUp {
		k.member.rooms.Drops.Add(drops.KeyUnusable, 1)
		return wrapDone
	}
	k.passed.remove(slot)
	k.count--
	return wrapFull
}

// send sends the key, and reports whether the link took it. A remote recipient answers by KeyReceived.
func (k *senderKey) send(to *Member, wrap []byte) bool {
	msg := wire.Key{Sender: k.member.ID, Key: k.key, Wrap: wrap}
	body := make([]byte, 0, len(msg.Sender)+len(msg.Key.Signed)+len(msg.Key.Signature)+len(wrap))
	body = wire.Append(body, &msg)
	done := func(bool) { k.acknowledged(to) }
	if to.remote() {
		done = func(bool) {}
	}
	return to.receiver.SendUrgentThen(wire.UrgentKey, body, done) == nil
}

// finish counts the wraps of a message that were for nobody, when all else of it was done.
func (k *senderKey) finish(absent []wire.MemberID) {
	m := k.member
	x := &m.room.keys
	x.mu.Lock()
	for _, id := range absent {
		if !slices.Contains(k.left, id) { // or it was counted when it was here
			k.count++
		}
	}
	ready := k.settle()
	x.mu.Unlock()
	m.rooms.Drops.Add(drops.KeyUnusable, len(absent))
	if ready {
		k.deliver()
	}
}

// forget frees the slot of a recipient that has left. The caller holds exchange.mu.
func (k *senderKey) forget(slot int, id wire.MemberID) {
	k.waiting.remove(slot)
	if k.passed.remove(slot) && k.count < k.recipients && len(k.left) < maxLeft {
		k.left = append(k.left, id)
	}
}

// settle reports, once, that all wraps have come and nobody is waited for: then deliver, without exchange.mu,
// which the caller holds.
func (k *senderKey) settle() bool {
	if k.delivered || k.count < k.recipients || !k.waiting.empty() || k.member.keys.slot == noSlot {
		return false
	}
	k.delivered, k.left = true, nil
	return true
}

// deliver tells the sender that all have its key.
func (k *senderKey) deliver() {
	m := k.member
	if m.receiver.SendUrgent(wire.UrgentKeyDelivered, wire.Append(nil,
		&wire.KeyDelivered{Number: k.number})) == nil {
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

// KeyReceived notes that a remote recipient has a key of the member, which is a local talker. What is said of
// others is ignored: a relay speaks for its own members alone.
func (m *Member) KeyReceived(number uint32, from wire.MemberID) {
	to := m.room.find(from)
	if to == nil || !to.remote() {
		m.rooms.Drops.Add(drops.KeyUnusable, 1)
		return
	}
	x := &m.room.keys
	x.mu.Lock()
	k := m.passedLocked(number)
	x.mu.Unlock()
	if k != nil {
		k.acknowledged(to)
	}
}

// passedLocked returns a key that may be waited for still, or nil. The caller holds exchange.mu.
func (m *Member) passedLocked(number uint32) *senderKey {
	if k, _ := m.announcedLocked(number); k != nil {
		return k
	}
	for _, k := range m.room.keys.watched { // also of those that newer keys have replaced
		if k.member == m && k.number == number {
			return k
		}
	}
	return nil
}
