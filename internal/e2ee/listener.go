package e2ee

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// keepOld is how long a key or step opens frames after its successor came, and after its talker left.
	keepOld = 10 * time.Second

	// maxGenerations is how many a talker may have at once: in the 10 s that an old one stays there may be a fresh
	// key a second, while the talker uses the first of them up to 8 s.
	maxGenerations = 12

	// maxLeft is how many talkers that left are remembered as if they were inside; see goneTalkers for the others.
	maxLeft = 1024
)

var (
	// ErrKnown means that a key's number is not above that of the last one of its talker: it is old, replayed or
	// repeated.
	ErrKnown = errors.New("e2ee: key is old or known, ignore it")

	// ErrBadKey means that a key is not what its talker sent us, or that its talker breaks the rules.
	ErrBadKey = errors.New("e2ee: key is not valid, warn of its talker")
)

// Reasons of ErrBadKey.
var (
	errKeySender    = fmt.Errorf("%w: it names another sender", ErrBadKey)
	errKeyTaken     = fmt.Errorf("%w: another member has the sender's id", ErrBadKey)
	errKeySignature = fmt.Errorf("%w: its signature does not verify", ErrBadKey)
	errKeyWrap      = fmt.Errorf("%w: its wrap does not open", ErrBadKey)
	errKeyHash      = fmt.Errorf("%w: the wrapped key is not the signed one", ErrBadKey)
	errKeyLength    = fmt.Errorf("%w: the wrapped key's length does not fit its step", ErrBadKey)
	errKeyFirst     = fmt.Errorf("%w: its first CTR went back", ErrBadKey)
	errKeySuite     = fmt.Errorf("%w: it changes the suite within a generation", ErrBadKey)
	errKeyFollow    = fmt.Errorf("%w: it does not follow from the key of its generation", ErrBadKey)
)

// Listener holds the keys of the talkers that one member listens to, for one stay ("Receiving" of
// docs/protocol.md, section 7.2).
//
//	talker, by member id:  last key number, last first CTR, ReplayWindow of each stream
//	  generation, at most 12:  suite                              of a header that was accepted
//	    step, at most 16:  W[s], first CTR, Key of each stream    of a header, or ratcheted when a frame said so
//
// A step goes 10 s after a later one of its generation came, unless a header brings it back, a generation 10 s after
// another one was accepted, all of a talker 10 s after it left. It is safe for concurrent use.
type Listener struct {
	self   wire.EntryHash
	join   *JoinKey
	room   string
	secret *Secret // nil: the room has none

	// accepting is held while a key is looked at, which takes a while: frames are opened meanwhile, and Close waits
	// for it, so that join can be erased then. It is taken before mu.
	accepting sync.Mutex

	mu      sync.Mutex // guards what follows
	closed  bool
	talkers map[wire.MemberID]*heldTalker
	gone    goneTalkers // of those who left, those that are not in talkers any more
}

// heldTalker is what is known of one talker.
type heldTalker struct {
	hash        wire.EntryHash
	number      uint32            // of the last header
	accepted    acceptedNumbers   // those up to it
	first       uint64            // its first CTR
	renewed     time.Time         // when the newest generation came
	generations []*heldGeneration // the newest last
	left        time.Time         // zero: it is inside
	windows     replayWindows
}

// heldGeneration is a fresh key and what it was ratcheted to. It has at least one step.
type heldGeneration struct {
	suite  Suite
	index  uint8
	number uint32      // of its last header
	steps  []*heldStep // ascending, without gaps
	over   time.Time   // when its successor came; zero: it has none
}

// heldStep is one W[s].
type heldStep struct {
	index uint8
	first uint64         // frames below are dropped
	w     func() []byte  // erased in place; of a function fmt shows an address at most
	keys  map[uint8]*Key // by stream, of which a frame was authentic; nil: none yet
	over  time.Time      // when its successor came; zero: it has none
}

// newStep takes over w.
func newStep(index uint8, first uint64, w []byte) *heldStep {
	return &heldStep{index: index, first: first, w: func() []byte { return w }}
}

// NewListener returns the Listener of the member whose entry has the hash self and join's public key. secret may
// be nil. The caller erases join, after Close.
func NewListener(self wire.EntryHash, join *JoinKey, room string, secret *Secret) *Listener {
	return &Listener{
		self: self, join: join, room: room, secret: secret,
		talkers: map[wire.MemberID]*heldTalker{},
	}
}

// Accept takes a key of a member inside, with the hash and identity of that member's entry. It reports whether it is
// the member's newest: another one was overtaken by it, and what its header says of the room is out of date. With an
// error nothing changes: [ErrKnown] is no reason to worry, [ErrBadKey] is.
func (l *Listener) Accept(sender wire.EntryHash, key identity.PublicKey, k *wire.Key, now time.Time) (newest bool, err error) {
	if k.Sender != sender.Member() {
		return false, errKeySender
	}
	l.accepting.Lock()
	defer l.accepting.Unlock()
	late, err := l.precheck(sender, &k.Key.KeyHeader, now)
	if err != nil {
		return false, err
	}
	if !verifyHeader(key, sender, k.Key.Signed, k.Key.Signature) {
		return false, errKeySignature
	}
	w, err := l.join.unwrap(sender, k.Key.Signed, l.self, k.Wrap)
	if err != nil {
		return false, errKeyWrap
	}
	if err := checkWrapped(&k.Key.KeyHeader, w); err != nil {
		clear(w)
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if late {
		return false, l.addLateLocked(sender, &k.Key.KeyHeader, w, now)
	}
	return true, l.installLocked(sender, &k.Key.KeyHeader, w, now)
}

// precheck compares a header with the talker's last one, before anything costs much. It reports whether the key was
// overtaken by that.
func (l *Listener) precheck(sender wire.EntryHash, h *wire.KeyHeader, now time.Time) (late bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	talker := l.talkers[sender.Member()]
	if talker != nil && talker.hash != sender { // an id can be searched for
		if talker.left.IsZero() {
			return false, errKeyTaken
		}
		talker = nil // another member, after the first one left
	}
	switch {
	case l.closed || h.Number == 0: // numbers begin with 1
		return false, ErrKnown
	case talker == nil:
		return false, l.gone.check(sender, h)
	case talker.overtaken(h, now):
		return true, nil
	case h.Number <= talker.number:
		return false, ErrKnown
	case h.FirstCTR < talker.first:
		return false, errKeyFirst
	}
	return false, nil
}

// checkWrapped checks what a wrap had in it against the header.
func checkWrapped(h *wire.KeyHeader, w []byte) error {
	length := freshSize
	if h.Epoch%generations > 0 {
		length = ratchetedSize
	}
	switch {
	case sha256.Sum256(w) != h.Hash:
		return errKeyHash
	case len(w) != length:
		return errKeyLength
	}
	return nil
}

// installLocked takes over w, whose header verified and has a new number.
func (l *Listener) installLocked(sender wire.EntryHash, h *wire.KeyHeader, w []byte, now time.Time) error {
	talker := l.talkers[sender.Member()]
	if talker == nil || talker.hash != sender {
		l.forgetLocked(talker)
		if talker = l.gone.back(sender); talker == nil {
			talker = &heldTalker{hash: sender}
		}
	}
	held := talker.generation(h.Epoch / generations)
	if held != nil {
		err := held.follow(h, w, now)
		if err != nil && h.Number-held.number < generations {
			clear(w)
			return err
		}
		if err != nil { // so many keys later it may be another generation of that number, whose predecessors were lost
			talker.drop(held)
			held = nil
		}
	}
	if held == nil {
		talker.add(h, w, now)
	}
	talker.accepted = talker.accepted.with(h.Number, talker.number)
	talker.number, talker.first, talker.left = h.Number, h.FirstCTR, time.Time{}
	l.talkers[sender.Member()] = talker
	return nil
}

// follow takes a key of the same generation, which must be on its chain: behind the newest step, then steps are
// added, or not, then it is the newest again.
func (g *heldGeneration) follow(h *wire.KeyHeader, w []byte, now time.Time) error {
	index, newest := h.Epoch%generations, g.newest()
	switch {
	case Suite(h.Suite) != g.suite:
		return errKeySuite
	case index <= newest.index:
		if !g.has(index, w) {
			return errKeyFollow
		}
		g.goBack(index, h.FirstCTR, w)
	default:
		ahead := ratchetAhead(newest, index)
		last := ahead[len(ahead)-1]
		if !sameKey(last.w(), w) {
			eraseSteps(ahead)
			return errKeyFollow
		}
		clear(w)
		last.first = h.FirstCTR
		g.append(ahead, now)
	}
	g.number = h.Number
	return nil
}

// has reports whether w is the key of a step that is not above the newest: held, or such that it ratchets to the
// oldest that is held.
func (g *heldGeneration) has(index uint8, w []byte) bool {
	if held := g.step(index); held != nil {
		return sameKey(held.w(), w)
	}
	oldest := g.steps[0]
	ahead := ratchetAhead(newStep(index, 0, w), oldest.index)
	defer eraseSteps(ahead)
	return sameKey(ahead[len(ahead)-1].w(), oldest.w())
}

// goBack makes a step that g has the newest, as its header says: it takes over w, and the first CTR where the step
// is not held. Only frames told of later steps. They may have been faster than the header, or be forged, by a
// member with the help of a relay, to mute the talker when its step is over. Either way later steps follow from
// this one again when a frame says so.
func (g *heldGeneration) goBack(index uint8, first uint64, w []byte) {
	held := g.step(index)
	if held == nil {
		eraseSteps(g.steps)
		g.steps = append(g.steps[:0], newStep(index, first, w))
		return
	}
	clear(w)
	held.over = time.Time{}
	after := int(index-g.steps[0].index) + 1
	eraseSteps(g.steps[after:])
	g.steps = slices.Delete(g.steps, after, len(g.steps))
}

// sameKey compares two W[s], in constant time if they are of one length.
func sameKey(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// ratchetAhead returns the steps after from up to index, which is above from's.
func ratchetAhead(from *heldStep, index uint8) []*heldStep {
	ahead := make([]*heldStep, 0, index-from.index)
	for from.index < index {
		from = newStep(from.index+1, from.first, ratchet(from.w()))
		ahead = append(ahead, from)
	}
	return ahead
}

// append adds the steps ahead, of which the last one is in use from now on.
func (g *heldGeneration) append(ahead []*heldStep, now time.Time) {
	g.newest().over = now
	for _, step := range ahead[:len(ahead)-1] {
		step.over = now
	}
	g.steps = append(g.steps, ahead...)
}

func (g *heldGeneration) newest() *heldStep { return g.steps[len(g.steps)-1] }

// step returns the step with an index that is not above the newest one's, nil if it is over or was never had.
func (g *heldGeneration) step(index uint8) *heldStep {
	oldest := g.steps[0].index
	if index < oldest {
		return nil
	}
	return g.steps[index-oldest]
}

// add makes a generation that was not held the newest.
func (t *heldTalker) add(h *wire.KeyHeader, w []byte, now time.Time) {
	if n := len(t.generations); n > 0 && t.generations[n-1].over.IsZero() {
		t.generations[n-1].over = now
	}
	t.renewed = now
	t.insert(len(t.generations), h, w)
}

// insert puts a new generation before the i-th of those that are held, in place of the oldest if they are too many.
func (t *heldTalker) insert(i int, h *wire.KeyHeader, w []byte) *heldGeneration {
	if len(t.generations) == maxGenerations {
		t.drop(t.generations[0])
		i--
	}
	g := &heldGeneration{
		suite: Suite(h.Suite), index: h.Epoch / generations, number: h.Number,
		steps: []*heldStep{newStep(h.Epoch%generations, h.FirstCTR, w)},
	}
	t.generations = slices.Insert(t.generations, i, g)
	return g
}

func (t *heldTalker) generation(index uint8) *heldGeneration {
	for _, g := range t.generations {
		if g.index == index {
			return g
		}
	}
	return nil
}

// drop erases one generation.
func (t *heldTalker) drop(g *heldGeneration) {
	eraseSteps(g.steps)
	t.generations = slices.DeleteFunc(t.generations, func(o *heldGeneration) bool { return o == g })
}

// erase erases all generations of t, if there is a t.
func (t *heldTalker) erase() {
	if t == nil {
		return
	}
	for _, g := range t.generations {
		eraseSteps(g.steps)
	}
	t.generations = nil
}

func eraseSteps(steps []*heldStep) {
	for _, step := range steps {
		clear(step.w())
		step.keys = nil
	}
}

// Sync says whose entries are inside now; it follows every change of the roster, on the goroutine that calls Accept.
// Who is not inside has left: what it sealed can be opened for 10 s more, for frames are late. Who is back with the
// same entry has not, and the keys that it still has stay. inside is read, not kept.
func (l *Listener) Sync(inside map[wire.EntryHash]struct{}, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, talker := range l.talkers {
		if _, is := inside[talker.hash]; is {
			talker.left = time.Time{}
		} else if talker.left.IsZero() {
			talker.left = now
		}
	}
	l.boundLeftLocked()
}

// boundLeftLocked forgets most of who left first, when too many did. A relay cannot make their old keys new by letting them leave
// and come back.
func (l *Listener) boundLeftLocked() {
	var gone []*heldTalker
	for _, talker := range l.talkers {
		if !talker.left.IsZero() {
			gone = append(gone, talker)
		}
	}
	if len(gone) <= maxLeft {
		return
	}
	slices.SortFunc(gone, func(a, b *heldTalker) int {
		return cmp.Or(a.left.Compare(b.left), bytes.Compare(a.hash[:], b.hash[:]))
	})
	for _, talker := range gone[:len(gone)-maxLeft] {
		l.forgetLocked(talker)
	}
}

// forgetLocked forgets of a talker, if there is one, all that is not needed to hear it again.
func (l *Listener) forgetLocked(talker *heldTalker) {
	if talker == nil {
		return
	}
	talker.erase()
	delete(l.talkers, talker.hash.Member())
	l.gone.put(talker)
}

// Expire erases what is over by now, and returns when it is to be called next; zero: when another input came.
func (l *Listener) Expire(now time.Time) (next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, talker := range l.talkers {
		next = soonest(next, talker.expire(now))
	}
	return next
}

// expire erases what is over of a talker, and returns when the rest is, as far as that is known.
func (t *heldTalker) expire(now time.Time) (next time.Time) {
	isOver := func(over time.Time) bool {
		end := over.Add(keepOld)
		switch {
		case over.IsZero():
			return false
		case !now.Before(end):
			return true
		}
		next = soonest(next, end)
		return false
	}
	if len(t.generations) == 0 {
		return time.Time{}
	}
	if isOver(t.left) {
		t.erase()
		t.windows.shrink(len(t.windows.recent)) // nothing late can be opened any more
		return time.Time{}
	}
	for _, g := range slices.Clone(t.generations) {
		if isOver(g.over) {
			t.drop(g)
			continue
		}
		for isOver(g.steps[0].over) {
			eraseSteps(g.steps[:1])
			g.steps = slices.Delete(g.steps, 0, 1)
		}
	}
	return next
}

// Close erases all keys. Nothing is accepted and nothing opens from then on.
func (l *Listener) Close() {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, talker := range l.talkers {
		talker.erase()
	}
	clear(l.talkers)
}
