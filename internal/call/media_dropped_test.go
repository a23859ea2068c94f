package call

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestMediaDropped wants what the relay says of media that it drops to be told, and its end once, and bad
// messages to be nothing.
func TestMediaDropped(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		time.Sleep(time.Second)
		for _, m := range []wire.MediaDropped{
			{}, {Reason: wire.DropRoomRate, Dropped: 5, Sent: 50}, {Reason: 77, Dropped: 1, Sent: 1}, {}, {},
		} {
			h.tell(wire.UrgentMediaDropped, wire.Append(nil, &m))
			time.Sleep(time.Second)
		}
		h.tell(wire.UrgentMediaDropped, []byte{1})
		time.Sleep(time.Second)
		var got []MediaDropped
		a.mu.Lock()
		for _, e := range a.events {
			if e, ok := e.(MediaDropped); ok {
				got = append(got, e)
			}
		}
		a.mu.Unlock()
		want := []MediaDropped{
			{Code: "room_rate", Text: "too many people talk in the room at once", Dropped: 5, Sent: 50},
			{Code: "other", Text: "for a reason that this version does not know", Dropped: 1, Sent: 1},
			{Over: true},
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v", got)
		}
	})
}
