package presence

import "github.com/wzp-voice/wzp/internal/wire"

// Effect is something that follows from what a [Table] was told: one of the types below. Its owner carries
// effects out in their order.
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

	// Home says by which peer we are told who can be called at another relay from now on.
	Home struct {
		Home wire.RelayID
		By   wire.RelayID // zero: by none any more
		Hops int          // how many peer links there are to it
	}

	// Taking says that one of our own takes calls from now on, or does not any more.
	Taking struct {
		Who   wire.PresenceHash
		Calls bool
		Count int // who does now
	}

	// Problem says that something of a peer's was refused, or contained. What is one of the problem
	// constants, Reason a sentence without names that the peer chose.
	Problem struct {
		Peer         wire.RelayID
		What, Reason string
	}
)

func (Send) effect()    {}
func (Home) effect()    {}
func (Taking) effect()  {}
func (Problem) effect() {}

// Receipt stands for a message whose arrival the table waits for. It belongs to one stay of the link.
type Receipt struct {
	up       uint64
	contents bool
}

// do adds an effect to those that Drain returns.
func (t *Table) do(e Effect) { t.effects = append(t.effects, e) }

// Drain returns what follows from all calls since the last one of it.
func (t *Table) Drain() []Effect {
	effects := t.effects
	t.effects = nil
	return effects
}
