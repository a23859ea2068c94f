package link

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
)

const (
	// datagramsWaiting is how many datagrams QUIC may have that it has not sent: it keeps up to 32, two
	// thirds of a second of one talker, and what it has cannot be dropped any more.
	datagramsWaiting = 2
	// datagramsLost is after how long those that QUIC does not send are taken for lost: it may drop what does
	// not fit. At heavy loss congestion control alone holds them for seconds.
	datagramsLost = 5 * time.Second
)

// datagrams counts what QUIC was given and what it sent, so that what congestion control holds back waits in
// our queue, where it can be dropped. The library does not tell how many datagrams wait; its trace tells what
// it sends.
//
//	webConn.write ── ready ──> given ──> QUIC ── trace: packet sent ──> sent
type datagrams struct {
	given, sent atomic.Int64
	moved       chan struct{} // cap 1: sent is another
}

func newDatagrams() *datagrams { return &datagrams{moved: make(chan struct{}, 1)} }

// wait returns when QUIC has sent most of what it was given, or ctx is done.
func (d *datagrams) wait(ctx context.Context) {
	if d.given.Load()-d.sent.Load() < datagramsWaiting {
		return
	}
	timer := time.NewTimer(datagramsLost)
	defer timer.Stop()
	for d.given.Load()-d.sent.Load() >= datagramsWaiting {
		select {
		case <-d.moved:
		case <-timer.C:
			d.sent.Store(d.given.Load())
		case <-ctx.Done():
			return
		}
	}
}

// trace is the quic.Config.Tracer of a listener that takes browsers.
func trace(ctx context.Context, _ bool, _ quic.ConnectionID) qlogwriter.Trace {
	if h, ok := ctx.Value(handshakeKey{}).(*handshake); ok {
		return watch(h.datagrams.note)
	}
	return nil
}

// note counts the datagrams of a packet that was sent.
func (d *datagrams) note(event qlogwriter.Event) {
	packet, ok := event.(qlog.PacketSent)
	if !ok {
		return
	}
	for _, f := range packet.Frames {
		if _, ok := f.Frame.(*qlog.DatagramFrame); ok {
			d.sent.Add(1)
			wake(d.moved)
		}
	}
}
