package routing

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Effect is something that follows from what a Table was told: one of the types below. The table's owner
// carries effects out in their order.
type Effect interface{ effect() }

type (
	// Send has an urgent message sent to a peer. Messages may overtake each other; but all those to a peer
	// whose link is up must arrive, or the link go down.
	Send struct {
		To      wire.RelayID
		Kind    wire.UrgentKind
		Body    []byte
		Receipt *Receipt // for [Table.Acked] once the peer has acknowledged the message; nil: not needed
	}

	// Members says what changed of Home's part of a room: entries that joined, all of them checked, and ids
	// of who left. Both are empty where only the label or the way changed. Entries must not be written to.
	Members struct {
		Home   identity.PublicKey
		Label  string
		By     Hop
		Room   string
		Joined [][]byte
		Left   []wire.MemberID
	}

	// Reach says by which way a foreign part is reached from now on. It comes before Members of the part.
	Reach struct {
		Part PartKey
		Way  Way
	}

	// Trunks says to which peers the media of Home's members in the room goes now; the zero Home stands for
	// our own members. An empty list ends it.
	Trunks struct {
		Home wire.RelayID
		Room string
		To   []wire.RelayID
	}

	// Problem says that something of a peer's was refused, or contained. What is one of the problem
	// constants, Reason a sentence without names that the peer chose.
	Problem struct {
		Peer         wire.RelayID
		What, Reason string
	}

	// NotGlobal says that a peer announces a room, which it may have made up, that is not global here.
	// Operators name rooms one after the other, so that is usual.
	NotGlobal struct {
		Peer wire.RelayID
		Room string
	}
)

func (Send) effect()      {}
func (Members) effect()   {}
func (Reach) effect()     {}
func (Trunks) effect()    {}
func (Problem) effect()   {}
func (NotGlobal) effect() {}

// Hop is by which peer a part comes to us, and by which peer of that one; Via is zero for the peer's own.
type Hop struct{ Peer, Via wire.RelayID }

// Way is by which peer a part is reached, and by which it was a moment ago: its media may come from them. The
// zero value is the way to a part that nobody reaches. The list must not be written to.
type Way struct {
	Best   wire.RelayID // zero: the part is not reached
	Former []Former
}

// Former is a peer that was a part's best one. Its media is taken until then.
type Former struct {
	Peer  wire.RelayID
	Until time.Time
}

// From reports whether media of the part may come from a peer now.
func (w *Way) From(peer wire.RelayID, now time.Time) bool {
	if w.Best == peer {
		return peer != wire.RelayID{}
	}
	for _, f := range w.Former {
		if f.Peer == peer && now.Before(f.Until) {
			return true
		}
	}
	return false
}

// do adds an effect to those that Drain returns.
func (t *Table) do(e Effect) { t.effects = append(t.effects, e) }

// send has a message sent of which nobody needs to know whether it arrived.
func (t *Table) send(to wire.RelayID, kind wire.UrgentKind, body []byte) {
	t.do(Send{To: to, Kind: kind, Body: body})
}

// Drain returns what follows from all calls since the last one of it.
func (t *Table) Drain() []Effect {
	effects := t.effects
	t.effects = nil
	return effects
}
