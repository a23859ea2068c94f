package federation

import (
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/wire"
)

// callCounts are totals of the paths of calls.
type callCounts struct {
	frames  atomic.Uint64 // forwarded
	setUp   atomic.Uint64
	ended   atomic.Uint64
	refused [callCodes]atomic.Uint64 // by code; the last: codes that are not known
	took    atomic.Int64             // ns, of all that were set up over peers
	asked   atomic.Uint64            // how many those were
	hops    [wire.MaxHops + 2]atomic.Uint64
}

const callCodes = int(wire.CallKept) + 2

func (c *callCounts) count(e callpath.Event) {
	switch e.What {
	case callpath.SetUp:
		c.setUp.Add(1)
		if e.Hops > 0 && e.Hops < len(c.hops) {
			c.hops[e.Hops].Add(1)
		}
		if e.To.Session == 0 {
			c.asked.Add(1)
			c.took.Add(int64(e.Took))
		}
	case callpath.Refused:
		c.refused[min(int(e.Code), callCodes-1)].Add(1)
	case callpath.Ended:
		c.ended.Add(1)
	}
}

// CallTotals are the counts of the paths of calls.
type CallTotals struct {
	callpath.Counts                   // now
	SetUp, Ended    uint64            // paths
	Refused         map[string]uint64 // forwards, by what they were answered
	Asked           uint64            // paths that were set up by another relay
	Took            time.Duration     // of these, from the forward to the answer, in all
	Hops            map[int]uint64    // paths to clients here, by how many relays are on them
	Frames          uint64            // of media that were forwarded
}

// Calls returns the counts so far.
func (f *Federation) Calls() CallTotals {
	c := &f.calls.counts
	t := CallTotals{SetUp: c.setUp.Load(), Ended: c.ended.Load(), Asked: c.asked.Load(),
		Took: time.Duration(c.took.Load()), Frames: c.frames.Load(), Refused: make(map[string]uint64),
		Hops: make(map[int]uint64)}
	for code := 1; code < callCodes; code++ {
		t.Refused[wire.CallCode(code).String()] = c.refused[code].Load()
	}
	for n := 1; n < len(c.hops); n++ {
		t.Hops[n] = c.hops[n].Load()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t.Counts = f.calls.table.Counts()
	return t
}

// logCall notes what became of a path, by half of its id.
func (f *Federation) logCall(e callpath.Event) {
	if f.packets == nil {
		return
	}
	event := eventlog.Event{RoomHash: e.Path.Room(), Peer: e.To.Peer, Count: e.Generation}
	switch e.What {
	case callpath.Forwarded:
		event.Kind = eventlog.CallForward
	case callpath.SetUp:
		event.Kind, event.Hops = eventlog.CallSetUp, e.Hops
	case callpath.Refused:
		event.Kind, event.Reason, event.Peer = eventlog.CallRefused, e.Code.String(), e.From.Peer
	case callpath.Ended:
		event.Kind, event.Reason = eventlog.CallEnd, e.Reason.String()
	}
	f.packets.Log(event)
}

// log notes something about a packet of a call.
func (in *callInbound) log(kind eventlog.Kind, m *wire.Media, reason string) {
	f := in.federation
	if f.packets == nil {
		return
	}
	var peer wire.RelayID
	if in.by.peer != nil && kind != eventlog.LocalDeliver {
		peer = in.by.peer.id
	}
	event := packet(kind, peer, in.out.Load().Room(), in.KID, m)
	event.Reason = reason
	if kind == eventlog.LocalDeliver {
		event.Len, event.ToCount = 0, 1
	}
	f.packets.Log(event)
}

// logCame notes that a packet came.
func (in *callInbound) logCame(m *wire.Media) {
	if in.by.peer != nil {
		in.log(eventlog.FederationIngress, m, "")
	} else {
		in.log(eventlog.MediaIn, m, "")
	}
}
