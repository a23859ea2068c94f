package callpath

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Leg is one end of a path at this relay: a peer link or a client's session. One of the two is zero; the zero
// Leg is none.
type Leg struct {
	Peer    wire.RelayID
	Session uint64 // from 1
}

// PeerLeg returns the leg that is a peer link.
func PeerLeg(id wire.RelayID) Leg { return Leg{Peer: id} }

// SessionLeg returns the leg that is a client's session.
func SessionLeg(id uint64) Leg { return Leg{Session: id} }

// isPeer reports whether it is a peer link.
func (l Leg) isPeer() bool { return l.Peer != wire.RelayID{} }

// Effect is something that follows from what a Table was told. Its owner carries effects out in their order.
type Effect interface{ effect() }

type (
	// Send has an urgent message sent. Body must not be written to: several may have the same.
	Send struct {
		To      Leg
		Kind    wire.UrgentKind
		Body    []byte
		Receipt *Receipt // for [Table.Acked] once the peer has acknowledged it; nil: not needed
		Turn    bool     // to a session: the next waits for [Table.Taken]
		By      Leg      // of an offer: who brought it
	}

	// Untold says that a path is over before its offer went to the called's session. By brought it.
	Untold struct {
		Offer []byte // urgent message 19
		By    Leg
	}

	// Media says between which legs the media of a path goes from now on. Zero legs: nowhere, the path is
	// over.
	Media struct {
		Path wire.PathID
		Legs [2]Leg
	}

	// Speaks says that the media frames of a session belong to a path, as soon and as long as it is a leg of
	// it.
	Speaks struct {
		Session uint64
		Path    wire.PathID
	}

	// Event says what became of a path, for logs and metrics.
	Event struct {
		What       What
		Path       wire.PathID
		Generation uint64
		From, To   Leg           // of a forward; To is zero if it goes nowhere
		Code       wire.CallCode // of Refused
		Reason     wire.EndReason
		Took       time.Duration // of SetUp: since the forward came; of Ended: since it was set up
		Hops       int           // of SetUp where the called's session is a leg: relays on the path
	}

	// Drop says that something of a leg's was more than it may send, and is dropped.
	Drop struct{ From Leg }

	// Problem says that somebody sent what it may not. What is one of the problem constants.
	Problem struct {
		From         Leg
		What, Reason string
	}
)

func (Send) effect()    {}
func (Untold) effect()  {}
func (Media) effect()   {}
func (Speaks) effect()  {}
func (Event) effect()   {}
func (Drop) effect()    {}
func (Problem) effect() {}

// What is a kind of Event.
type What uint8

// What becomes of paths.
const (
	Forwarded What = iota // a forward goes to To
	SetUp                 // the path is open between From and To
	Refused               // From was refused
	Ended                 // the path is over
)

// What a Problem is about.
const (
	ProblemMalformed = "a message about a call cannot be read"
	ProblemSource    = "a forward of a call names another relay as its source"
	ProblemSignature = "a forward or proof of a call is not signed by the path's key"
	ProblemStray     = "a message about a call is from who is no leg of its path"
)

// Receipt says which forward was acknowledged.
type Receipt struct {
	Path       wire.PathID
	Generation uint64
}

func (t *Table) do(e Effect) { t.effects = append(t.effects, e) }

// Drain returns what follows from all calls since the last one of it.
func (t *Table) Drain() []Effect {
	effects := t.effects
	t.effects = nil
	return effects
}

// send has a message sent to a leg, by the kind that it has there.
func (t *Table) send(to Leg, peer, session wire.UrgentKind, m wire.UrgentMessage) {
	t.sendBody(to, peer, session, wire.Append(nil, m))
}

func (t *Table) sendBody(to Leg, peer, session wire.UrgentKind, body []byte) {
	if !to.isPeer() {
		peer = session
	}
	t.do(Send{To: to, Kind: peer, Body: body})
}

// state answers a forward.
func (t *Table) state(to Leg, id wire.PathID, generation uint64, code wire.CallCode) {
	t.send(to, wire.UrgentSessionAnswer, wire.UrgentCallState,
		&wire.CallState{Path: id, Generation: generation, Code: code})
}

// end tells a leg that its path is over.
func (t *Table) end(to Leg, id wire.PathID, generation uint64, reason wire.EndReason) {
	t.send(to, wire.UrgentSessionEnd, wire.UrgentCallEnd,
		&wire.CallEnd{Path: id, Generation: generation, Reason: reason})
}
