package e2ee

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Times and bounds of docs/protocol.md, section 7.2, "Sending".
const (
	changePause  = time.Second            // between two changes of the key
	openingPause = 500 * time.Millisecond // and while it is not known who is there
	switchAfter  = 8 * time.Second        // from the first leave to the fresh key's use, delivered or not
	leavesWait   = 4 * time.Second        // in the opening, from the first leave to the fresh key
	lastStep     = 15                     // a ratchet step has 4 bits
	generations  = 16                     // so has a generation
)

// Recipient is another member inside, as far as keys matter.
type Recipient struct {
	Hash    wire.EntryHash
	JoinKey [32]byte // X25519 public key of its entry
}

// Talker makes the sender keys of one member for one stay: it decides when there is a new one and who gets it
// ("Sending" of docs/protocol.md, section 7.2). It keeps no clock and starts nothing; after each input, call
// Step.
//
//	           Arm: fresh                    leave: fresh, for all
//	(no key) -------------> [key in use] ----------------------------> [key in use, fresh key waiting]
//	                          |  ^   ^                                    |  ^ leave: another fresh one
//	                          +--+   |  delivered, 8 s after the leave    |  | join: wrap of the waiting key
//	               join: ratchet     +------------------------------------+--+
//
// All methods but those of the Sealers are for one goroutine.
type Talker struct {
	id     *identity.Identity
	self   wire.EntryHash
	room   string
	secret *Secret // nil: the room has none

	suite       Suite
	everyMember []wire.EntryHash            // all inside and ourselves, for the digest
	members     []Recipient                 // those of them who can get keys, by hash
	holders     map[wire.EntryHash]struct{} // who has the newest key, or is to get it
	wanted      map[wire.MemberID]struct{}  // members who asked

	waiting   *mediaKey // fresh, announced, not in use yet; nil: none
	until     time.Time // when it is used at the latest
	awaited   uint32    // the number whose delivery puts it in use
	delivered bool

	number     uint32        // of the last header
	generation uint8         // of the next fresh key: those that nobody was told of do not count
	first      uint64        // first CTR of the newest key
	untold     bool          // the key in use has no header yet
	atOnce     bool          // ... and must not wait for the pace: the microphone was armed just now
	left       time.Time     // when a holder was first seen to have left; zero: none
	last       time.Time     // the last change
	renew      time.Duration // after which a key in use makes way for a fresh one; 0: never
	since      time.Time     // when the newest fresh key was made; zero: it is not known yet
	opening    bool          // who is found is no newcomer
	held       bool          // see Hold

	mu      sync.Mutex // guards what follows, which the Sealers use
	closed  bool
	armed   bool
	key     *mediaKey // in use; nil: none yet
	used    bool      // a frame was sealed with it
	streams []*Sealer // open ones
	numbers [256]bool // stream numbers that were used
	highest uint64    // above every CTR of closed streams
}

// NewTalker returns the Talker of the member whose entry has the hash self and the identity id. secret may be
// nil.
func NewTalker(id *identity.Identity, self wire.EntryHash, room string, secret *Secret) *Talker {
	return &Talker{
		id: id, self: self, room: room, secret: secret,
		everyMember: []wire.EntryHash{self},
		holders:     map[wire.EntryHash]struct{}{},
		wanted:      map[wire.MemberID]struct{}{},
	}
}

// Arm says that a microphone is open, muted or not: from now on keys follow the members. What changed while
// none was open is made up for: with a fresh key, in use at once, when there is none, when somebody left or
// when suite is not the last one's. A Stream can be had right away; Step announces the key. The usual suite
// stands in for one that does not exist.
func (t *Talker) Arm(suite Suite) {
	if suite.TagLen() == 0 {
		suite = AES128CTRHMACSHA256Tag64
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	rearmed := !t.armed
	t.armed = true
	t.forgetUntoldLocked()
	if t.key == nil || suite != t.suite || rearmed && t.due(t.since).leavers {
		t.suite = suite
		t.waiting.erase()
		t.waiting, t.delivered = nil, false
		t.installLocked(t.freshLocked())
		t.holders = t.memberSet()
		t.untold, t.atOnce, t.left, t.since = true, true, time.Time{}, time.Time{}
	}
}

// Disarm says that the last microphone was closed. Sealers refuse to seal until the next Arm, for leaves
// change no key now.
func (t *Talker) Disarm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = false
	if t.waiting != nil {
		t.useWaitingLocked()
	}
}

// Close erases all keys and closes all Sealers, also while they are used. No stream opens from then on, and
// Step does nothing. Distributions keep their copies until nothing refers to them. Closing again does
// nothing.
func (t *Talker) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.armed = true, false
	t.key.erase()
	t.waiting.erase()
	t.key, t.waiting, t.delivered = nil, nil, false
	for _, stream := range t.streams {
		stream.closed, stream.key = true, nil
	}
	t.streams = nil
}

// SetMembers replaces the list of all other members inside, in any order. It is read, not kept.
func (t *Talker) SetMembers(list []Recipient) {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b Recipient) int {
		return bytes.Compare(a.Hash[:], b.Hash[:])
	})
	sorted = slices.CompactFunc(sorted, func(a, b Recipient) bool { return a.Hash == b.Hash })
	t.members, t.everyMember = t.members[:0], append(t.everyMember[:0], t.self)
	for _, member := range sorted {
		if member.Hash == t.self {
			continue
		}
		t.everyMember = append(t.everyMember, member.Hash)
		if !lowOrder(member.JoinKey) {
			t.members = append(t.members, member)
		}
	}
	maps.DeleteFunc(t.wanted, func(id wire.MemberID, _ struct{}) bool { return !t.inside(id) })
}

// inside reports whether a member who can get keys has this id.
func (t *Talker) inside(id wire.MemberID) bool {
	_, found := slices.BinarySearchFunc(t.members, id, func(r Recipient, id wire.MemberID) int {
		return r.Hash.Member().Compare(id)
	})
	return found
}

// Wanted says that a member asked for our key. Who is not inside is ignored, so there are never more than
// members.
func (t *Talker) Wanted(id wire.MemberID) {
	if t.inside(id) {
		t.wanted[id] = struct{}{}
	}
}

// Opening says whether it is not known yet who is there: then whoever is found is taken for one who was there
// before us, and gets the key in use without a ratchet, and sooner. Otherwise what we say at first would be
// lost to most of a room whose list comes late.
func (t *Talker) Opening(on bool) { t.opening = on }

// Renew has a key that is in use for so long make way for a fresh one, though nobody left: who gets hold of a
// key opens no more than was said in that time.
func (t *Talker) Renew(after time.Duration) { t.renew = after }

// Hold says whether keys for newcomers and for those who ask have to wait, because enough are on their way.
// Nothing waits that keeps the key from who left: the way may be a relay that acknowledges nothing.
func (t *Talker) Hold(on bool) { t.held = on }

// pause returns the time between two changes.
func (t *Talker) pause() time.Duration {
	if t.opening {
		return openingPause
	}
	return changePause
}

// Delivered says that everybody has the key with this number.
func (t *Talker) Delivered(number uint32) {
	if t.waiting != nil && number == t.awaited {
		t.delivered = true
	}
}

// Step does what is due at now. d, if not nil, is to be sent. Without another input, Step has nothing to do
// before next (zero: ever). Call it after every input and when next has come.
func (t *Talker) Step(now time.Time) (d *Distribution, next time.Time) {
	key, to, next := t.advance(now)
	if len(to) > 0 {
		// This takes a while, so Sealers go on meanwhile; only this goroutine erases keys.
		d = newDistribution(t, key, to)
	}
	return d, next
}

// advance is Step, but for the header that key is to have for the members to, if any.
func (t *Talker) advance(now time.Time) (key *mediaKey, to []Recipient, next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.armed {
		return nil, nil, time.Time{}
	}
	if t.waiting != nil && (t.delivered || !now.Before(t.until)) {
		t.useWaitingLocked()
	}
	t.forgetUntoldLocked()
	if t.since.IsZero() {
		t.since = now
	}
	due := t.due(now)
	switch {
	case !due.leavers:
		t.left = time.Time{}
	case t.left.IsZero():
		t.left = now
	}
	paused := !t.atOnce && !t.last.IsZero() && now.Sub(t.last) < t.pause()
	if ripe := t.ripe(due, now); t.mayChange(ripe) && !paused {
		key, to = t.changeLocked(ripe, now)
		t.last = now
		due = t.due(now)
	}
	return key, to, t.next(due, now)
}

// next returns when Step has something to do.
func (t *Talker) next(due due, now time.Time) (next time.Time) {
	if t.waiting != nil {
		next = t.until
	}
	ripe := t.ripe(due, now)
	if t.mayChange(ripe) {
		next = Soonest(next, t.last.Add(t.pause()))
	}
	if due.leavers && !ripe.leavers {
		next = Soonest(next, t.left.Add(leavesWait))
	}
	if t.renew > 0 && !due.old {
		next = Soonest(next, t.since.Add(t.renew))
	}
	return next
}

// due is what calls for a change.
type due struct {
	leavers   bool // somebody has the newest key and is not inside
	untold    bool // the key in use is to be announced to its holders
	newcomers bool // somebody inside has no key
	asking    bool // somebody who should have the newest key asked for it
	old       bool // the key in use is to make way for a fresh one
}

// mayChange reports whether something is due that need not wait.
func (t *Talker) mayChange(d due) bool {
	return d.leavers || d.untold || d.old || (d.newcomers || d.asking) && !t.held
}

// ripe is d without leavers whose time has not come. They wait in the opening: who is found in it is given
// what was said before by the key in use, whose place a fresh one would take.
func (t *Talker) ripe(d due, now time.Time) due {
	if t.opening && now.Sub(t.left) < leavesWait {
		d.leavers = false
	}
	return d
}

func (t *Talker) due(now time.Time) (d due) {
	d.old = t.renew > 0 && t.waiting == nil && now.Sub(t.since) >= t.renew
	holding := 0
	for _, member := range t.members {
		switch {
		case !t.holds(member):
			d.newcomers = true
			continue
		case t.asks(member):
			d.asking = true
		}
		holding++
	}
	d.leavers = holding < len(t.holders)
	d.untold = t.untold && holding > 0
	return d
}

// changeLocked makes the one change that is due, and returns which key to announce to whom.
func (t *Talker) changeLocked(due due, now time.Time) (*mediaKey, []Recipient) {
	switch {
	case due.leavers:
		return t.rekeyLocked(now, t.left.Add(switchAfter))
	case due.old:
		return t.rekeyLocked(now, now.Add(switchAfter))
	case due.untold:
		return t.announceLocked(t.filter(t.holds))
	case !due.newcomers:
		return t.announceLocked(t.filter(t.asks))
	case t.waiting != nil: // it was not used yet, so it opens nothing of before they came
	case t.opening: // they were there before us, as far as we know
	case t.key.step == lastStep:
		return t.rekeyLocked(now, now.Add(switchAfter))
	default:
		t.ratchetLocked()
	}
	to := t.filter(func(r Recipient) bool { return !t.holds(r) || t.asks(r) })
	for _, member := range to {
		t.holders[member.Hash] = struct{}{}
	}
	return t.announceLocked(to)
}

// rekeyLocked makes a fresh key for all members. It is used when it was delivered, or at until.
func (t *Talker) rekeyLocked(now, until time.Time) (*mediaKey, []Recipient) {
	if t.waiting != nil && t.until.Before(until) {
		until = t.until // it is for those leaves as well
	}
	t.waiting.erase()
	t.waiting, t.until, t.delivered, t.since = t.freshLocked(), until, false, now
	t.holders, t.left = t.memberSet(), time.Time{}
	if len(t.members) == 0 {
		t.untold = true
		t.useWaitingLocked()
		return nil, nil
	}
	key, to := t.announceLocked(t.filter(t.holds))
	t.awaited = t.number
	if !now.Before(until) {
		t.useWaitingLocked()
	}
	return key, to
}

// announceLocked returns the newest key for a new header, and forgets who asked for it.
func (t *Talker) announceLocked(to []Recipient) (*mediaKey, []Recipient) {
	key := t.key
	if t.waiting != nil {
		key = t.waiting
	}
	t.number++
	t.generation = (key.generation + 1) % generations
	t.untold, t.atOnce = false, false
	clear(t.wanted)
	return key, to
}

// ratchetLocked puts the next step of the key in use. Frames are sealed with it from the next one on, and
// none has a CTR below its first.
func (t *Talker) ratchetLocked() {
	key := *t.key
	w := ratchet(*t.key.w)
	key.w = &w
	key.step++
	key.first = t.firstLocked()
	t.installLocked(&key)
}

// freshLocked makes a key of the next generation. Stream numbers that open from now on begin at its first
// CTR, wherever it is used.
func (t *Talker) freshLocked() *mediaKey {
	w := freshKey()
	return &mediaKey{suite: t.suite, generation: t.generation, first: t.firstLocked(), w: &w}
}

// firstLocked returns the first CTR of a key that is made now, which never goes back.
func (t *Talker) firstLocked() uint64 {
	lowest := t.highest
	for i, stream := range t.streams {
		if i == 0 || stream.next < lowest {
			lowest = stream.next
		}
	}
	t.first = max(t.first, min(lowest, MaxCTR))
	return t.first
}

// installLocked puts a key in use and erases the one before.
func (t *Talker) installLocked(key *mediaKey) {
	t.key.erase()
	t.key, t.used = key, false
	for _, stream := range t.streams {
		stream.key = nil
	}
}

func (t *Talker) useWaitingLocked() {
	t.installLocked(t.waiting)
	t.waiting, t.delivered = nil, false
}

// forgetUntoldLocked settles who is to get a key that nobody was told of: leaving is no reason for another
// one, and as long as it sealed nothing it is for whoever is there.
func (t *Talker) forgetUntoldLocked() {
	if !t.untold {
		return
	}
	members := t.memberSet()
	if !t.used {
		t.holders = members
		return
	}
	maps.DeleteFunc(t.holders, func(hash wire.EntryHash, _ struct{}) bool {
		_, inside := members[hash]
		return !inside
	})
}

// holds reports whether a member has the newest key, or is to get it under its first header.
func (t *Talker) holds(member Recipient) bool {
	_, holds := t.holders[member.Hash]
	return holds
}

// asks reports whether a member asked for the key that it should have.
func (t *Talker) asks(member Recipient) bool {
	_, asks := t.wanted[member.Hash.Member()]
	return asks && t.holds(member)
}

func (t *Talker) filter(keep func(Recipient) bool) (list []Recipient) {
	for _, member := range t.members {
		if keep(member) {
			list = append(list, member)
		}
	}
	return list
}

func (t *Talker) memberSet() map[wire.EntryHash]struct{} {
	set := make(map[wire.EntryHash]struct{}, len(t.members))
	for _, member := range t.members {
		set[member.Hash] = struct{}{}
	}
	return set
}

// Soonest returns the earlier of two times, of which zero means never.
func Soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
