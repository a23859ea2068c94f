package peer

import (
	"errors"
	"sync"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// maxOutbox bounds the messages of one link that wait for their turn. What tells of parts has bounds of its
// own, so that is many times what there can be; a peer that lets so much pile up does not read, and the link
// ends.
const maxOutbox = 8192

// outbox is a queue of urgent messages in front of a session, which has at most wire.UrgentUnderWay under
// way.
//
//	add ──> queue, FIFO, at most maxOutbox ──> SendUrgentThen, while the session has room ──> the peer
//	                                 ^                                                          |
//	                                 +──────────────────── done: there is room again <──────────+
//
// It is safe for concurrent use.
type outbox struct {
	send func(kind wire.UrgentKind, body []byte, done func(acked bool)) error // Session.SendUrgentThen

	mu      sync.Mutex // guards what follows; nothing is sent with it held
	queue   []outMessage
	feeding bool // somebody gives the session what it has room for: one goroutine, so that the order is kept
	again   bool // there may be room now
	closed  bool
}

type outMessage struct {
	kind wire.UrgentKind
	body []byte
	then func()
}

// put puts a message at the end of the queue; body is kept. It reports false when there is no room for it.
// Then, unless nil, is called when the peer has acknowledged the message, on a goroutine that receives and
// holds no lock.
func (o *outbox) put(kind wire.UrgentKind, body []byte, then func()) (ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(body) > wire.MaxUrgent {
		return true // more room would not help
	}
	if len(o.queue) >= maxOutbox {
		return false
	}
	o.queue = append(o.queue, outMessage{kind, body, then})
	return true
}

// feed gives the session what it has room for, unless somebody is about that already: who is tries again
// then.
func (o *outbox) feed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.again = true
	if o.feeding {
		return
	}
	o.feeding = true
	for o.again && len(o.queue) > 0 {
		m := o.queue[0]
		o.again = false
		o.mu.Unlock()
		err := o.send(m.kind, m.body, func(acked bool) {
			if o.feed(); acked && m.then != nil {
				m.then()
			}
		})
		o.mu.Lock()
		o.sentLocked(err)
	}
	o.feeding = false
}

// sentLocked notes whether the session took the oldest message. The caller holds o.mu.
func (o *outbox) sentLocked(err error) {
	switch {
	case o.closed:
	case err == nil:
		o.queue[0] = outMessage{}
		o.queue = o.queue[1:]
		o.again = true
	case !errors.Is(err, link.ErrUrgentFull): // the session is over, and soon the link
		o.closeLocked()
	}
}

// close drops what waits, and what comes later.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeLocked()
}

func (o *outbox) closeLocked() {
	o.closed = true
	o.queue = nil
}
