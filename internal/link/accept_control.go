package link

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// controlChannel carries the control messages of one accepted connection.
type controlChannel interface {
	// read returns the next message, of at most limit bytes. Only one goroutine may call it.
	read(limit int) (wire.Message, error)
	// readUntil says when read fails at the latest; the zero time: never.
	readUntil(t time.Time)
	// write fails when the remote does not take the message within handshakeTimeout.
	write(m wire.Message) error
	// finish says that nothing more will be written, and returns a channel that is closed when the remote can
	// have read it all.
	finish() <-chan struct{}
}

// messageStream is a stream of QUIC or of WebTransport.
type messageStream interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// streamChannel is a controlChannel over a stream.
type streamChannel struct {
	stream messageStream
	conn   context.Context // done when the connection has ended
}

func (c *streamChannel) read(limit int) (wire.Message, error) {
	return wire.ReadMessageUpTo(c.stream, limit)
}

func (c *streamChannel) readUntil(t time.Time) { c.stream.SetReadDeadline(t) }

func (c *streamChannel) write(m wire.Message) error { return writeMessage(c.stream, m) }

// finish waits for the client to close the connection: it does when it has read why.
func (c *streamChannel) finish() <-chan struct{} {
	c.stream.Close()
	return c.conn.Done()
}

// control answers the messages of a connection until it ends. Only this goroutine writes to the channel:
// whatever a relay says unasked travels as urgent messages.
func (ep *Endpoint) control(c controlChannel, a *attachment) {
	limit := rate.NewLimiter(rate.Limit(ep.config.ControlRate), int(10*ep.config.ControlRate)+1)
	if a.session.purpose() != forClient {
		c.readUntil(time.Time{}) // it says nothing more, so that the time to Hello must not end it
	} else {
		c.readUntil(time.Now().Add(handshakeTimeout)) // for the Join
	}
	for {
		m, err := c.read(ep.config.MaxMessage)
		if err != nil {
			if refused := new(wire.Refused); errors.As(refusedFor(err), &refused) {
				ep.refuse(c, refused)
			}
			return
		}
		if !limit.Allow() {
			ep.drops.Add(drops.ControlRate, 1)
			ep.refuse(c, &wire.Refused{Code: wire.CodeRate})
			return
		}
		if unknown, ok := m.(*wire.UnknownMessage); ok {
			ep.log.Debug("skipped an unknown message", "name", unknown.Name)
			continue
		}
		reply := ep.answer(a.session, m)
		if refused, ok := reply.(*wire.Refused); ok {
			ep.refuse(c, refused)
			a.session.End(wire.CloseRefused)
			return
		}
		if reply != nil {
			if err := c.write(reply); err != nil {
				return
			}
		}
		c.readUntil(time.Time{}) // the connection's own idle timeout is enough from here on
	}
}

// refuse tells the client why, and gives it a moment to read it before the connection closes.
func (ep *Endpoint) refuse(c controlChannel, refused *wire.Refused) {
	_ = c.write(refused) // the client is told if it can be
	select {
	case <-c.finish():
	case <-time.After(3 * time.Second):
	case <-ep.ctx.Done():
	}
}

// writeMessage writes one control message; a remote that does not read is given up.
func writeMessage(stream messageStream, m wire.Message) error {
	p, err := wire.AppendMessage(nil, m)
	if err != nil {
		return err
	}
	stream.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	_, err = stream.Write(p)
	return err
}
