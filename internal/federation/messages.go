package federation

import (
	"errors"
	"time"

	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/wire"
)

// errNoRoute is returned when there is no way to a member.
var errNoRoute = errors.New("federation: there is no route to the member's relay")

// patience is for how long a message for somebody who was not announced yet is left with its sender: news of joins may
// be overtaken by the keys of those who joined.
const patience = 3 * time.Second

// maxWaiting bounds the messages of one link that are left so.
const maxWaiting = 256

// waitingKey names a message that waits for news of a member.
type waitingKey struct {
	room wire.RoomHash
	id   wire.MemberID
}

// unknown says whether to take, and drop, a message about a member who is not known: the first times it is not, for the
// member may still be announced.
func (e *events) unknown(n *partner, key waitingKey, now time.Time) (taken bool) {
	since, known := n.waiting[key]
	switch {
	case !known && len(n.waiting) < maxWaiting:
		n.waiting[key] = now
		return false
	case known && now.Sub(since) < patience:
		return false
	}
	for k, since := range n.waiting {
		if now.Sub(since) >= 2*patience {
			delete(n.waiting, k)
		}
	}
	e.stats.messagesLost.Add(1)
	return true
}

// route sends a message towards a member's home.
func (f *Federation) route(m *wire.FederationMessage, home wire.RelayID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.routeLocked(m, home, nil)
}

// routeLocked is route; from is the link that the message came by. The caller holds f.mu.
func (f *Federation) routeLocked(m *wire.FederationMessage, home wire.RelayID, from *partner) error {
	next, ok := f.table.nextHop(home, m.Room)
	to := f.partners[next]
	if !ok || to == nil || to == from {
		f.stats.messagesLost.Add(1)
		return errNoRoute
	}
	f.stats.messages.Add(1)
	to.link.send(wire.UrgentFederationMessage, wire.AppendFederationMessage(nil, m))
	return nil
}

// message handles what a peer sends for a member: it is given to the member, or sent on.
func (e *events) message(n *partner, body []byte, now time.Time) (taken bool) {
	f := (*Federation)(e)
	m, err := wire.ParseFederationMessage(body)
	f.mu.Lock()
	if err != nil {
		(*actions)(f).problem(n.link.id, "a message cannot be read", err.Error())
		f.mu.Unlock()
		return true
	}
	b := f.bridged[m.Room]
	if b == nil {
		f.stats.roomNotFound.Add(1)
		f.mu.Unlock()
		return true
	}
	to := f.rooms.Find(b.name, m.To)
	switch {
	case to == nil:
		defer f.mu.Unlock()
		return e.unknown(n, waitingKey{m.Room, m.To}, now)
	case to.Home() != (wire.RelayID{}):
		defer f.mu.Unlock()
		if m.Hops--; m.Hops > 0 {
			f.routeLocked(m, to.Home(), n) // what cannot be sent on is counted there
		}
		return true
	}
	f.mu.Unlock() // what follows takes the locks of a room, whose own messages come here by route
	return e.deliver(n, b.name, to, m, now)
}

// deliver gives a message to a local member.
func (e *events) deliver(n *partner, name string, to *room.Member, m *wire.FederationMessage, now time.Time) (taken bool) {
	switch m.Kind {
	case wire.UrgentKey:
		return e.key(n, name, to, m, now)
	case wire.UrgentKeysWanted:
		e.keysWanted(n, name, to, m, now)
	case wire.UrgentKeyReceived:
		received, err := wire.ParseKeyReceived(m.Body)
		if err == nil && e.speaksFor(n, name, e.rooms.Find(name, received.From), now) {
			to.KeyReceived(received.Number, received.From)
		}
	}
	return true
}

// speaksFor reports whether what a peer says in the name of a remote member may be true: it came the way that the
// member's media comes.
func (e *events) speaksFor(n *partner, name string, m *room.Member, now time.Time) bool {
	if m == nil || m.Home() == (wire.RelayID{}) {
		return false
	}
	e.mu.Lock()
	ok := e.table.parent(m.Home(), wire.HashRoom(name), n.link.id, now)
	e.mu.Unlock()
	if !ok {
		e.stats.refused.Add(1)
	}
	return ok
}

// key passes a talker's key to a local recipient, whose acknowledgement goes back to the talker.
func (e *events) key(n *partner, name string, to *room.Member, m *wire.FederationMessage, now time.Time) (taken bool) {
	key, err := wire.ParseKey(m.Body)
	if err != nil {
		return true
	}
	talker := e.rooms.Find(name, key.Sender)
	if talker == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.unknown(n, waitingKey{m.Room, key.Sender}, now)
	}
	if !e.speaksFor(n, name, talker, now) {
		return true
	}
	number, from := key.Key.Number, to.ID
	return talker.PassKey(m.Body, to.ID, func(acked bool) {
		if !acked {
			return
		}
		received := wire.KeyReceived{From: from, Number: number}
		_ = (*Federation)(e).route(&wire.FederationMessage{ // counted, if there is no way; the talker gives up waiting
			Hops: wire.MaxHops, Room: m.Room, To: talker.ID, Kind: wire.UrgentKeyReceived, Body: wire.AppendKeyReceived(nil, &received),
		}, talker.Home())
	}, now)
}

// keysWanted notes that members elsewhere lack a local talker's key.
func (e *events) keysWanted(n *partner, name string, talker *room.Member, m *wire.FederationMessage, now time.Time) {
	ids, err := wire.ParseKeysWanted(m.Body)
	if err != nil {
		return
	}
	asking := make([]wire.MemberID, 0, len(ids))
	for _, id := range ids {
		if e.speaksFor(n, name, e.rooms.Find(name, id), now) {
			asking = append(asking, id)
		}
	}
	if len(asking) > 0 {
		talker.KeyWantedBy(wire.AppendKeysWanted(nil, asking...), now)
	}
}
