package e2ee

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// keepOld is how long a key or step opens frames after its successor came, and after its talker left.
	keepOld = 10 * time.Second

	// maxLeft is how many talkers that left are remembered as if they were inside; see goneTalkers for the
	// others.
	maxLeft = 1024
)

// Listener holds the keys of the talkers that one member listens to, for one stay ("Receiving" of
// docs/protocol.md, section 7.2).
//
//	talker, by member id:  last key number, last first CTR, ReplayWindow of each stream
//	  generation, at most 12:  suite                              of a header that was accepted
//	    step, at most 16:  W[s], first CTR, Key of each stream    of a header, or ratcheted for a frame
//
// A step goes 10 s after a later one of its generation came, unless a header brings it back, a generation 10
// s after another one was accepted, all of a talker 10 s after it left. It is safe for concurrent use.
type Listener struct {
	self   wire.EntryHash
	join   *JoinKey
	room   string
	secret *Secret // nil: the room has none

	// accepting is held while a key is looked at, which takes a while: frames are opened meanwhile, and Close
	// waits for it, so that join can be erased then. It is taken before mu.
	accepting sync.Mutex

	mu      sync.Mutex // guards what follows
	closed  bool
	talkers map[wire.MemberID]*heldTalker
	gone    goneTalkers // of those who left, those that are not in talkers any more
}

// NewListener returns the Listener of the member whose entry has the hash self and join's public key. secret
// may be nil. The caller erases join, after Close.
func NewListener(self wire.EntryHash, join *JoinKey, room string, secret *Secret) *Listener {
	return &Listener{
		self: self, join: join, room: room, secret: secret,
		talkers: map[wire.MemberID]*heldTalker{},
	}
}

// Accept takes a key of a member inside, with the hash and identity of that member's entry. It reports
// whether it is the member's newest: another one was overtaken by it, and what its header says of the room is
// out of date. With an error nothing changes: [ErrKnown] is no reason to worry, [ErrBadKey] is.
func (l *Listener) Accept(
	sender wire.EntryHash, key identity.PublicKey, k *wire.Key, now time.Time,
) (newest bool, err error) {
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

// precheck compares a header with the talker's last one, before anything costs much. It reports whether the
// key was overtaken by that.
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
		if err != nil { // so many keys later it may be another generation of that number
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

// addLateLocked takes over w, the key of a generation whose successor came before it: it is over as soon as
// if it had come in time.
func (l *Listener) addLateLocked(sender wire.EntryHash, h *wire.KeyHeader, w []byte, now time.Time) error {
	t := l.talkers[sender.Member()]
	if t == nil || !t.overtaken(h, now) { // any more
		clear(w)
		return ErrKnown
	}
	t.accepted |= 1 << (t.number - h.Number)
	t.insert(len(t.generations)-1, h, w).over = t.renewed
	return nil
}

// Sync says whose entries are inside now; it follows every change of the roster, on the goroutine that calls
// Accept. Who is not inside has left: what it sealed can be opened for 10 s more, for frames are late. Who is
// back with the same entry has not, and the keys that it still has stay. inside is read, not kept.
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

// boundLeftLocked forgets most of who left first, when too many did. A relay cannot make their old keys new
// by letting them leave and come back.
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
		next = Soonest(next, talker.expire(now))
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
