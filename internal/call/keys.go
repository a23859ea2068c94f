package call

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	maxKeysQueued  = 256              // key messages that wait to be checked
	maxKeysUnknown = 64               // of senders that the relay has not told of
	unknownFetch   = time.Second      // after which the list is fetched for them
	unknownWarn    = 10 * time.Second // after which people are warned, and the message is dropped
)

// keeper keeps the room's keys: it makes ours, checks the others', and warns.
//
//	roster, relay ── changed, take, delivered, wanted ──> inputs ── keepKeys ──> urgent messages: our key, wraps, asking
//	Publish ── arm ──> Talker ── Sealer                       └──> Listener ── Opener, held frames play
//
// What takes long (a signature to check, a thousand wraps) is done on the keeper's own goroutine, not on those that
// receive packets or send sound.
type keeper struct {
	room *Room
	self wire.EntryHash
	join *e2ee.JoinKey // only in memory, erased at the end: keys wrapped for it open once

	listener *e2ee.Listener
	views    e2ee.Views // owned by keepKeys
	unknown  []unknownKey
	warned   map[warning]struct{}
	view     view
	safety   safety

	talking sync.Mutex // guards talker's methods, ends and view.sealer; only locks of e2ee are taken under it
	talker  *e2ee.Talker
	ends    time.Time // when its keys do not follow the members any more; zero: not yet, or no longer

	wake     chan struct{}
	opened   chan struct{} // closed when we know who is there, or need not wait for it any longer
	opening  opening       // owned by keepKeys
	expected int           // members, as the relay said at first
	dropped  atomic.Uint64
	out      outstanding

	mu     sync.Mutex // guards inputs
	inputs keeperInputs
}

// keeperInputs are what other goroutines tell the keeper. Each list is bounded.
type keeperInputs struct {
	changed   bool // the roster
	keys      [][]byte
	delivered []uint32
	wanted    []wire.MemberID
	seenBy    map[wire.MemberID][32]byte // what others see, as they said last
	blind     []wire.MemberID            // who did not say it for long
}

// unknownKey is a key message whose sender is not in the list.
type unknownKey struct {
	message []byte
	since   time.Time
	fetched bool
}

// warning is what people were warned of once.
type warning struct {
	code   WarningCode
	member wire.MemberID
}

// begin makes what needs our own entry.
func (k *keeper) begin(r *Room, self wire.EntryHash) {
	k.room, k.self = r, self
	k.warned = make(map[warning]struct{})
	k.talker = e2ee.NewTalker(r.client.config.Identity, self, r.name, r.roster.secret)
	k.listener = e2ee.NewListener(self, k.join, r.name, r.roster.secret)
}

// erase forgets every key.
func (k *keeper) erase() {
	if k.listener != nil {
		k.talking.Lock()
		k.talker.Close()
		k.talking.Unlock()
		k.listener.Close() // waits for who is using the join key
	}
	k.join.Erase()
}

// stir has keepKeys look at its inputs.
func (k *keeper) stir() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// membersChanged notes that the roster changed.
func (k *keeper) membersChanged() {
	k.mu.Lock()
	k.inputs.changed = true
	k.mu.Unlock()
	k.stir()
}

// keyCame queues a key message. The message is copied.
func (k *keeper) keyCame(message []byte) {
	k.mu.Lock()
	if len(k.inputs.keys) < maxKeysQueued {
		k.inputs.keys = append(k.inputs.keys, slices.Clone(message))
	} else {
		k.dropped.Add(1)
	}
	k.mu.Unlock()
	k.stir()
}

// keyDelivered notes that a key of ours is where it should be.
func (k *keeper) keyDelivered(number uint32) {
	k.mu.Lock()
	if len(k.inputs.delivered) < maxKeysQueued {
		k.inputs.delivered = append(k.inputs.delivered, number)
	}
	k.mu.Unlock()
	k.stir()
}

// keyWanted notes who lacks our key.
func (k *keeper) keyWanted(ids []wire.MemberID) {
	k.mu.Lock()
	if len(k.inputs.wanted) < maxMembers {
		k.inputs.wanted = append(k.inputs.wanted, ids...)
	}
	k.mu.Unlock()
	k.stir()
}

// seen notes what a member sees, as it says in its media.
func (k *keeper) seen(by wire.MemberID, members [32]byte) {
	k.mu.Lock()
	if k.inputs.seenBy == nil {
		k.inputs.seenBy = make(map[wire.MemberID][32]byte)
	}
	if len(k.inputs.seenBy) < maxMembers {
		k.inputs.seenBy[by] = members
	}
	k.mu.Unlock()
	k.stir()
}

// unseen notes that a member, whose media comes, does not say what it sees.
func (k *keeper) unseen(by wire.MemberID) {
	k.mu.Lock()
	if len(k.inputs.blind) < maxKeysQueued {
		k.inputs.blind = append(k.inputs.blind, by)
	}
	k.mu.Unlock()
	k.stir()
}

// arm gets keys ready for a stream that begins.
func (k *keeper) arm(suite e2ee.Suite, stream uint8) (*e2ee.Sealer, error) {
	members, _ := k.room.roster.insiders()
	k.talking.Lock()
	defer k.talking.Unlock()
	k.ends = time.Time{}
	k.talker.SetMembers(recipients(members))
	k.talker.Arm(suite)
	k.view.openLocked(k.talker)
	sealer, err := k.talker.Stream(stream)
	k.stir()
	return sealer, err
}

// disarm ends what arm began. Keys still follow the members for as long as what was said last is held by those who lack its
// key: of whom we learn only now, or who asks, may have been there all the time.
func (k *keeper) disarm(sealer *e2ee.Sealer) {
	k.talking.Lock()
	sealer.Close()
	k.ends = time.Now().Add(maxHeldTime)
	k.talking.Unlock()
	k.stir()
}

func recipients(members []present) []e2ee.Recipient {
	list := make([]e2ee.Recipient, len(members))
	for i, m := range members {
		list[i] = e2ee.Recipient{Hash: m.hash, JoinKey: m.joinKey}
	}
	return list
}

// keepKeys runs until the room is over.
func (r *Room) keepKeys() {
	k := &r.keeper
	k.opening.since = time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-k.wake:
		case <-timer.C:
		}
		if next := k.work(time.Now()); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// work does what is due and returns when to be called again if nothing comes in.
func (k *keeper) work(now time.Time) (next time.Time) {
	in := k.take()
	members, complete := k.room.roster.insiders()
	opened := k.opening.over
	opening := k.opening.lasts(complete, now)
	next = k.open(complete, now)
	if in.changed {
		k.look(members, complete, now)
	}
	if in.changed || !opened { // what is known when it opens is what the first key is for
		k.talking.Lock()
		k.talker.SetMembers(recipients(members))
		k.talking.Unlock()
	}
	next = soonest(next, k.accept(in.keys, now))
	k.hear(in, now)
	if !k.opening.over {
		return next
	}
	next = soonest(next, k.send(in, opening, now))
	if !opened {
		close(k.opened) // not before the first key went to all: who seals with it before makes newcomers of them
	}
	next = soonest(next, k.showView(now))
	next = soonest(next, k.compare(now))
	next = soonest(next, k.room.askForKeys(now))
	next = soonest(next, k.makeNumber(complete, now))
	return soonest(next, k.listener.Expire(now))
}

// take returns the inputs, and empties them.
func (k *keeper) take() keeperInputs {
	k.mu.Lock()
	defer k.mu.Unlock()
	in := k.inputs
	k.inputs = keeperInputs{}
	return in
}

// hear takes what members say that they see, and that they do not say it.
func (k *keeper) hear(in keeperInputs, now time.Time) {
	for _, id := range in.blind {
		if m, known := k.room.roster.member(id); known {
			k.warn(WarnMembers, m.Member, "what "+called(m.Member)+" sees of the room does not come, though its voice does: the relay may "+
				"keep it back to hide somebody; compare the safety number")
		}
	}
	for by, digest := range in.seenBy {
		if m, known := k.room.roster.member(by); known && !m.Outside {
			k.views.Theirs(by, digest, now)
		}
	}
}

// soonest returns the earlier of two times, of which zero ones mean never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// look takes a changed roster.
func (k *keeper) look(members []present, complete bool, now time.Time) {
	hashes := append(make([]wire.EntryHash, 0, len(members)+1), k.self)
	for _, m := range members {
		hashes = append(hashes, m.hash)
	}
	inside := make(map[wire.EntryHash]struct{}, len(hashes))
	ids := make(map[wire.MemberID]struct{}, len(hashes))
	for _, hash := range hashes {
		inside[hash] = struct{}{}
		ids[hash.Member()] = struct{}{}
	}
	k.listener.Sync(inside, now)
	k.views.Retain(func(id wire.MemberID) bool { _, here := ids[id]; return here })
	if complete {
		digest := e2ee.DigestMembers(hashes)
		k.views.Mine(digest, now)
		k.view.changed(digest, now)
	}
	k.safety.look(k.room.client.config.Identity.Public(), members, now)
}

// accept checks key messages, and those again whose sender was not known before.
func (k *keeper) accept(keys [][]byte, now time.Time) (next time.Time) {
	waiting := k.unknown
	k.unknown = nil
	for _, message := range keys {
		waiting = append(waiting, unknownKey{message: message, since: now})
	}
	for _, u := range waiting {
		key, err := wire.Parse[wire.Key](u.message)
		if err != nil {
			k.room.client.log().Debug("the relay sent a bad key message", "err", err)
			continue
		}
		sender, known := k.room.roster.member(key.Sender)
		switch {
		case known && !sender.Outside:
			k.check(sender, &key, now)
		case known:
		case now.Sub(u.since) >= unknownWarn:
			k.warn(WarnUnknownMember, Member{ID: key.Sender}, "a key came of member "+key.Sender.String()+
				", whom the relay does not show: it may hide somebody")
		case len(k.unknown) >= maxKeysUnknown:
			k.dropped.Add(1)
		default:
			due := u.since.Add(unknownWarn)
			if fetch := u.since.Add(unknownFetch); now.Before(fetch) {
				due = fetch
			} else if !u.fetched {
				u.fetched = true
				k.room.fetch(crowdWait(k.room.roster.size()))
			}
			k.unknown = append(k.unknown, u)
			next = soonest(next, due)
		}
	}
	return next
}

// check takes a key of a member inside.
func (k *keeper) check(sender present, key *wire.Key, now time.Time) {
	newest, err := k.listener.Accept(sender.hash, sender.Identity, key, now)
	switch {
	case err == nil:
		if newest {
			k.views.Theirs(sender.ID, key.Key.Members, now)
		}
		k.room.playHeld(sender.ID)
		if m, here := k.room.roster.member(sender.ID); !here || m.hash != sender.hash { // it left meanwhile
			k.membersChanged()
		}
	case errors.Is(err, e2ee.ErrBadKey):
		k.warn(WarnKey, sender.Member, "a key of "+called(sender.Member)+" does not verify: somebody on the way changed it, or its client is broken")
	}
}

// send hands out our keys. In the opening, who is found gets the key in use as it is.
func (k *keeper) send(in keeperInputs, opening bool, now time.Time) (next time.Time) {
	k.out.delivered(in.delivered)
	in.wanted = k.lacking(in.wanted, now)
	d, next := k.step(in, opening, k.out.busy(), now) // handOut stirs when it is not busy any more
	if d != nil {
		k.handOut(d)
	}
	return next
}

// lacking returns who of those that want our key is to be given it again. Of whom nothing is known, the list is fetched.
func (k *keeper) lacking(wanted []wire.MemberID, now time.Time) (lack []wire.MemberID) {
	for _, id := range wanted {
		if _, known := k.room.roster.member(id); !known {
			k.room.fetch(crowdWait(k.room.roster.size())) // it cannot be helped before
		} else if !k.out.reaching(id, now) { // otherwise it asks again, if need be
			lack = append(lack, id)
		}
	}
	return lack
}

// step has the talker do what is due. No other lock of the room is taken meanwhile, and nothing is sent.
func (k *keeper) step(in keeperInputs, opening, busy bool, now time.Time) (*e2ee.Distribution, time.Time) {
	k.talking.Lock()
	defer k.talking.Unlock()
	if !k.ends.IsZero() && !now.Before(k.ends) {
		k.ends = time.Time{}
		k.talker.Disarm()
	}
	k.talker.Opening(opening)
	for _, number := range in.delivered {
		k.talker.Delivered(number)
	}
	for _, id := range in.wanted {
		k.talker.Wanted(id)
	}
	k.talker.Hold(busy)
	d, next := k.talker.Step(now)
	return d, soonest(next, k.ends)
}

// handOut sends a key to the relay, for its recipients.
func (k *keeper) handOut(d *e2ee.Distribution) {
	key := k.out.add(d)
	acked := func(bool) {
		if k.out.acked(key) {
			k.stir()
		}
	}
	defer acked(true)
	send := func(kind wire.UrgentKind, body []byte) bool {
		k.out.sending(key)
		err := k.room.link.Session().SendUrgentThen(kind, body, acked)
		if err != nil { // who lacks the key asks for it
			k.room.client.log().Debug("a key is not handed out to everybody at once", "number", d.Number(), "err", err)
			acked(false)
		}
		return err == nil && k.room.ctx.Err() == nil
	}
	if !send(wire.UrgentSenderKey, d.Announce()) {
		return
	}
	for wraps := range d.Wraps() {
		if !send(wire.UrgentKeyWraps, wraps) {
			return
		}
	}
}

// compare sees to it that all see the same members.
func (k *keeper) compare(now time.Time) (next time.Time) {
	ask, warn, next := k.views.Due(now)
	for _, id := range warn {
		if m, known := k.room.roster.member(id); known {
			k.warn(WarnMembers, m.Member, called(m.Member)+" sees other members than you do: the relay may hide somebody, or show somebody who "+
				"is not there; compare the safety number")
		}
	}
	k.ask(ask)
	return next
}

// ask asks talkers for their keys.
func (k *keeper) ask(ids []wire.MemberID) {
	for some := range slices.Chunk(ids, wire.MaxWanted) {
		if err := k.room.link.Session().SendUrgent(wire.UrgentKeysWanted, wire.AppendKeysWanted(nil, some...)); err != nil {
			return // later again
		}
	}
}

// warn warns of something once.
func (k *keeper) warn(code WarningCode, m Member, text string) {
	w := warning{code, m.ID}
	if _, before := k.warned[w]; before || len(k.warned) >= maxMembers {
		return
	}
	k.warned[w] = struct{}{}
	k.room.events.put(Warning{Code: code, Member: m, Text: text})
}
