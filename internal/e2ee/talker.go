package e2ee

import (
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/wire"
)

// Times and bounds of docs/protocol.md, section 7.2, "Sending".
const (
	changePause = time.Second     // between two changes of the key
	switchAfter = 8 * time.Second // from the first leave to the fresh key's use, delivered or not
	lastStep    = 15              // a ratchet step has 4 bits
	generations = 16              // so has a generation
)

// Recipient is another member inside, as far as keys matter.
type Recipient struct {
	Hash    wire.EntryHash
	JoinKey [32]byte // X25519 public key of its entry
}

// mediaKey is one W[s] of docs/protocol.md, section 7.2. Whoever has it, has all later steps of its generation.
type mediaKey struct {
	suite      Suite
	generation uint8
	step       uint8
	first      uint64 // no frame of the key has a lower CTR
	w          []byte // 16 bytes, or 32 if step > 0; erased in place
}

func (k *mediaKey) epoch() uint8 { return k.generation<<4 | k.step }

func (k *mediaKey) erase() {
	if k != nil {
		clear(k.w)
	}
}

// Talker makes the sender keys of one member for one stay: it decides when there is a new one and who gets it
// ("Sending" of docs/protocol.md, section 7.2). It keeps no clock and starts nothing; after each input, call Step.
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

	number     uint32    // of the last header
	generation uint8     // of the next fresh key: those that nobody was told of do not count
	first      uint64    // first CTR of the newest key
	untold     bool      // the key in use has no header yet
	atOnce     bool      // ... and must not wait for the pace: the microphone was armed just now
	left       time.Time // when a holder was first seen to have left; zero: none
	last       time.Time // the last change

	mu      sync.Mutex // guards what follows, which the Sealers use
	armed   bool
	key     *mediaKey // in use; nil: none yet
	used    bool      // a frame was sealed with it
	streams []*Sealer // open ones
	numbers [256]bool // stream numbers that were used
	highest uint64    // above every CTR of closed streams
}

// NewTalker returns the Talker of the member whose entry has the hash self and the identity id. secret may be nil.
func NewTalker(id *identity.Identity, self wire.EntryHash, room string, secret *Secret) *Talker {
	return &Talker{
		id: id, self: self, room: room, secret: secret,
		everyMember: []wire.EntryHash{self},
		holders:     map[wire.EntryHash]struct{}{},
		wanted:      map[wire.MemberID]struct{}{},
	}
}

// Arm says that a microphone is open, muted or not: from now on keys follow the members. What changed while none was
// open is made up for: with a fresh key, in use at once, when there is none, when somebody left or when suite is not the last
// one's. A Stream can be had right away; Step announces the key.
func (t *Talker) Arm(suite Suite) {
	if suite.TagLen() == 0 {
		suite = AES128CTRHMACSHA256Tag64
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	rearmed := !t.armed
	t.armed = true
	t.forgetUntoldLocked()
	if t.key == nil || suite != t.suite || rearmed && t.leavers() {
		t.suite = suite
		t.dropWaiting()
		t.installLocked(t.freshLocked())
		t.holders = t.memberSet()
		t.untold, t.atOnce, t.left = true, true, time.Time{}
	}
}

// Disarm says that the last microphone was closed. Sealers refuse to seal until the next Arm, for leaves change no key now.
func (t *Talker) Disarm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = false
	if t.waiting != nil {
		t.useWaitingLocked()
	}
}

// SetMembers replaces the list of all other members inside, in any order. It is read, not kept.
func (t *Talker) SetMembers(list []Recipient) {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b Recipient) int { return slices.Compare(a.Hash[:], b.Hash[:]) })
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
}

// Wanted says that a member asked for our key. Who is not inside is ignored, so there are never more than members.
func (t *Talker) Wanted(id wire.MemberID) {
	_, found := slices.BinarySearchFunc(t.members, id, func(r Recipient, id wire.MemberID) int {
		return r.Hash.Member().Compare(id)
	})
	if found {
		t.wanted[id] = struct{}{}
	}
}

// Delivered says that everybody has the key with this number.
func (t *Talker) Delivered(number uint32) {
	if t.waiting != nil && number == t.awaited {
		t.delivered = true
	}
}

// Step does what is due at now. d, if not nil, is to be sent. Without another input, Step has nothing to do before next
// (zero: ever). Call it after every input and when next has come.
func (t *Talker) Step(now time.Time) (d *Distribution, next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.armed {
		return nil, time.Time{}
	}
	if t.waiting != nil && (t.delivered || !now.Before(t.until)) {
		t.useWaitingLocked()
	}
	t.forgetUntoldLocked()
	switch leavers := t.leavers(); {
	case !leavers:
		t.left = time.Time{}
	case t.left.IsZero():
		t.left = now
	}
	if t.pending() && (t.atOnce || t.last.IsZero() || now.Sub(t.last) >= changePause) {
		d = t.changeLocked(now)
		t.last = now
	}
	return d, t.next()
}

// next returns when Step has something to do.
func (t *Talker) next() (next time.Time) {
	if t.waiting != nil {
		next = t.until
	}
	if t.pending() {
		if change := t.last.Add(changePause); next.IsZero() || change.Before(next) {
			next = change
		}
	}
	return next
}

// pending reports whether a change is to be made.
func (t *Talker) pending() bool {
	return t.leavers() || t.untold && len(t.holders) > 0 || len(t.newcomers()) > 0 || len(t.asking()) > 0
}

// changeLocked makes the one change that is due, and returns what is to be sent, if anybody is there to get it.
func (t *Talker) changeLocked(now time.Time) *Distribution {
	newcomers := t.newcomers()
	switch {
	case t.leavers():
		return t.rekeyLocked(now, t.left.Add(switchAfter))
	case t.untold && len(t.holders) > 0:
		return t.announce(t.key, t.holding())
	case len(newcomers) == 0:
		return t.announce(t.newestLocked(), t.asking())
	case t.waiting != nil: // it was not used yet, so it opens nothing of before they came
	case t.key.step == lastStep:
		return t.rekeyLocked(now, now.Add(switchAfter))
	default:
		t.ratchetLocked()
	}
	to := append(newcomers, t.asking()...)
	for _, member := range newcomers {
		t.holders[member.Hash] = struct{}{}
	}
	return t.announce(t.newestLocked(), to)
}

// rekeyLocked makes a fresh key for all members, which waits for its delivery, until at most.
func (t *Talker) rekeyLocked(now, until time.Time) *Distribution {
	key := t.freshLocked()
	t.holders, t.left = t.memberSet(), time.Time{}
	if len(t.members) == 0 || !now.Before(until) {
		t.dropWaiting()
		t.installLocked(key)
		if t.untold = len(t.members) == 0; t.untold {
			return nil
		}
		return t.announce(key, t.holding())
	}
	if t.waiting != nil && t.until.Before(until) {
		until = t.until // it is for those leaves as well
	}
	t.dropWaiting()
	d := t.announce(key, t.holding())
	t.waiting, t.until, t.awaited, t.delivered = key, until, d.number, false
	return d
}

// announce makes a header for a key and forgets who asked for it.
func (t *Talker) announce(key *mediaKey, to []Recipient) *Distribution {
	t.number++
	t.generation = (key.generation + 1) % generations
	t.untold, t.atOnce = false, false
	clear(t.wanted)
	return newDistribution(t, key, to)
}

// ratchetLocked puts the next step of the key in use. Frames are sealed with it from the next one on, and none
// has a CTR below its first.
func (t *Talker) ratchetLocked() {
	key := *t.key
	key.w = ratchet(t.key.w)
	key.step++
	key.first = t.firstLocked()
	t.installLocked(&key)
}

// freshLocked makes a key of the next generation. Stream numbers that open from now on begin at its first CTR, wherever it is
// used.
func (t *Talker) freshLocked() *mediaKey {
	return &mediaKey{suite: t.suite, generation: t.generation, first: t.firstLocked(), w: freshKey()}
}

// firstLocked returns the first CTR of a key that is made now, which never goes back.
func (t *Talker) firstLocked() uint64 {
	lowest := t.highest
	for i, stream := range t.streams {
		if i == 0 || stream.next < lowest {
			lowest = stream.next
		}
	}
	t.first = max(t.first, lowest)
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

func (t *Talker) dropWaiting() {
	t.waiting.erase()
	t.waiting, t.delivered = nil, false
}

// newestLocked returns the key that members are given now.
func (t *Talker) newestLocked() *mediaKey {
	if t.waiting != nil {
		return t.waiting
	}
	return t.key
}

// forgetUntoldLocked settles who is to get a key that nobody was told of: leaving is no reason for another one, and as long as it
// sealed nothing it is for whoever is there.
func (t *Talker) forgetUntoldLocked() {
	if !t.untold {
		return
	}
	if !t.used {
		t.holders = t.memberSet()
		return
	}
	members := t.memberSet()
	for hash := range t.holders {
		if _, inside := members[hash]; !inside {
			delete(t.holders, hash)
		}
	}
}

// leavers reports whether somebody has the newest key and is not inside.
func (t *Talker) leavers() bool { return len(t.holding()) < len(t.holders) }

// holding returns the members who have the newest key or are to get it.
func (t *Talker) holding() []Recipient {
	return t.filter(func(r Recipient) bool { _, holds := t.holders[r.Hash]; return holds })
}

// newcomers returns the members who have no key.
func (t *Talker) newcomers() []Recipient {
	if t.key == nil {
		return nil
	}
	return t.filter(func(r Recipient) bool { _, holds := t.holders[r.Hash]; return !holds })
}

// asking returns the members who have the newest key and asked for it again.
func (t *Talker) asking() []Recipient {
	if len(t.wanted) == 0 {
		return nil
	}
	return t.filter(func(r Recipient) bool {
		_, holds := t.holders[r.Hash]
		_, asked := t.wanted[r.Hash.Member()]
		return holds && asked
	})
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
