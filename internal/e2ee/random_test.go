package e2ee

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// world is one talker and everybody who is ever in its room, in explicit time: members come and go, key
// messages are late, lost, repeated and overtaken, frames are late. Whatever happens, it checks what section
// 7.2 of docs/protocol.md promises.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	careful bool // Step is called after each input and when due, as it must be

	now     time.Time
	next    time.Time // of the talker
	talker  *party
	armed   bool
	rearmed bool // since the last distribution
	streams []*Sealer
	numbers int // stream numbers used
	others  []*other

	frames    []spoken
	sealed    map[[2]uint64]bool
	number    uint32
	changed   time.Time // of the last distribution
	delivered []delivery
	keys      [][]byte // every W that the talker had

	heard, epochs int // how much happened
}

type spoken struct {
	sealed
	text string
	at   time.Time
}

type delivery struct {
	at     time.Time
	number uint32
}

// other is another member.
type other struct {
	*party
	lossy  bool // its key messages get lost and overtake each other
	inside bool
	inbox  []letter
	wanted []attempt

	floor    int       // frames before this one are not for it; math.MaxInt: none is
	fromTime time.Time // it must hear the frames from this time on, and
	from     int       // from this frame; math.MaxInt: none
	deaf     []absence
}

type letter struct {
	at      time.Time
	message []byte
}

type attempt struct {
	frame     int
	at, until time.Time
}

// absence is when a other was away: of frames sealed 10 s after its beginning, and before frame to, it must
// hear none.
type absence struct {
	from time.Time
	to   int
}

func newWorld(t *testing.T, seed uint64, careful bool) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), careful: careful,
		now: at(0), talker: newParty(t, "talker"), sealed: map[[2]uint64]bool{},
	}
	for range 3 {
		w.enter()
	}
	w.setMembers()
	w.arm()
	return w
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) duration(limit time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(limit)))
}

func (w *world) enter() {
	p := &other{
		party: newParty(w.t, fmt.Sprint("other ", len(w.others))), lossy: w.chance(0.3),
		inside: true, floor: math.MaxInt, from: math.MaxInt,
	}
	w.others = append(w.others, p)
}

// pick returns a other that is inside, or not, or nil.
func (w *world) pick(inside bool) *other {
	var list []*other
	for _, p := range w.others {
		if p.inside == inside {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[w.rng.IntN(len(list))]
}

func (w *world) setMembers() {
	var list []Recipient
	for _, p := range w.others {
		if p.inside {
			list = append(list, p.recipient())
		}
	}
	w.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	w.talker.talker.SetMembers(list)
	w.input()
}

// input follows every call but Step.
func (w *world) input() {
	w.checkErased()
	if w.chance(0.2) {
		w.seal(1) // before Step could do anything
	}
	if w.careful || w.chance(0.3) {
		w.step()
	}
}

func (w *world) arm() {
	suite := suite64
	if w.chance(0.2) {
		suite = suite32
	}
	w.talker.talker.Arm(suite)
	w.armed, w.rearmed = true, true
	for _, p := range w.others {
		if p.inside && p.floor == math.MaxInt {
			p.floor = len(w.frames) // a key that is made now is for it as well
		}
		p.endAbsence(len(w.frames))
	}
	w.input()
}

// endAbsence notes that a other that came back is told of keys from now on.
func (p *other) endAbsence(frame int) {
	for i := range p.deaf {
		if p.inside {
			p.deaf[i].to = min(p.deaf[i].to, frame)
		}
	}
}

// act does something.
func (w *world) act() {
	switch n := w.rng.IntN(100); {
	case n < 40:
		w.seal(1 + w.rng.IntN(5))
	case n < 52:
		w.enter()
		w.setMembers()
	case n < 64:
		w.leave()
	case n < 67:
		w.comeBack()
	case n < 75:
		if p := w.pick(w.chance(0.9)); p != nil {
			w.talker.talker.Wanted(p.hash.Member())
			w.input()
		}
	case n < 79:
		w.talker.talker.Delivered(w.rng.Uint32N(w.number + 2))
		w.input()
	case n < 85 && !w.armed || n < 82:
		w.arm()
	case n < 88:
		w.talker.talker.Disarm()
		w.armed = false
		w.input()
	case n < 92 && w.numbers < 256:
		w.open()
	case n < 94 && len(w.streams) > 0:
		i := w.rng.IntN(len(w.streams))
		w.streams[i].Close()
		w.streams = slices.Delete(w.streams, i, i+1)
	}
	if w.chance(0.5) {
		w.advance(w.duration(1500 * time.Millisecond))
	} else if w.chance(0.03) {
		w.advance(w.duration(20 * time.Second))
	}
}

func (w *world) open() {
	s, err := w.talker.talker.Stream(uint8(w.numbers))
	if err != nil {
		w.t.Fatal(err)
	}
	w.numbers++
	w.streams = append(w.streams, s)
}

func (w *world) leave() {
	p := w.pick(true)
	if p == nil {
		return
	}
	p.inside, p.from = false, math.MaxInt
	p.deaf = append(p.deaf, absence{w.now, math.MaxInt})
	w.setMembers()
}

// comeBack is a member that was taken for gone, which happens when lists cross.
func (w *world) comeBack() {
	p := w.pick(false)
	if p == nil || p.floor == math.MaxInt {
		return
	}
	p.inside = true
	if _, holds := w.talker.talker.holders[p.hash]; holds { // nothing was changed meanwhile
		p.endAbsence(0)
	}
	w.setMembers()
}

func (w *world) seal(n int) {
	if len(w.streams) == 0 {
		if !w.armed {
			return
		}
		w.open()
	}
	for range n {
		s := w.streams[w.rng.IntN(len(w.streams))]
		text := fmt.Sprint("frame ", len(w.frames))
		kid, ctr, ciphertext, err := s.Seal(nil, []byte(text))
		if !w.armed {
			if err != ErrDisarmed {
				w.t.Fatalf("Seal while disarmed: %v", err)
			}
			return
		}
		if err != nil {
			w.t.Fatal(err)
		}
		pair := [2]uint64{uint64(kid), ctr}
		if w.sealed[pair] {
			w.t.Fatalf("%v, %d seals twice", kid, ctr)
		}
		w.sealed[pair] = true
		for _, p := range w.others {
			if p.inside || w.now.Sub(p.deaf[len(p.deaf)-1].from) < 30*time.Second {
				arrives := w.now.Add(w.duration(600 * time.Millisecond))
				p.wanted = append(p.wanted, attempt{len(w.frames), arrives, arrives.Add(3 * time.Second)})
			}
		}
		w.frames = append(w.frames, spoken{sealed{kid, ctr, ciphertext}, text, w.now})
	}
}

func (w *world) step() {
	waiting := w.talker.talker.waiting != nil
	d, next := w.talker.talker.Step(w.now)
	w.next = next
	w.checkErased()
	for _, p := range w.others {
		if _, holds := w.talker.talker.holders[p.hash]; holds && p.inside { // even if it is told later
			p.floor = min(p.floor, len(w.frames))
			p.endAbsence(len(w.frames))
		}
	}
	if !next.IsZero() && !next.After(w.now) {
		w.t.Fatal("Step is to be called again at once")
	}
	if d == nil {
		return
	}
	if d.Number() <= w.number {
		w.t.Fatalf("number %d after %d", d.Number(), w.number)
	}
	if w.number > 0 && w.now.Sub(w.changed) < time.Second && !w.rearmed {
		w.t.Fatalf("key %d comes %v after the one before", d.Number(), w.now.Sub(w.changed))
	}
	w.number, w.changed, w.rearmed = d.Number(), w.now, false
	w.epochs++
	waiting = waiting || w.talker.talker.waiting != nil
	keys := messages(w.t, w.talker, d)
	for _, p := range w.others {
		if message := keys[p.hash.Member()]; message != nil {
			delete(keys, p.hash.Member())
			w.send(p, message, waiting)
		}
	}
	if len(keys) > 0 {
		w.t.Fatalf("key %d is for somebody unknown", d.Number())
	}
	if w.chance(0.7) {
		w.delivered = append(w.delivered, delivery{w.now.Add(w.duration(3 * time.Second)), d.Number()})
	}
}

// send puts a key on its way to p.
func (w *world) send(p *other, message []byte, waiting bool) {
	if !p.inside {
		w.t.Fatalf("key %d is for %x, who left", w.number, p.hash[:6])
	}
	if p.from == math.MaxInt {
		p.from, p.fromTime = len(w.frames), w.now
		if waiting { // the key in use is not for it
			p.fromTime = w.now.Add(switchAfter)
			// until the key comes, an old one of the same generation may seem to be that of the frames
		} else if len(p.deaf) > 0 {
			p.fromTime = w.now.Add(time.Second)
		}
	}
	arrives := w.now.Add(w.duration(400 * time.Millisecond))
	if !p.lossy {
		for _, before := range p.inbox {
			if before.at.After(arrives) {
				arrives = before.at
			}
		}
		p.inbox = append(p.inbox, letter{arrives, message})
		return
	}
	for w.chance(0.7) {
		p.inbox = append(p.inbox, letter{w.now.Add(w.duration(4 * time.Second)), message})
	}
}

// advance lets time pass, a little at a time, so that nobody looks too late at what arrives.
func (w *world) advance(d time.Duration) {
	const tick = 200 * time.Millisecond
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(min(tick, end.Sub(w.now)))
		for w.careful && !w.next.IsZero() && !w.next.After(w.now) {
			passed := w.now
			w.now = w.next
			w.step()
			w.now = passed
		}
		w.arrive()
	}
}

// arrive handles what has arrived.
func (w *world) arrive() {
	w.delivered = slices.DeleteFunc(w.delivered, func(d delivery) bool {
		if d.at.After(w.now) {
			return false
		}
		w.talker.talker.Delivered(d.number)
		return true
	})
	w.input()
	for _, p := range w.others {
		w.read(p)
		if p.inside {
			p.listener.Expire(w.now)
		}
		w.listen(p)
	}
}

// read gives a other the keys that arrived. None of them is bad, whatever was lost.
func (w *world) read(p *other) {
	rest := p.inbox[:0:0]
	for _, letter := range p.inbox {
		if letter.at.After(w.now) {
			rest = append(rest, letter)
			continue
		}
		err := p.accept(w.t, w.talker, letter.message, letter.at)
		if err != nil && (!p.lossy || err != ErrKnown) {
			w.t.Fatalf("other %x: %v", p.hash[:6], err)
		}
		if p.lossy && w.chance(0.1) { // a replay
			rest = append(rest, letter)
		}
	}
	p.inbox = rest
}

// listen opens what arrived, as far as the other can, and checks that it can what it should and no more.
func (w *world) listen(p *other) {
	rest := p.wanted[:0:0]
	for _, try := range p.wanted {
		if try.at.After(w.now) {
			rest = append(rest, try)
			continue
		}
		switch err := w.try(p, try.frame); {
		case err == nil:
			w.heard++
		case errors.Is(err, ErrNoKey) && w.now.Before(try.until):
			rest = append(rest, try)
		case w.careful && !p.lossy && p.inside && try.frame >= p.from &&
			!w.frames[try.frame].at.Before(p.fromTime):
			f := w.frames[try.frame]
			w.t.Fatalf("other %x does not hear frame %d, %v, %d: %v", p.hash[:6], try.frame, f.kid, f.ctr,
				err)
		}
	}
	p.wanted = rest
}

// try lets a other open a frame, and fails if it must not.
func (w *world) try(p *other, frame int) error {
	f := w.frames[frame]
	text, err := p.opens(f.sealed, w.now)
	if err != nil {
		return err
	}
	if text != f.text {
		w.t.Fatalf("frame %d opens as %q", frame, text)
	}
	if frame < p.floor {
		w.t.Fatalf("other %x hears frame %d, of before it joined", p.hash[:6], frame)
	}
	for _, away := range p.deaf {
		if w.careful && frame < away.to && f.at.Sub(away.from) >= keepOld {
			w.t.Fatalf("other %x hears frame %d, %v after it left", p.hash[:6], frame, f.at.Sub(away.from))
		}
	}
	return nil
}

// checkErased fails if a W is kept that is not in use and does not wait.
func (w *world) checkErased() {
	var current [][]byte
	for _, key := range []*mediaKey{w.talker.talker.key, w.talker.talker.waiting} {
		if key != nil {
			current = append(current, *key.w)
		}
	}
	for _, old := range w.keys {
		kept := slices.ContainsFunc(current, func(b []byte) bool { return &b[0] == &old[0] })
		if !kept && slices.ContainsFunc(old, func(b byte) bool { return b != 0 }) {
			w.t.Fatal("an old key is not erased")
		}
	}
	w.keys = current
}

// finish lets everybody try some of all frames with all keys that they got.
func (w *world) finish() {
	w.advance(5 * time.Second)
	for _, p := range w.others {
		for range min(100, len(w.frames)) {
			w.try(p, w.rng.IntN(len(w.frames)))
		}
	}
}

func runWorld(t *testing.T, seed uint64, careful bool, acts int) *world {
	w := newWorld(t, seed, careful)
	for range acts {
		w.act()
	}
	w.finish()
	return w
}

func TestRandomRooms(t *testing.T) {
	for seed := range uint64(2) {
		for _, careful := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d, careful %v", seed, careful), func(t *testing.T) {
				t.Parallel()
				w := runWorld(t, seed, careful, 500)
				t.Logf("%d keys, %d others, %d frames, heard %d times in %v", w.epochs, len(w.others),
					len(w.frames),
					w.heard, w.now.Sub(epoch0))
				if careful && (w.epochs < 3*generations || w.heard < len(w.frames)) {
					t.Error("not enough happened")
				}
			})
		}
	}
}

// FuzzRandomRooms is TestRandomRooms with the fuzzer's seeds.
func FuzzRandomRooms(f *testing.F) {
	f.Add(uint64(100), true)
	f.Add(uint64(101), false)
	f.Fuzz(func(t *testing.T, seed uint64, careful bool) { runWorld(t, seed, careful, 100) })
}
