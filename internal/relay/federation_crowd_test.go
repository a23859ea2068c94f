//go:build !race

package relay

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestInventedHomesFillNoRoom has a peer fill a room's places, and its aliases, with members of relays that
// it made up. Members of an honest peer who come later are shown and heard, and those who talk change their
// keys.
func TestInventedHomesFillNoRoom(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		var ghosts []wire.MemberID
		for n := range 3 {
			h := s.home(newIdentity(byte(100 + n)))
			entries := h.entries(globalRoom, 700)
			for _, entry := range entries {
				ghosts = append(ghosts, wire.EntryID(entry))
			}
			s.rogue.brings(h, globalRoom, entries, s.rogue.id(), h.id())
			members := float64(min(2000, 1+700*(n+1)))
			s.eventually("they are there", time.Minute,
				func() bool { return s.victim.metric("remote_members") == members })
		}
		heard := func(what string, p, q *person, stream uint8) {
			t.Helper()
			q.say(q.kid(stream), 20+uint16(stream), 0, 10)
			time.Sleep(200 * time.Millisecond)
			if got := p.ears.heard(q.kid(stream)); got != 10 {
				t.Errorf("%s: %d of 10 frames were heard", what, got)
			}
		}
		d := s.honest.joined(globalRoom)
		s.eventually("who comes later is shown", 5*time.Second,
			func() bool { return slices.Contains(s.a.list(), d.member) })
		heard("who comes later", s.a, d, 0)
		s.victim.says("a full room", "level=WARN", "members", "peer=rogue", "room="+globalRoom)

		for n, id := range ghosts {
			for stream := range uint8(3) {
				s.rogue.media(uint16(n*3+int(stream))%wire.MaxAliases, globalRoom,
					wire.MakeKID(id, stream, 0), 0, 1)
			}
			if n%300 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Second)
		for change := range uint8(8) {
			heard("a new key of a far talker", s.a, s.c, 10+change)
			heard("a new key of who came later", s.b, d, 10+change)
			heard("a new key of a local talker", s.b, s.a, 10+change)
			heard("a new key of a local talker, far away", s.c, s.a, 20+change)
			time.Sleep(time.Second)
		}
		s.victim.says("all aliases", "level=WARN", "so many streams in a room", "peer=rogue",
			"room="+globalRoom)
		s.blamed = true // to the honest relay it is the victim by whom they come
	})
}
