package link

import (
	"context"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
)

// roundTrip is what QUIC learns of a path while it shakes hands.
type roundTrip struct {
	mu     sync.Mutex    // guards what follows
	latest time.Duration // from a packet to its acknowledgement; 0: not known
	heard  time.Time     // when a packet came last
}

// read returns the latest round trip, 0 if none is known, and when a packet came last.
func (r *roundTrip) read() (latest time.Duration, heard time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest, r.heard
}

// tracer returns the quic.Config.Tracer of an attempt that begins. answered is called with the time until the
// first packet came, before anything is sent that answers it.
func (r *roundTrip) tracer(answered func(time.Duration)) func(
	context.Context, bool, quic.ConnectionID) qlogwriter.Trace {
	begin := time.Now()
	var once sync.Once
	return func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace {
		return watch(func(event qlogwriter.Event) {
			if _, ok := event.(qlog.PacketReceived); ok {
				once.Do(func() { answered(time.Since(begin)) })
			}
			r.note(event)
		})
	}
}

// note takes what an event tells.
func (r *roundTrip) note(event qlogwriter.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch event := event.(type) {
	case qlog.PacketReceived, qlog.PacketDropped, qlog.PacketBuffered:
		r.heard = time.Now()
	case qlog.MetricsUpdated:
		if event.LatestRTT > 0 {
			r.latest = event.LatestRTT
		}
	}
}
