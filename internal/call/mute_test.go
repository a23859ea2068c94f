package call

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// garbage sends n frames in the name of a member, each of another stream and none of which authenticates.
func (h *hostile) garbage(kid wire.KID, n int) {
	for i := range n {
		kid := wire.MakeKID(kid.Member(), uint8(100+i), kid.Epoch())
		h.send(uint16(1000+i), wire.Media{KID: kid, CTR: 1, Ciphertext: make([]byte, 40)})
	}
}

// TestGarbageMutesNobody wants somebody who talks to be heard whatever else comes in their name, and nobody
// to be warned.
func TestGarbageMutesNobody(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		h.meet(s)
		first := s.frames(t, 50)
		h.talk(100, first)
		h.garbage(first[0].KID, 40)
		time.Sleep(time.Second)
		a.mix.take()
		h.talk(100, s.frames(t, 50))
		time.Sleep(500 * time.Millisecond)
		if ms := sounding(a.mix.take()); ms < 900 {
			t.Errorf("heard for %d of 1000 ms after garbage", ms)
		}
		for range 15 * 50 { // a garbage frame with each genuine one
			h.garbage(first[0].KID, 1)
			h.talk(100, s.frames(t, 1))
		}
		if ms := sounding(a.mix.take()); ms < 14_000 {
			t.Errorf("heard for %d of 15,000 ms beside garbage", ms)
		}
		if warned := a.warned(WarnNoKey); len(warned) > 0 {
			t.Errorf("warned %q of who is heard", warned)
		}
	})
}

// TestManyPublications wants whichever of a member's streams sounds to be heard, however many there were.
func TestManyPublications(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		h.meet(s)
		h.talk(100, s.frames(t, 5))
		first := s.sealer
		for i := range 40 {
			s.newStream(t, uint8(1+i))
			h.talk(uint16(i), s.frames(t, 5))
		}
		time.Sleep(time.Second)
		a.mix.take()
		s.sealer = first
		h.talk(100, s.frames(t, 50))
		time.Sleep(500 * time.Millisecond)
		if ms := sounding(a.mix.take()); ms < 900 {
			t.Errorf("heard for %d of 1000 ms of the first one", ms)
		}
	})
}

// TestReplayedViews wants what a talker saw once to be believed once, also after the relay has claimed that
// it left and came back.
func TestReplayedViews(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		s := h.stranger(50, "eve", "r")
		a := l.joined("anna", "r")
		h.meet(s)
		time.Sleep(time.Second)
		views, err := s.talker.Stream(wire.ViewStream)
		if err != nil {
			t.Fatal(err)
		}
		say := func(digest [32]byte) wire.Media {
			kid, ctr, ciphertext, err := views.Seal(nil, wire.AppendView(nil, wire.View{Members: digest}))
			if err != nil {
				t.Fatal(err)
			}
			m := wire.Media{KID: kid, CTR: ctr, Ciphertext: ciphertext}
			h.send(200, m)
			time.Sleep(time.Second)
			return m
		}
		old := say([32]byte{1}) // of another moment
		say(e2ee.DigestMembers([]wire.EntryHash{wire.HashEntry(s.entry), a.room.keeper.self}))
		listed := h.answer
		h.answer = func(m wire.Message) wire.Message {
			if _, ok := m.(*wire.Members); ok {
				return &wire.MemberPage{Entries: [][]byte{s.entry}}
			}
			return listed(m)
		}
		h.tell(wire.UrgentMembersLeft, wire.AppendMembersLeft(nil, s.id))
		time.Sleep(100 * time.Millisecond)
		h.tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, s.entry))
		time.Sleep(time.Second)
		if len(a.room.Members()) != 1 {
			t.Fatal("eve is not back")
		}
		h.send(200, old)
		h.send(201, old) // by another alias
		time.Sleep(15 * time.Second)
		if warned := a.warned(WarnMembers); len(warned) > 0 {
			t.Errorf("warned %q of what was said before", warned)
		}
	})
}
