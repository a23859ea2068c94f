package callpath

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

// path is what is known of one path.
//
//	forward ──> attempt ── set up ──> open ── end, idle, a link down ──> forgotten
//	                |                  | ^
//	                |                  | '── attempt of a higher generation ── set up
//	                '── refused ──> remembered for a moment, as a forward that came, then forgotten
type path struct {
	id    wire.PathID
	open  way
	next  *attempt      // nil: none
	wake  time.Duration // when that has something to do
	slot  int           // its place among the pending ones, from 1 on; 0: none
	began time.Duration // when it was opened
	used  time.Duration // when something went over it last; until it is spoken on: when a way was opened

	// The called's end has said something on it, or sent media: its user wants it. What the caller's end says
	// counts for nothing, for anybody can call.
	spoken bool
	// Nothing of the called's end has come since the way was opened; and next hops of which that was so, the
	// newest last, or nil, as of most paths.
	unheard bool
	served  uint32 // when something of early went last, in turns of the session
	silent  *[]wire.RelayID

	early []earlyMessage // what waits to go to a session that has not spoken on it

	before   budget.Bucket    // of what the caller's end says until then
	messages [2]budget.Bucket // of each direction
	holder   *share.Group[holder]
	place    int     // in the list of its holder
	by       *caller // who brought it, if it is a client here; else nil
	callee   *callee // whom by calls by it
}

// way is the legs of a path, the first that by which the forward came. Generation 0: none.
type way struct {
	generation uint64
	legs       [2]Leg
}

// side returns which leg of a way it is, -1: none.
func (w *way) side(l Leg) int {
	switch {
	case w.generation == 0:
	case w.legs[0] == l:
		return 0
	case w.legs[1] == l:
		return 1
	}
	return -1
}

// noteSilent notes the next hop of the open way, if nothing has come from there. It reports whether there are
// any silent ones.
func (p *path) noteSilent() bool {
	if peer := p.open.legs[1].Peer; p.open.generation != 0 && p.unheard && p.open.legs[1].isPeer() {
		var list []wire.RelayID
		if p.silent != nil {
			list = slices.DeleteFunc(*p.silent, func(o wire.RelayID) bool { return o == peer })
		}
		list = append(list, peer)
		list = list[max(0, len(list)-maxTries):]
		p.silent = &list
	}
	return p.silent != nil
}

// noteHeard notes that something came from the next hop of the open way.
func (p *path) noteHeard() {
	p.unheard = false
	if peer := p.open.legs[1].Peer; p.silent != nil {
		*p.silent = slices.DeleteFunc(*p.silent, func(o wire.RelayID) bool { return o == peer })
	}
}

// attempt is a forward that waits for an answer, or was refused.
type attempt struct {
	generation uint64
	from       Leg
	began      time.Duration
	body       []byte // what goes to each candidate; nil: it was refused, and is remembered
	hops       uint8  // that were left when it came
	tries      [maxTries]try
	asked      int           // how many of them were
	of         int           // how many there are
	code       wire.CallCode // of the last refusal; CallSetUp: none yet
	until      time.Duration // of one that was refused: when it is forgotten
}

// try is a candidate for the next hop.
type try struct {
	peer  wire.RelayID
	at    time.Duration // when it was asked
	acked bool          // it has the forward
	slow  bool          // another one was asked meanwhile
	over  bool          // it has refused
}

// find returns the candidate that was asked and has not refused, or nil.
func (a *attempt) find(l Leg) *try {
	if a == nil || a.body == nil || !l.isPeer() {
		return nil
	}
	for i := range a.tries[:a.asked] {
		if t := &a.tries[i]; t.peer == l.Peer && !t.over {
			return t
		}
	}
	return nil
}

// pending reports whether it still waits for an answer.
func (a *attempt) pending() bool { return a != nil && a.body != nil }
