package call

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// TestGhostWithoutALeave shows a ghost to bert only, and nobody leaves, so that nobody makes a fresh key:
// what they say of their views in their media warns both. A list that never ends hides nothing either.
func TestGhostWithoutALeave(t *testing.T) {
	for name, stall := range map[string]bool{"list comes": false, "list never ends": true} {
		t.Run(name, func(t *testing.T) {
			inSpied(t, func(l *lab, s *spy) {
				a, b := l.joined("anna", "r"), l.joined("bert", "r")
				a.hum(annas)
				b.hum(berts)
				muted(12*time.Second, a, b)
				before := b.room.SafetyNumber()
				g := l.ghost(newIdentity(201), "ghost", "r", nil)
				to := s.of(b)
				h := hooks{shows: func(p *tapped, entry []byte) bool {
					return p == to ||
						!slices.Equal(entry, g.entry)
				}}
				if stall { // each page comes after 1.5 s and is followed by another one
					h.answer = func(p *tapped, _, answer wire.Message) wire.Message {
						page, ok := answer.(*wire.MemberPage)
						if p != to || !ok {
							return answer
						}
						time.Sleep(1500 * time.Millisecond)
						page.Next = &wire.MemberID{1}
						return page
					}
				}
				s.set(h)
				if stall {
					to.tell(wire.UrgentRefetch, nil)
					time.Sleep(time.Second)
				}
				s.haunt(g, to)
				// 3 s until anna says what she sees, after 3 s that may differ, 10 s
				time.Sleep(17 * time.Second)
				if len(a.warned(differing...)) == 0 || len(b.warned(differing...)) == 0 {
					t.Errorf("anna was warned %v, bert %v", a.warned(differing...), b.warned(differing...))
				}
				if now := b.room.SafetyNumber(); now == before || now == a.room.SafetyNumber() {
					t.Errorf("bert's safety number %q was %q, anna's is %q", now, before,
						a.room.SafetyNumber())
				}
			})
		})
	}
}

// TestForgedFramesOfManyStreams wants frames that do not open to leave nothing behind.
func TestForgedFramesOfManyStreams(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		h.meet(s)
		frames := s.frames(t, 3)
		h.talk(100, frames)
		time.Sleep(20 * time.Second)
		kid := frames[0].KID
		for i := range 5000 {
			kid := wire.MakeKID(kid.Member(), uint8(1+i%200), kid.Epoch())
			h.send(uint16(i%wire.MaxAliases), wire.Media{KID: kid, CTR: 1, Ciphertext: make([]byte, 20)})
			if i%50 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		hearing := a.room.hearing
		hearing.mu.Lock()
		defer hearing.mu.Unlock()
		if len(hearing.streams) != 1 || len(hearing.history) != 1 || len(hearing.talkers) != 1 ||
			hearing.heldBytes != 0 {
			t.Errorf("%d streams, %d talkers, %d bytes", len(hearing.streams), len(hearing.talkers),
				hearing.heldBytes)
		}
		if n := hearing.forged; n != 5000 {
			t.Errorf("%d forged frames were counted", n)
		}
	})
}

// TestKeyKeptBack wants a warning when a relay keeps a key back, also if it repeats a frame of before all the
// time.
func TestKeyKeptBack(t *testing.T) {
	for name, replay := range map[string]bool{"quiet": false, "old frames": true} {
		t.Run(name, func(t *testing.T) {
			inNetwork(t, func(l *lab) {
				h := l.hostile()
				a := l.joined("anna", "r")
				s := h.stranger(50, "eve", "r")
				h.meet(s)
				old := s.frames(t, 5)
				h.talk(100, old)
				time.Sleep(time.Second)
				s.talker.SetMembers(nil) // a fresh key, which anna does not get
				s.talker.Step(time.Now().Add(time.Hour))
				s.talker.Step(time.Now().Add(2 * time.Hour))
				for range 13 {
					h.talk(101, s.frames(t, 50))
					if replay {
						h.send(100, old[4])
					}
				}
				if len(a.warned(WarnNoKey)) == 0 {
					t.Error("anna was not warned")
				}
			})
		})
	}
}

// TestFullHistory wants nothing to be played twice, however many streams were heard before, and those of
// today to be heard.
func TestFullHistory(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		h.meet(s)
		said := s.frames(t, 50)
		h.talk(100, said)
		time.Sleep(time.Minute)
		if ms := sounding(a.mix.take()); ms < 900 {
			t.Errorf("%d ms were heard", ms)
		}
		hearing := a.room.hearing
		fill := func() {
			hearing.mu.Lock()
			defer hearing.mu.Unlock()
			var n news
			for i := range maxStreams / 2 {
				hearing.streamLocked(&talker{id: wire.MemberID{9, byte(i >> 8), byte(i)}}, 1,
					&n).sounded = a.room.hearing.clock.now()
				hearing.streamLocked(&talker{id: wire.MemberID{9, byte(i >> 8), byte(i)}}, 2,
					&n).sounded = a.room.hearing.clock.now()
			}
			if len(hearing.streams) != maxStreams || len(hearing.history) != maxStreams ||
				hearing.streams[streamID{s.id, 0}] != nil {
				t.Errorf("%d streams are remembered", len(hearing.streams))
			}
		}
		fill()
		h.talk(100, said)
		h.tell(wire.UrgentMembersLeft, wire.AppendMembersLeft(nil, s.id))
		time.Sleep(100 * time.Millisecond)
		h.talk(101, said)
		time.Sleep(time.Second)
		if ms := sounding(a.mix.take()); ms > 0 {
			t.Errorf("%d ms were played again", ms)
		}
		time.Sleep(doubtTime)
		s.talker.Wanted(a.room.ID()) // the same key again
		h.meet(s)
		h.talk(100, said)
		h.talk(100, s.frames(t, 50))
		time.Sleep(time.Second)
		if ms := sounding(a.mix.take()); ms < 900 || ms > 1200 {
			t.Errorf("%d of 1000 ms were heard of who was forgotten", ms)
		}
	})
}

// TestNotHeardAfterLeaving wants who is not in the list not to be heard.
func TestNotHeardAfterLeaving(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		h.meet(s)
		h.talk(100, s.frames(t, 50))
		h.tell(wire.UrgentMembersLeft, wire.AppendMembersLeft(nil, s.id))
		time.Sleep(streamTail + time.Second)
		for second := range 10 {
			a.mix.take()
			h.talk(100, s.frames(t, 50))
			if ms := sounding(a.mix.take()); ms > 0 || len(a.room.Streams()) > 0 {
				t.Fatalf("%d s later: %d ms heard, %d streams", second, ms, len(a.room.Streams()))
			}
		}
	})
}

// TestViewsKeptBack wants a warning when a relay drops all that a talker says of what it sees.
func TestViewsKeptBack(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r") // who never says it
		h.meet(s)
		h.talk(100, s.frames(t, maxUnseen-1))
		if warned := a.warned(WarnMembers); len(warned) > 0 {
			t.Errorf("warned %v too early", warned)
		}
		h.talk(100, s.frames(t, 10))
		if len(a.warned(WarnMembers)) == 0 {
			t.Error("anna was not warned")
		}
	})
}
