package call

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
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
//	roster, relay ── what came ──> inputs ── run ──> urgent messages: our key, wraps, questions
//	Publish ── arm ──> Talker ── Sealer      └──> Listener ── Opener, held frames play
//
// What takes long (a signature to check, a thousand wraps) is done on the keeper's own goroutine, not on
// those that receive packets or send sound.
type keeper struct {
	keeperConfig

	views   e2ee.Views // owned by run; as unknown, warned and opening
	unknown []unknownKey
	warned  map[warning]struct{}
	opening opening
	view    view
	safety  safety

	talking sync.Mutex // guards talker's methods, and what follows; only locks of e2ee are taken under it
	talker  *e2ee.Talker
	armed   bool      // something is being published
	ends    time.Time // when our keys stop following the members; zero: not yet, or no longer

	opened  chan struct{} // closed when we know who is there, or need not wait for it any longer
	hand    atomic.Uint32 // what a publication says of it, a wire.Hand
	dropped atomic.Uint64 // key messages
	out     outstanding

	wake   chan struct{}
	mu     sync.Mutex // guards inputs
	inputs keeperInputs
}

// keeperConfig is what the keeper needs of its room.
type keeperConfig struct {
	room     string
	self     wire.EntryHash
	identity *identity.Identity
	joinKey  *e2ee.JoinKey // only in memory, erased at the end: keys wrapped for it open once
	secret   *e2ee.Secret  // nil: the room has none
	expected int           // members, as the relay said when we joined
	listener *e2ee.Listener
	frames   undecrypted
	roster   *roster
	sender   *sender
	events   *events
	log      *slog.Logger
	fetch    func()        // fetches the member list: somebody is not in it
	renew    time.Duration // after which our keys are made anew; 0: never
}

// undecrypted are the frames that wait for keys.
type undecrypted interface {
	playHeld(id wire.MemberID)             // plays them, for a key of this member has come
	waiting(now time.Time) []waitingTalker // returns whose do not decrypt
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

func newKeeper(c keeperConfig) *keeper {
	talker := e2ee.NewTalker(c.identity, c.self, c.room, c.secret)
	talker.Renew(c.renew)
	return &keeper{
		keeperConfig: c,
		talker:       talker,
		warned:       make(map[warning]struct{}),
		opened:       make(chan struct{}),
		wake:         make(chan struct{}, 1),
	}
}

// erase forgets every key.
func (k *keeper) erase() {
	k.talking.Lock()
	k.talker.Close()
	k.talking.Unlock()
	k.listener.Close() // waits for who is using the join key
	k.joinKey.Erase()
}

// note changes the inputs and has run look at them.
func (k *keeper) note(change func(in *keeperInputs)) {
	k.mu.Lock()
	change(&k.inputs)
	k.mu.Unlock()
	signal(k.wake)
}

// signal leaves a token in a channel of capacity 1, unless there is one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// membersChanged notes that the roster changed.
func (k *keeper) membersChanged() { k.note(func(in *keeperInputs) { in.changed = true }) }

// keyCame queues a key message. The message is copied.
func (k *keeper) keyCame(message []byte) {
	k.note(func(in *keeperInputs) {
		if !enqueue(&in.keys, maxKeysQueued, slices.Clone(message)) {
			k.dropped.Add(1)
		}
	})
}

// keyDelivered notes that a key of ours is where it should be.
func (k *keeper) keyDelivered(m wire.KeyDelivered) {
	k.note(func(in *keeperInputs) { enqueue(&in.delivered, maxKeysQueued, m.Number) })
}

// keyWanted notes who lacks our key.
func (k *keeper) keyWanted(ids []wire.MemberID) {
	k.note(func(in *keeperInputs) { enqueue(&in.wanted, maxMembers, ids...) })
}

// heard notes what members say that they see, who talks without saying it, and whether frames wait for keys.
func (k *keeper) heard(n news) {
	if !n.undecrypted && len(n.views) == 0 && len(n.blind) == 0 {
		return
	}
	k.note(func(in *keeperInputs) {
		if in.seenBy == nil {
			in.seenBy = make(map[wire.MemberID][32]byte)
		}
		for _, v := range n.views {
			if len(in.seenBy) < maxMembers {
				in.seenBy[v.member] = v.digest
			}
		}
		enqueue(&in.blind, maxKeysQueued, n.blind...)
	})
}

// handIs notes what is to be said of the hand.
func (k *keeper) handIs(hand wire.Hand) {
	if k.hand.Swap(uint32(hand)) != uint32(hand) {
		signal(k.wake)
	}
}

// enqueue appends to a list, unless that has limit elements already.
func enqueue[T any](list *[]T, limit int, more ...T) bool {
	if len(*list) >= limit {
		return false
	}
	*list = append(*list, more...)
	return true
}

// arm gets keys ready for a stream that begins.
func (k *keeper) arm(suite e2ee.Suite, stream uint8) (*e2ee.Sealer, error) {
	members, _ := k.roster.inside()
	k.talking.Lock()
	defer k.talking.Unlock()
	k.ends = time.Time{}
	k.talker.SetMembers(recipients(members))
	k.talker.Arm(suite)
	if k.view.sealer == nil {
		k.view.sealer, _ = k.talker.Stream(wire.ViewStream) // the number is not used otherwise
	}
	sealer, err := k.talker.Stream(stream)
	k.armed = err == nil
	signal(k.wake)
	return sealer, err
}

// disarm ends what arm began. Keys still follow the members for as long as what was said last is held by
// those who lack its key: of whom we learn only now, or who asks, may have been there all the time.
func (k *keeper) disarm(sealer *e2ee.Sealer) {
	k.talking.Lock()
	sealer.Close()
	k.armed, k.ends = false, time.Now().Add(maxHeldTime)
	k.talking.Unlock()
	signal(k.wake)
}

func recipients(members []member) []e2ee.Recipient {
	list := make([]e2ee.Recipient, len(members))
	for i, m := range members {
		list[i] = e2ee.Recipient{Hash: m.hash, JoinKey: m.joinKey}
	}
	return list
}

// run works until done is closed.
func (k *keeper) run(done <-chan struct{}) {
	k.opening.since = time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-done:
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
	k.mu.Lock()
	in := k.inputs
	k.inputs = keeperInputs{}
	k.mu.Unlock()
	members, complete := k.roster.inside()
	opened := k.opening.over
	opening := k.opening.lasts(complete, now)
	next = k.decideOpening(complete, now)
	if in.changed {
		k.rosterChanged(members, complete, now)
	}
	if in.changed || !opened { // what is known when it opens is what the first key is for
		k.talking.Lock()
		k.talker.SetMembers(recipients(members))
		k.talking.Unlock()
	}
	next = e2ee.Soonest(next, k.checkKeys(in.keys, now))
	k.noteViews(in, now)
	if !k.opening.over {
		return next
	}
	next = e2ee.Soonest(next, k.distribute(in, opening, now))
	if !opened {
		close(k.opened) // now that the first key went to all: sealing earlier makes newcomers of them
	}
	next = e2ee.Soonest(next, k.sayView(now))
	next = e2ee.Soonest(next, k.compareViews(now))
	next = e2ee.Soonest(next, k.askForMissing(k.frames.waiting(now)))
	next = e2ee.Soonest(next, k.makeNumber(complete, now))
	return e2ee.Soonest(next, k.listener.Expire(now))
}

// rosterChanged tells all that follow the members who is inside now.
func (k *keeper) rosterChanged(members []member, complete bool, now time.Time) {
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
	k.safety.setMembers(k.identity.Public(), members, now)
}

// checkKeys checks key messages, and those again whose sender was not known before.
func (k *keeper) checkKeys(messages [][]byte, now time.Time) (next time.Time) {
	waiting := k.unknown
	k.unknown = nil
	for _, message := range messages {
		waiting = append(waiting, unknownKey{message: message, since: now})
	}
	for _, u := range waiting {
		key, err := wire.Parse[wire.Key](u.message)
		if err != nil {
			k.log.Debug("the relay sent a bad key message", "err", err)
			continue
		}
		switch sender, known := k.roster.member(key.Sender); {
		case !known:
			next = e2ee.Soonest(next, k.storeUnknown(u, key.Sender, now))
		case !sender.Outside:
			k.acceptKey(sender, &key, now)
		}
	}
	return next
}

// storeUnknown stores a key message until its sender is known. next: when it is due; zero: it is dropped.
func (k *keeper) storeUnknown(u unknownKey, sender wire.MemberID, now time.Time) (next time.Time) {
	if now.Sub(u.since) >= unknownWarn {
		k.warn(WarnUnknownMember, Member{ID: sender}, "a key came of member "+sender.String()+
			", whom the relay does not show: it may hide somebody")
		return time.Time{}
	}
	if len(k.unknown) >= maxKeysUnknown {
		k.dropped.Add(1)
		return time.Time{}
	}
	next = u.since.Add(unknownFetch)
	if !now.Before(next) {
		next = u.since.Add(unknownWarn)
		if !u.fetched {
			u.fetched = true
			k.fetch()
		}
	}
	k.unknown = append(k.unknown, u)
	return next
}

// acceptKey accepts a key of a member inside, if it is genuine.
func (k *keeper) acceptKey(sender member, key *wire.Key, now time.Time) {
	newest, err := k.listener.Accept(sender.hash, sender.Identity, key, now)
	switch {
	case err == nil:
		if newest {
			k.views.Theirs(sender.ID, key.Key.Members, now)
		}
		k.frames.playHeld(sender.ID)
		if m, here := k.roster.member(sender.ID); !here || m.hash != sender.hash { // it left meanwhile
			k.membersChanged()
		}
	case errors.Is(err, e2ee.ErrBadKey):
		k.warn(WarnKey, sender.Member, "a key of "+called(sender.Member)+" does not verify: "+
			"somebody on the way changed it, or its client is broken")
	}
}

// noteViews notes what members say that they see, and that they do not say it.
func (k *keeper) noteViews(in keeperInputs, now time.Time) {
	for _, id := range in.blind {
		if m, known := k.roster.member(id); known {
			k.warn(WarnMembers, m.Member, "what "+called(m.Member)+" sees of the room does not come, "+
				"though its voice does: the relay may keep it back to hide somebody; "+
				"compare the safety number")
		}
	}
	for by, digest := range in.seenBy {
		if m, known := k.roster.member(by); known && !m.Outside {
			k.views.Theirs(by, digest, now)
		}
	}
}

// compareViews sees to it that all see the same members.
func (k *keeper) compareViews(now time.Time) (next time.Time) {
	ask, warn, next := k.views.Due(now)
	for _, id := range warn {
		if m, known := k.roster.member(id); known {
			k.warn(WarnMembers, m.Member, called(m.Member)+" sees other members than you do: "+
				"the relay may hide somebody, or show somebody who is not there; compare the safety number")
		}
	}
	k.askForKeys(ask)
	return next
}

// askForMissing asks the talkers whose frames are held for long for their keys, and warns when none comes.
func (k *keeper) askForMissing(talkers []waitingTalker) (next time.Time) {
	var ask []wire.MemberID
	for _, w := range talkers {
		next = e2ee.Soonest(next, w.next)
		m, known := k.roster.member(w.id)
		switch {
		case !known || m.Outside:
			continue
		case w.hopeless:
			k.warn(WarnNoKey, m.Member, called(m.Member)+" is sending, but its key does not come: "+
				"the relay may keep it back, or its client does not know that you are here")
		}
		if w.ask {
			ask = append(ask, w.id)
		}
	}
	k.askForKeys(ask)
	return next
}

// askForKeys asks talkers for their keys.
func (k *keeper) askForKeys(ids []wire.MemberID) {
	for some := range slices.Chunk(ids, wire.MaxWanted) {
		if k.sender.urgent(wire.UrgentKeysWanted, wire.AppendKeysWanted(nil, some...), nil) != nil {
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
	k.events.put(Warning{Code: code, Member: m, Text: text})
}
