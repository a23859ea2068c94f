package federation

import (
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// errNoRoute is returned when there is no way to a member.
var errNoRoute = errors.New("federation: there is no route to the member's relay")

const (
	// parkFor is for how long a message waits that cannot be used yet: news of joins may be overtaken by the
	// keys of those who joined, and a recipient's link may be full.
	parkFor = 3 * time.Second
	// parkEvery is how often such messages are tried again.
	parkEvery = 100 * time.Millisecond
	// maxParked and maxParkedOf bound those of one link, and of one member who sends them. The oldest give
	// way: who lacks a key asks again.
	maxParked   = 128
	maxParkedOf = 16
)

// parked is a message that waits. It is not left with the peer that sent it: that could not send anything
// else then, and has mostly not made it.
type parked struct {
	message *wire.FederationMessage
	by      []wire.MemberID // at least one
	since   time.Time
}

// route sends a message towards a member's home; from is who it came from, nil for one of ours. It takes no
// lock of Federation, for it is called where packets are received, too.
func (f *Federation) route(m *wire.FederationMessage, home wire.RelayID, from *livePeer) error {
	to := f.ways.next(home, m.Room)
	if to == nil || to == from {
		f.rooms.Drops.Add(drops.KeyNoWay, 1)
		return errNoRoute
	}
	f.stats.messages.Add(1)
	to.link.Send(wire.UrgentFederationMessage, wire.Append(nil, m), nil)
	return nil
}

// message takes what a peer sends for a member.
func (f *Federation) message(n *livePeer, body []byte, now time.Time) {
	m, err := wire.Parse[wire.FederationMessage](body)
	var by []wire.MemberID
	if err == nil {
		by, err = speakers(&m)
	}
	if err != nil {
		f.problem(n.id, "a message cannot be read", err.Error())
		return
	}
	if !f.handle(n, &m, by, now) {
		f.park(n, parked{&m, by, now}, now)
	}
}

// speakers returns in whose names a message speaks, at least one: the talker whose key it is, the recipient
// who has got it, those who lack one.
func speakers(m *wire.FederationMessage) ([]wire.MemberID, error) {
	switch m.Kind {
	case wire.UrgentKey:
		key, err := wire.Parse[wire.Key](m.Body)
		return []wire.MemberID{key.Sender}, err
	case wire.UrgentKeyReceived:
		received, err := wire.Parse[wire.KeyReceived](m.Body)
		return []wire.MemberID{received.From}, err
	default:
		return wire.ParseKeysWanted(m.Body)
	}
}

// handle delivers a message to a local member, or sends it on; done: or drops and counts it, else it cannot
// be used yet. Both only if it came the way that the media of those comes in whose names it speaks: a relay
// that is not on that way cannot speak for them.
func (f *Federation) handle(n *livePeer, m *wire.FederationMessage, by []wire.MemberID,
	now time.Time) (done bool) {
	b := f.bridged[m.Room]
	if b == nil {
		f.rooms.Drops.Add(drops.RoomNotFound, 1)
		return true
	}
	to := f.rooms.Find(b.name, m.To)
	known := 0
	for _, id := range by {
		speaker := f.rooms.Find(b.name, id)
		if speaker == nil {
			continue
		}
		known++
		if speaker.Home() == (wire.RelayID{}) || !f.ways.passage(speaker.Home(), m.Room).from(n.id, now) {
			f.refuse(n, "a message in the name of a member whom it does not speak for")
			return true
		}
	}
	if to == nil || known == 0 {
		return false
	}
	if to.Home() != (wire.RelayID{}) {
		if m.Hops > 1 {
			onward := *m
			onward.Hops--
			_ = f.route(&onward, to.Home(), n) // what cannot be sent on is counted there
		}
		return true
	}
	return f.deliver(b.name, to, m, by, now)
}

// deliver gives a message to a local member.
func (f *Federation) deliver(name string, to *room.Member, m *wire.FederationMessage, by []wire.MemberID,
	now time.Time) (done bool) {
	switch m.Kind {
	case wire.UrgentKey:
		if talker := f.rooms.Find(name, by[0]); talker == nil || !f.key(talker, to, m, now) {
			return false
		}
	case wire.UrgentKeysWanted:
		to.KeyWantedBy(m.Body, now)
	case wire.UrgentKeyReceived:
		if received, err := wire.Parse[wire.KeyReceived](m.Body); err == nil {
			to.KeyReceived(received.Number, received.From)
		}
	}
	return true
}

// key passes a talker's key to a local recipient, whose acknowledgement goes back to the talker.
func (f *Federation) key(talker, to *room.Member, m *wire.FederationMessage, now time.Time) (taken bool) {
	key, err := wire.Parse[wire.Key](m.Body)
	if err != nil {
		return true
	}
	hash, number := m.Room, key.Key.Number
	return talker.PassKey(m.Body, to.ID, func() {
		received := wire.KeyReceived{From: to.ID, Number: number}
		_ = f.route(&wire.FederationMessage{ // counted, if there is no way; the talker gives up waiting
			Hops: wire.MaxHops, Room: hash, To: talker.ID,
			Kind: wire.UrgentKeyReceived, Body: wire.Append(nil, &received),
		}, talker.Home(), nil)
	}, now)
}

// park keeps a message for a moment.
func (f *Federation) park(p *livePeer, m parked, now time.Time) {
	same, oldest := 0, 0
	for i, other := range p.parked {
		if other.by[0] == m.by[0] {
			if same == 0 {
				oldest = i
			}
			same++
		}
	}
	switch {
	case same >= maxParkedOf:
		p.parked = slices.Delete(p.parked, oldest, oldest+1)
		f.rooms.Drops.Add(drops.KeyNoWay, 1)
	case len(p.parked) >= maxParked:
		p.parked = slices.Delete(p.parked, 0, 1)
		f.rooms.Drops.Add(drops.KeyNoWay, 1)
	}
	p.parked = append(p.parked, m)
	if _, waits := f.parked[p]; !waits {
		f.parked[p] = now
	}
}

// retryParked tries again what is parked of a peer. It returns when to do so next; zero: nothing waits.
func (f *Federation) retryParked(p *livePeer, now time.Time) (again time.Time) {
	p.parked = slices.DeleteFunc(p.parked, func(m parked) bool {
		if now.Sub(m.since) >= parkFor {
			f.rooms.Drops.Add(drops.KeyNoWay, 1)
			return true
		}
		return f.handle(p, m.message, m.by, now)
	})
	if len(p.parked) > 0 {
		again = now.Add(parkEvery)
	}
	return again
}
