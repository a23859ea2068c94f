package call

import (
	"context"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// bearer is what carries a room: a session of its own with a relay, or the path of a call.
type bearer interface {
	// Session is what media goes by now. After the relay was restarted it is another one.
	Session() *link.Session
	// Talks reports whether media may go now.
	Talks() bool
	// SendUrgentThen sends what the room says about keys; acked, unless nil, is told whether it arrived.
	SendUrgentThen(kind wire.UrgentKind, body []byte, acked func(bool)) error
	// Request asks for the list of members.
	Request(ctx context.Context, m wire.Message) (wire.Message, error)
	// Close leaves, and waits for the end.
	Close() error
	// Done is closed at the end; Err then says why, link.ErrClosed after Close.
	Done() <-chan struct{}
	Err() error
}

// roomLink is the bearer of a room at a relay.
type roomLink struct{ *link.Client }

// Talks implements bearer.
func (roomLink) Talks() bool { return true }

// SendUrgentThen implements bearer.
func (l roomLink) SendUrgentThen(kind wire.UrgentKind, body []byte, acked func(bool)) error {
	return l.Session().SendUrgentThen(kind, body, acked)
}
