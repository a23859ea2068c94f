package federation

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// What a peer sends for a member may hold anything: that nobody speaks in it is an error, and no more.
func TestUnreadableMessages(t *testing.T) {
	for _, kind := range []wire.UrgentKind{wire.UrgentKey, wire.UrgentKeyReceived, wire.UrgentKeysWanted} {
		for n := range 9 {
			if by, err := speakers(&wire.FederationMessage{Kind: kind,
				Body: make([]byte, n)}); err == nil && n != 6 {
				t.Errorf("%v of %d bytes: spoken by %v", kind, n, by)
			}
		}
	}
}

// What waits of a link that another has replaced is not taken for what the new one brings: both count their
// messages from 0.
func TestInboxOfAReplacedLink(t *testing.T) {
	f := New(Options{Identity: identity.SeedFromBytes([identity.SeedSize]byte{1}).Identity(),
		Rooms: room.NewRooms(room.Limits{MemberRate: 32_000, RoomRate: 250_000})})
	id := wire.RelayID{1}
	before, after := &livePeer{id: id}, &livePeer{id: id}
	f.live[id] = before
	for range 3 {
		before.inbox.put(wire.UrgentFederationWant, nil)
	}
	f.later(func(time.Time) { f.live[id] = after })
	if f.readInboxes(time.Now()) {
		t.Error("more waits")
	}
	if _, ok, more := before.inbox.next(); !ok || more {
		t.Errorf("of three messages the first alone is read before the other link is there: %t, %t", ok, more)
	}
}
