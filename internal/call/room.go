package call

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Room is what a client has of the room that it is in. Its methods are safe for concurrent use. It puts
// together what its parts do, none of which knows it.
type Room struct {
	client   *Client
	name     string
	id       wire.MemberID
	stay     wire.StayProof
	events   *events
	eventLog packetLog
	stopped  sync.Once // eventLog has a Stop
	bearer   bearer
	roster   *roster
	pages    *rate.Limiter // of requests for the member list
	keeper   *keeper
	hearing  *hearing
	sender   *sender
	arrivals *arrivals

	ctx    context.Context // done when the room is over
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the room

	mu          sync.Mutex // guards what follows
	publication *Publication
	published   uint8 // stream numbers used so far
	left        bool
	dropping    bool // the relay said that it drops part of what we send
}

// start starts what the room does by itself.
func (r *Room) start() {
	r.wg.Go(r.watch)
	r.wg.Go(func() { r.keeper.run(r.ctx.Done()) })
	r.wg.Go(func() { r.arrivals.run(r.ctx.Done()) })
	r.wg.Go(func() { r.hearing.pruneStreams(r.ctx.Done()) })
}

// tell passes on what was heard.
func (r *Room) tell(n news) {
	r.keeper.heard(n)
	for _, e := range n.events {
		r.events.put(e)
	}
}

// Name returns the room's name.
func (r *Room) Name() string { return r.name }

// ID returns this client's own member id.
func (r *Room) ID() wire.MemberID { return r.id }

// Stay names and proves this stay, so that a later one may replace it, at whichever relay: if it was not
// left, the others see it no more as soon as they see the new one. It must be kept to oneself until then.
func (r *Room) Stay() wire.StayProof { return r.stay }

// Events returns what happens in the room, in order. The channel is closed after Ended.
func (r *Room) Events() <-chan Event { return r.events.out }

// Members returns who else is in the room, as far as the relay has told.
func (r *Room) Members() []Member { return r.roster.list() }

// SafetyNumber returns the newest safety number, "" before the first.
func (r *Room) SafetyNumber() string {
	if number := r.keeper.safety.number.Load(); number != nil {
		return *number
	}
	return ""
}

// Leave ends publications, tells the relay, and waits for everything of the room to end.
func (r *Room) Leave() error {
	publication, first := r.leaving()
	if !first {
		r.wg.Wait()
		return nil
	}
	if publication != nil {
		publication.Stop()
	}
	r.noteStop()
	err := r.bearer.Close()
	r.end()
	return err
}

// leaving makes sure that nothing new is started, and reports false if that was so before.
func (r *Room) leaving() (publication *Publication, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = !r.left
	r.left = true
	return r.publication, first
}

// end waits for everything of the room to end. Its bearer has ended already.
func (r *Room) end() {
	r.cancel()
	r.wg.Wait()
	r.hearing.close()
	r.keeper.erase()
	r.client.remove(r)
}

// watch reports the end of the room.
func (r *Room) watch() {
	<-r.bearer.Done()
	r.cancel()
	err := r.bearer.Err()
	if errors.Is(err, link.ErrClosed) {
		err = nil
	}
	r.noteStop()
	r.events.put(Ended{err})
	r.events.close()
	r.keeper.erase()
}

// noteStop notes that we leave, or are made to.
func (r *Room) noteStop() {
	r.stopped.Do(func() { r.eventLog.note(eventlog.Event{Kind: eventlog.Stop}) })
}

// Done is closed when the room is over: left, or ended by the relay.
func (r *Room) Done() <-chan struct{} { return r.ctx.Done() }

// background runs f on a goroutine that Leave waits for, if the room is not over.
func (r *Room) background(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.left {
		r.wg.Go(f)
	}
}

// Stats is described in the package at the root.
type Stats struct {
	PacketsSent       uint64
	PayloadBytesSent  uint64
	WireBytesSent     uint64
	WireBytesReceived uint64
	Forged            uint64
	Unheard           uint64
	KeysDropped       uint64
	EventsDropped     uint64
}

// Stats returns the totals so far.
func (r *Room) Stats() Stats {
	const headers = 28
	u := r.client.endpoint.Stats().UDP
	r.hearing.mu.Lock()
	defer r.hearing.mu.Unlock()
	return Stats{
		PacketsSent:       r.sender.packets.Load(),
		PayloadBytesSent:  r.sender.payload.Load(),
		WireBytesSent:     u.SealedOutBytes + headers*u.SealedOutPackets,
		WireBytesReceived: u.SealedInBytes + headers*u.SealedInPackets,
		Forged:            r.hearing.forged,
		Unheard:           r.hearing.unheard,
		KeysDropped:       r.keeper.dropped.Load(),
		EventsDropped:     r.events.lost(),
	}
}

// Uplink returns what the relay reports of the packets that we send.
func (r *Room) Uplink() link.Quality { return r.bearer.Session().Quality() }
