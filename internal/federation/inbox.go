package federation

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxInbox bounds the urgent messages of one peer that wait for run: more are not taken, and come again.
	maxInbox = 256
	// readMost is how many run takes at a time, before it does what else is due.
	readMost = 64
)

// inbox is what came over one link and waits for run: who receives packets has members of this relay to
// serve, and a signature takes as long to check as a packet does to reach hundreds. The zero value is empty.
type inbox struct {
	mu       sync.Mutex // guards what follows
	messages []inMessage
	receipts []routing.Receipt // of messages of ours: of at most as many as can be under way
	closed   bool
	refused  uint64 // messages for which there was no room
}

type inMessage struct {
	kind wire.UrgentKind
	body []byte
}

// put queues an urgent message, which is copied. It is not taken when too many wait.
func (in *inbox) put(kind wire.UrgentKind, body []byte) (taken bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.closed:
		return false
	case len(in.messages) >= maxInbox:
		in.refused++
		return false
	}
	in.messages = append(in.messages, inMessage{kind, slices.Clone(body)})
	return true
}

// acked queues the receipt of a message of ours.
func (in *inbox) acked(r routing.Receipt) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closed {
		in.receipts = append(in.receipts, r)
	}
}

// next returns the receipts, and the oldest message if there is one. more: another one waits.
func (in *inbox) next() (receipts []routing.Receipt, m inMessage, ok, more bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	receipts, in.receipts = in.receipts, nil
	if len(in.messages) > 0 {
		m, ok = in.messages[0], true
		in.messages[0] = inMessage{}
		in.messages = in.messages[1:]
	}
	return receipts, m, ok, len(in.messages) > 0
}

// close forgets what waits, and takes nothing more.
func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.messages, in.receipts = true, nil, nil
}

// limited returns how many messages were not taken.
func (in *inbox) limited() uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.refused
}

// hear gives the table what peers have said, one message of each in turn. It reports whether more waits.
func (f *Federation) readInboxes(now time.Time) (more bool) {
	live := slices.Collect(maps.Values(f.live))
	for taken := 0; len(live) > 0; {
		live = slices.DeleteFunc(live, func(p *livePeer) bool {
			receipts, m, ok, left := p.inbox.next()
			for _, r := range receipts {
				f.decide(func() { f.table.Acked(p.id, r, now) })
			}
			switch {
			case !ok:
			case m.kind == wire.UrgentFederationMessage:
				f.message(p, m.body, now)
			default:
				f.decide(func() { f.table.Receive(p.id, m.kind, m.body, now) })
			}
			taken++
			return !left
		})
		if taken >= readMost && len(live) > 0 {
			return true
		}
		f.readNews(now) // a link that is down is not to wait for what others say
	}
	return false
}
