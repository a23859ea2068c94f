package presence

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Options say whose a Table is. Identity and Boot are needed.
type Options struct {
	Identity *identity.Identity // the relay's
	Boot     uint64             // rises with every start of the relay; below 2^62
	Address  string             // where others are told that this relay is, HOST:PORT; empty: they are not told
}

// Table is who is connected to this relay, and who can be called at others. It is not safe for concurrent use.
type Table struct {
	identity *identity.Identity
	self     wire.RelayID
	boot     uint64
	address  string
	effects  []Effect // not taken yet

	registry registry
	peers    map[wire.RelayID]*peer
	ups      uint64 // how many links came up so far
}

// peer is a peer whose link is up.
type peer struct {
	id    wire.RelayID
	key   identity.PublicKey
	label string
	word  Word
	up    uint64 // which stay of the link it is
}

// New returns a Table without peers.
func New(o Options) *Table {
	return &Table{identity: o.Identity, self: wire.RelayIDOf(o.Identity.Public()), boot: o.Boot,
		address: o.Address, registry: newRegistry(), peers: map[wire.RelayID]*peer{}}
}

// Up says that a link to a peer is ready, and that the peer knows nothing of ours. The label is what our
// configuration calls it.
func (t *Table) Up(id wire.RelayID, key identity.PublicKey, label string, word Word, now time.Time) {
	if id == t.self {
		return
	}
	t.Down(id, now)
	t.ups++
	t.peers[id] = &peer{id: id, key: key, label: label, word: word, up: t.ups}
}

// Word says that the operator has changed a peer's word.
func (t *Table) Word(id wire.RelayID, word Word, now time.Time) {
	if p := t.peers[id]; p != nil {
		p.word = word
	}
}

// Down says that the link to a peer is gone, and with it all that the peer said.
func (t *Table) Down(id wire.RelayID, now time.Time) {
	delete(t.peers, id)
}

// Kind reports whether urgent messages of a kind are for [Table.Receive].
func Kind(kind wire.UrgentKind) bool { return 40 <= kind && kind <= 44 }

// Receive takes an urgent message of kind 40 to 44.
func (t *Table) Receive(from wire.RelayID, kind wire.UrgentKind, body []byte, now time.Time) {
}

// Acked says that a peer has acknowledged the message that a receipt stands for.
func (t *Table) Acked(id wire.RelayID, r Receipt, now time.Time) {
}

// Tick does what is due. It returns when something is next; zero: never, by time alone.
func (t *Table) Tick(now time.Time) (next time.Time) {
	return t.registry.expire(now)
}
