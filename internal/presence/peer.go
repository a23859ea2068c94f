package presence

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// peer is a peer whose link is up.
type peer struct {
	id    wire.RelayID
	key   identity.PublicKey
	label string
	word  Word
	up    uint64 // which stay of the link it is

	// What it says:
	in      uint64             // serial of the next message
	held    map[uint64]inbound // that came before their turn, at most heldMost
	deaf    bool               // it has broken the rules: nothing it says counts any more
	routes  []*route           // by the number that it gave; nil: it stands for nothing
	ask     *comparison        // that it has not answered yet; nil: none
	entries int                // who is at the homes that are known by it

	// What it is told:
	out      uint64 // serial of the next message
	told     map[*home]*telling
	numbers  []bool     // that are taken
	gone     []uint64   // numbers of homes that it is not told of any more
	queue    []*telling // of which something is to be told
	flushed  time.Time  // when it was last told
	inFlight int        // messages that are not acknowledged
	contents int        // those of them that answer a question
	answer   *answer    // its question; nil: none
	partAt   time.Time  // when the next part of an answer is due
	answers  float64    // that it may have now
	counted  time.Time  // when answers was right
}

// inbound is a message that waits for its turn.
type inbound struct {
	kind wire.UrgentKind
	body []byte
}

// Up says that a link to a peer is ready, and that the peer knows nothing of ours. The label is what our
// configuration calls it.
func (t *Table) Up(id wire.RelayID, key identity.PublicKey, label string, word Word, now time.Time) {
	if id == t.self {
		return
	}
	t.Down(id, now)
	t.ups++
	p := &peer{id: id, key: key, label: label, word: word, up: t.ups, told: map[*home]*telling{},
		answers: answersMost, counted: now}
	t.peers[id] = p
	t.order = append(t.order, p)
	slices.SortFunc(t.order, func(a, b *peer) int { return a.id.Compare(b.id) })
	t.signOwn(now)
	t.tellAll(p)
}

// Word says that the operator has changed a peer's word.
func (t *Table) Word(id wire.RelayID, word Word, now time.Time) {
	p := t.peers[id]
	if p == nil || p.word == word {
		return
	}
	p.word = word
	for _, r := range p.allRoutes() {
		if r.home != nil {
			t.choose(r.home, false, now)
		}
	}
	t.tellAll(p)
	t.tellPeer(p, t.own, true) // it may, or may not, be passed on
}

// Down says that the link to a peer is gone, and with it all that the peer said.
func (t *Table) Down(id wire.RelayID, now time.Time) {
	p := t.peers[id]
	if p == nil {
		return
	}
	delete(t.peers, id)
	t.order = slices.DeleteFunc(t.order, func(o *peer) bool { return o == p })
	t.dropAll(p, now)
}

// dropAll forgets what a peer said.
func (t *Table) dropAll(p *peer, now time.Time) {
	for _, r := range p.allRoutes() {
		t.drop(r, now)
	}
}

// allRoutes returns a peer's routes, by number.
func (p *peer) allRoutes() (list []*route) {
	for _, r := range p.routes {
		if r != nil {
			list = append(list, r)
		}
	}
	return list
}

// route returns what a number stands for; nil: nothing.
func (p *peer) route(number uint64) *route {
	if number < uint64(len(p.routes)) {
		return p.routes[number]
	}
	return nil
}

// add has a route's number, which is below wire.MaxPresenceHomes, stand for it.
func (p *peer) add(r *route) {
	for uint64(len(p.routes)) <= r.number {
		p.routes = append(p.routes, nil)
	}
	p.routes[r.number] = r
}

// ignore stops listening to a peer that has broken the rules, until its link comes up again.
func (t *Table) ignore(p *peer, what, reason string, now time.Time) {
	if p.deaf {
		return
	}
	t.do(Problem{p.id, what, reason})
	p.deaf, p.held, p.ask = true, nil, nil
	t.dropAll(p, now)
}
