package federation

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxInbox bounds the urgent messages of one peer that wait for run: more are not accepted, and come
	// again.
	maxInbox = 256
	// readMost is how many run reads at a time, before it does what else is due.
	readMost = 64
)

// inbox is what came over one link and waits for run: who receives packets has members of this relay to
// serve, and a signature takes as long to check as a packet does to reach hundreds. The zero value is empty.
type inbox struct {
	mu       sync.Mutex // guards what follows
	messages []inMessage
	refused  uint64 // messages for which there was no room
}

type inMessage struct {
	kind wire.UrgentKind
	body []byte
}

// put queues an urgent message, which is copied. It is not accepted when too many wait.
func (in *inbox) put(kind wire.UrgentKind, body []byte) (accepted bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.messages) >= maxInbox {
		in.refused++
		return false
	}
	in.messages = append(in.messages, inMessage{kind, slices.Clone(body)})
	return true
}

// next returns the oldest message if there is one. more: another one waits.
func (in *inbox) next() (m inMessage, ok, more bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.messages) > 0 {
		m, ok = in.messages[0], true
		in.messages[0] = inMessage{}
		in.messages = in.messages[1:]
	}
	return m, ok, len(in.messages) > 0
}

// limited returns how many messages were not accepted.
func (in *inbox) limited() uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.refused
}

// readInboxes gives the table what peers have said, one message of each in turn. It reports whether more
// waits.
func (f *Federation) readInboxes(now time.Time) (more bool) {
	live := slices.Collect(maps.Values(f.live))
	for read := 0; len(live) > 0; {
		live = slices.DeleteFunc(live, func(p *livePeer) bool {
			m, ok, left := p.inbox.next()
			switch {
			case f.live[p.id] != p:
				return true // another link took its place: what this one had to say, that one says anew
			case !ok:
			case m.kind == wire.UrgentFederationMessage:
				f.message(p, m.body, now)
			case callpath.Kind(m.kind):
				from := callpath.PeerLeg(p.id)
				f.decideCalls(func(t *callpath.Table) { t.Receive(from, m.kind, m.body, now) })
			case presence.Kind(m.kind):
				f.decidePresence(func() { f.who.Receive(p.id, m.kind, m.body, now) })
			case m.kind == wire.UrgentRouteQuery, m.kind == wire.UrgentRouteResponse:
				f.receiveRoutes(p, m, now)
			default:
				f.decide(func() { f.table.Receive(p.id, m.kind, m.body, now) })
			}
			read++
			return !left
		})
		if read >= readMost && len(live) > 0 {
			return true
		}
		f.readNews(now) // a link that is down is not to wait for what others say
	}
	return false
}
