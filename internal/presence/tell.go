package presence

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// change is something that is told of a home: a state, or who left and who came.
type change struct {
	state *wire.PresenceState
	rise  uint64
	left  []wire.PresenceHash
	came  []wire.PresenceHash
	whole []identity.Fingerprint // in the place of came, of our own
}

func (c *change) size() int {
	if c.state != nil {
		return stateSize
	}
	return itemSize + len(c.left)*hashSize + len(c.came)*hashSize + len(c.whole)*wholeSize
}

// What an item of news takes at most, beside its hashes; and a state with its number.
const (
	hashSize  = len(wire.PresenceHash{})
	wholeSize = len(identity.Fingerprint{})
	itemSize  = 2 + 1 + 8 + 2 + 2
	stateSize = 2 + 1 + 8 + 8 + 4 + 8 + 16 + identity.SignatureSize
)

// telling is what one peer is told of one home.
type telling struct {
	home   *home
	number int
	told   bool      // the peer knows what the number stands for
	anew   bool      // that has to be said, or said again
	lost   bool      // what comes next does not go on from what was said: too much waited
	queued bool      // it is in the peer's queue
	at     time.Time // when it was said what the number stands for

	pending []change
	size    int // of pending, in bytes

	answered time.Time // when the peer last had an answer
}

// lose forgets what waits: the peer will be told of a version that does not go on from what it knows.
func (tl *telling) lose() {
	tl.anew, tl.lost = true, true
	tl.pending, tl.size = nil, 0
}

// tellAll decides of all homes whether a peer is told of them.
func (t *Table) tellAll(p *peer) {
	homes := []*home{t.own}
	for _, h := range t.homes {
		homes = append(homes, h)
	}
	slices.SortFunc(homes[1:], func(a, b *home) int { return slices.Compare(a.key[:], b.key[:]) })
	for _, h := range homes {
		t.tellPeer(p, h, false)
	}
}

// tell decides of all peers whether they are told of a home; moved: by another path than before.
func (t *Table) tell(h *home, moved bool) {
	for _, p := range t.order {
		t.tellPeer(p, h, moved)
	}
}

func (t *Table) tellPeer(p *peer, h *home, moved bool) {
	tl, may := p.told[h], h.tellable(p)
	switch {
	case may && tl == nil:
		number := slices.Index(p.numbers, false)
		if number < 0 {
			if number = len(p.numbers); number >= wire.MaxPresenceHomes {
				return
			}
			p.numbers = append(p.numbers, false)
		}
		p.numbers[number] = true
		tl = &telling{home: h, number: number, anew: true}
		p.told[h] = tl
	case may && moved:
		tl.anew = true
	case !may && tl != nil:
		p.untell(tl)
		return
	default:
		return
	}
	p.enqueue(tl)
}

// untell has a peer not told of a home any more.
func (p *peer) untell(tl *telling) {
	delete(p.told, tl.home)
	p.queue = slices.DeleteFunc(p.queue, func(o *telling) bool { return o == tl })
	if p.answer != nil && p.answer.of == tl {
		p.answer.of = nil
	}
	if tl.told {
		p.gone = append(p.gone, uint64(tl.number)) // it is free when that is said
	} else {
		p.numbers[tl.number] = false
	}
}

func (p *peer) enqueue(tl *telling) {
	if !tl.queued {
		tl.queued = true
		p.queue = append(p.queue, tl)
	}
}

// tellable reports whether a peer may know of a home, and who is there.
func (h *home) tellable(p *peer) bool {
	if h.own || h.best == nil {
		return h.own && p.word != None
	}
	return h.known && h.passed != nil && p.word == Mesh && !slices.Contains(h.passed.path, p.id)
}

// push has all peers that know of a home told of a change.
func (t *Table) push(h *home, c change) {
	if c.state == nil && c.rise == 0 && len(c.left)+len(c.came)+len(c.whole) == 0 {
		return
	}
	for _, p := range t.order {
		tl := p.told[h]
		if tl == nil || !tl.told || tl.lost {
			continue // it will be told of the version of then
		}
		tl.pending = append(tl.pending, c)
		if tl.size += c.size(); tl.size > pendingMost {
			tl.lose()
		}
		p.enqueue(tl)
	}
}

// due returns when a peer is told what there is; zero: there is nothing, or it has too much to acknowledge.
func (p *peer) due() time.Time {
	if len(p.queue)+len(p.gone) == 0 || p.inFlight >= windowMost {
		return time.Time{}
	}
	return p.flushed.Add(batchEvery)
}

// flush tells a peer what there is, in as few messages as hold it.
func (t *Table) flush(p *peer, now time.Time) {
	p.flushed = now
	w := writer{t: t, p: p, left: flushMost}
	for len(p.gone) > 0 { // before all else: who is told of anew may have another number
		n := min(len(p.gone), goneMost)
		for _, number := range p.gone[:n] {
			p.numbers[number] = false
		}
		w.send(wire.UrgentPresenceGone, &wire.PresenceGone{Serial: p.out, Numbers: p.gone[:n]})
		p.gone = slices.Clone(p.gone[n:])
	}
	queue := p.queue
	p.queue = nil
	for i, tl := range queue {
		if !w.write(tl, now) {
			p.queue = append(queue[i:], p.queue...) // the others first next time
			break
		}
		if tl.queued = tl.anew || len(tl.pending) > 0; tl.queued {
			p.queue = append(p.queue, tl)
		}
	}
	w.end()
}

// writer puts messages to a peer together.
type writer struct {
	t    *Table
	p    *peer
	left int // messages that may still be sent
	news wire.PresenceNews
	size int // of news
}

func (w *writer) send(kind wire.UrgentKind, m wire.UrgentMessage) {
	w.left--
	w.t.send(w.p, kind, m, false)
}

// end sends the news that are put together, if there are any.
func (w *writer) end() {
	if len(w.news.Items) > 0 {
		w.news.Serial = w.p.out
		w.send(wire.UrgentPresenceNews, &w.news)
	}
	w.news, w.size = wire.PresenceNews{}, 0
}

// room reports whether news may have so many more bytes, in a new message if need be.
func (w *writer) room(n int) bool {
	if w.size+n > newsMost {
		w.end()
	}
	return w.left > 0
}

// write writes what there is to tell of a home; done: or what may be told by now.
func (w *writer) write(tl *telling, now time.Time) (done bool) {
	for len(tl.pending) > 0 {
		c := &tl.pending[0]
		if least := min(c.size(), itemSize+wholeSize); !w.room(max(least, stateSizeOf(c))) {
			return false
		}
		item := c.cut(newsMost - w.size)
		item.Number = uint64(tl.number)
		w.size += item.Size()
		w.news.Items = append(w.news.Items, item)
		if c.state == nil && len(c.left)+len(c.came)+len(c.whole) > 0 {
			continue
		}
		tl.pending = tl.pending[1:]
	}
	tl.size = 0
	switch {
	case !tl.anew, tl.told && now.Before(tl.at.Add(anewEvery)):
		return true
	case (!tl.told || tl.lost) && (!tl.home.exact || tl.home.midway):
		return true // soon there is less to ask for
	}
	if w.end(); w.left <= 0 {
		return false
	}
	m := tl.home.message(w.t, w.p, now)
	m.Serial, m.Number, m.Afresh = w.p.out, uint64(tl.number), tl.lost
	w.send(wire.UrgentPresenceHome, m)
	if a := w.p.answer; a != nil && a.of == tl && tl.lost {
		a.of = nil // the peer does not count it any more
	}
	tl.told, tl.anew, tl.lost, tl.at = true, false, false, now
	return true
}

// stateSizeOf is the size of a state, which cannot be cut.
func stateSizeOf(c *change) int {
	if c.state != nil {
		return stateSize
	}
	return 0
}

// cut takes as much off a change as fits so many bytes.
func (c *change) cut(space int) (item wire.PresenceItem) {
	if c.state != nil {
		return wire.PresenceItem{State: c.state}
	}
	space -= itemSize
	item.Left, c.left = take(c.left, space/hashSize)
	space -= len(item.Left) * hashSize
	item.Came, c.came = take(c.came, space/hashSize)
	item.Whole, c.whole = take(c.whole, space/wholeSize)
	if len(c.left)+len(c.came)+len(c.whole) == 0 {
		item.Rise = c.rise
	}
	return item
}

func take[T any](list []T, most int) (taken, rest []T) {
	n := min(len(list), max(most, 0))
	return list[:n], list[n:]
}

// message says what a home is, to a peer.
func (h *home) message(t *Table, p *peer, now time.Time) *wire.PresenceHome {
	m := &wire.PresenceHome{Home: h.key, Version: h.version, State: *h.state}
	if h.own {
		m.PassOn, m.Address = p.word == Mesh, t.address
		m.Age = uint8(min(now.Sub(h.stateAt)/time.Second, 255))
		return m
	}
	m.PassOn = true
	m.Before = append([]wire.RelayID{t.self}, h.passed.path[:len(h.passed.path)-1]...)
	m.Age = uint8(min((now.Sub(h.stateAt)+time.Second-1)/time.Second, 255))
	return m
}

// send sends a message to a peer.
func (t *Table) send(p *peer, kind wire.UrgentKind, m wire.UrgentMessage, contents bool) {
	body := wire.Append(nil, m)
	p.out++
	p.inFlight++
	if contents {
		p.contents++
	}
	t.sent += uint64(len(body))
	t.do(Send{To: p.id, Kind: kind, Body: body, Receipt: &Receipt{p.up, contents}})
}

// Acked says that a peer has acknowledged the message that a receipt stands for.
func (t *Table) Acked(id wire.RelayID, r Receipt, now time.Time) {
	p := t.peers[id]
	if p == nil || p.up != r.up {
		return
	}
	p.inFlight--
	if r.contents {
		p.contents--
	}
	t.answerMore(p, now)
}
