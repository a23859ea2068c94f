package relay

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// wantCut wants the log to say that the rogue sent too much, then that it was cut, and the rogue to be
// refused for a while and not for ever.
func (s *siege) wantCut(limit string) {
	s.t.Helper()
	s.victim.says("throttled", "level=WARN", "a peer sends too much", "peer=rogue", limit)
	s.victim.says("cut", "level=WARN", "a peer link is down", "label=rogue", limit)
	if status := s.victim.status("rogue"); status.Up {
		s.t.Errorf("the rogue is still a peer: %+v", status)
	}
	if err := s.rogue.dial(s.victim); err == nil {
		s.t.Error("the rogue is a peer again at once")
	}
	time.Sleep(5 * time.Minute)
	if err := s.rogue.dial(s.victim); err != nil {
		s.t.Errorf("the rogue is refused for ever: %v", err)
	}
}

// TestMediaFlood has a peer send far more media than it may, in the name of a member of its own.
func TestMediaFlood(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		own := s.home(s.rogue.key)
		entries := own.entries(globalRoom, 1)
		s.rogue.announces(own, globalRoom, entries, s.rogue.id())
		kid := wire.MakeKID(wire.EntryID(entries[0]), 0, 0)
		s.eventually("it has a member", time.Second,
			func() bool { return s.victim.metric("remote_members") == 2 })
		s.rogue.media(1, globalRoom, kid, 0, 1)
		time.Sleep(100 * time.Millisecond)
		ctr := 1
		for start := time.Now(); time.Since(start) < 20*time.Second &&
			s.victim.status("rogue").Up; time.Sleep(time.Millisecond) {
			var frames []byte
			for n := range 50 { // 50,000 a second
				frames = wire.AppendMedia(frames,
					&wire.Media{Alias: 1, CTR: uint64(ctr), Ciphertext: []byte("x")}, n == 49)
				ctr++
			}
			s.rogue.packet(frames, 50)
		}
		limit := 5000 * 20 // frames of one room
		if got := s.a.ears.heard(kid); got > limit || got < 5000 {
			t.Errorf("%d of %d frames got through", got, ctr)
		}
		s.agree("the rogue's member is gone", 2*time.Second, s.a, s.b, s.c)
		s.wantCut("a second of one member")
		s.unmoved("a flood of media")
	})
}

// TestUrgentFlood has a peer send far more messages than it may, with no regard to pacing and
// acknowledgements.
func TestUrgentFlood(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		fetch := wire.Append(nil, &wire.FederationFetch{Home: s.honest.id(), Room: wire.HashRoom(globalRoom)})
		start := time.Now()
		for n := 0; time.Since(start) < 30*time.Second &&
			s.victim.status("rogue").Up; time.Sleep(time.Millisecond) {
			// 2000 are taken at first, then 200 a second. The rogue says the same numbers all the time, for
			// what is 1024 above the lowest one that was not taken is ignored.
			window := 2000 + 1024*int(time.Since(start)/(5300*time.Millisecond))
			var frames []byte
			for i := range 32 {
				number := n
				if n++; number >= 2000 {
					number = window + n%1024
				}
				frames = wire.AppendUrgent(frames,
					&wire.Urgent{Number: uint64(number), Kind: wire.UrgentFederationFetch,
						Message: fetch}, i == 31)
			}
			s.rogue.packet(frames, 0)
		}
		s.wantCut("urgent messages a second")
		s.unmoved("a flood of messages")
		if got := s.victim.metric("sealed_out_packets_total"); got > 1_000_000 {
			t.Errorf("the answers were %v packets", got)
		}
	})
}

// TestTooManyRooms has a peer announce rooms without end: no more are kept than one may announce, a million
// or not.
func TestTooManyRooms(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		own := s.home(s.rogue.key)
		heap := heapNow()
		for n := range 4000 {
			room := fmt.Sprintf("ops-%d", n+10)
			if !s.rogue.announces(own, room, own.entries(room, 1), s.rogue.id()) {
				t.Fatal("cut")
			}
		}
		time.Sleep(10 * time.Second)
		grown := heapNow() - heap
		t.Logf("%d KiB for 4000 rooms", grown>>10)
		if grown > 30<<20 {
			t.Errorf("the heap has grown by %d MiB", grown>>20)
		}
		s.victim.says("too many rooms", "level=WARN", "peer=rogue", "limit", "too many rooms")
		s.victim.want("too many rooms",
			map[string]float64{"rooms": 1, "bridged_rooms": 1001, "remote_members": 1001, "peers_up": 2})
		if got := s.victim.peerMetric("rooms", "rogue"); got != 1000 {
			t.Errorf("%v rooms of the rogue", got)
		}
		if n := s.victim.logged.lines("peer=rogue"); n > 5 {
			t.Errorf("%d lines about it", n)
		}
		// There is room for everybody else: the honest peer's new rooms, and the victim's own.
		d, e := s.honest.joined("ops-x"), s.victim.joined("ops-x")
		s.agree("another room", 2*time.Second, d, e)
		d.client.Close()
		e.client.Close()
		s.rogue.client.Close()
		s.eventually("all of them are gone", 20*time.Second,
			func() bool {
				return s.victim.metric("bridged_rooms") == 1 &&
					s.honest.metric("bridged_rooms") == 1
			})
		s.unmoved("too many rooms")
		s.blamed = true // the victim's own room and the rogue's are one more than the honest relay takes
	})
}

// TestTooManyParticipants has a peer fill a room with people whom it made up. Members of the other relays
// come and go.
func TestTooManyParticipants(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		own := s.home(s.rogue.key)
		s.rogue.brings(own, globalRoom, own.entries(globalRoom, 1990), s.rogue.id())
		s.eventually("they are there", time.Minute,
			func() bool { return s.victim.metric("remote_members") > 1900 })
		list := own.entries("ops-2", 3)
		record := own.record("ops-2", list)
		record.Members = 2001
		s.rogue.says(&wire.FederationRoom{Record: record, Path: []wire.RelayID{s.rogue.id()}})
		time.Sleep(2 * time.Second)
		s.victim.says("too many members", "level=WARN", "peer=rogue", "limit", "too many members in one room")
		if got := s.victim.peerMetric("participants", "rogue"); got != 1990 {
			t.Errorf("%v participants", got)
		}
		s.rogue.client.Close()
		s.eventually("all of them are gone", 20*time.Second,
			func() bool { return s.victim.metric("remote_members") == 1 })
		s.unmoved("too many participants")
	})
}

// TestFullRoom wants the victim's own people to get into a room that a peer has filled.
func TestFullRoom(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		for n := range 2 {
			made := s.home(newIdentity(byte(240 + n))) // a relay that it made up
			s.rogue.brings(made, globalRoom, made.entries(globalRoom, 1500), s.rogue.id(), made.id())
		}
		s.eventually("they are there", time.Minute,
			func() bool { return s.victim.metric("remote_members") > 1900 })
		if late := s.victim.person(); late.join(globalRoom) != nil {
			t.Error("our own people are locked out")
		} else {
			late.client.Close()
		}
		s.rogue.client.Close()
		s.eventually("all of them are gone", 20*time.Second,
			func() bool { return s.victim.metric("remote_members") == 1 })
		s.unmoved("a full room")
	})
}

// TestSilentPeers wants peers that do not answer to be given up, in whichever way they do not.
func TestSilentPeers(t *testing.T) {
	besiege(t, func(s *siege) {
		// One that is not there.
		gone := s.mesh.rogue()
		gone.conn.Close()
		s.victim.peers = append(s.victim.peers,
			FederationPeer{Address: gone.addr.String(), Fingerprint: gone.key.Fingerprint(), Label: "gone"})
		s.victim.relay.Reload(s.victim.federation())
		time.Sleep(time.Minute)
		s.victim.says("not there", "level=WARN", "cannot reach a peer", "label=gone", gone.addr.String(),
			"check that the relay runs")

		// One that falls silent, with a member.
		s.rogue.linked(s.victim)
		own := s.home(s.rogue.key)
		s.rogue.announces(own, globalRoom, own.entries(globalRoom, 1), s.rogue.id())
		s.eventually("it has a member", time.Second,
			func() bool { return s.victim.metric("remote_members") == 2 })
		s.net.Partition(s.rogue.addr.Addr(), s.victim.addr.Addr(), true)
		s.agree("its member is gone", 15*time.Second, s.a, s.b, s.c)
		s.victim.says("silent", "level=WARN", "a peer link is down", "label=rogue", "nothing was heard")
		s.unmoved("silent peers")
	})
}

// TestPeerThatTakesNothing has a peer that is alive acknowledge no message, while there is more and more to
// tell it: what waits for it does not grow, and when it listens again it is told how things are then.
func TestPeerThatTakesNothing(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		s.rogue.setSilent(true)
		noisy := s.mesh.rogue() // another peer, whose rooms are to be passed on
		s.victim.peers = append(s.victim.peers,
			FederationPeer{Fingerprint: noisy.key.Fingerprint(), Label: "noisy"})
		s.victim.relay.Reload(s.victim.federation())
		if err := noisy.dial(s.victim); err != nil {
			t.Fatal(err)
		}
		s.eventually("noisy is a peer", 5*time.Second, func() bool { return s.victim.status("noisy").Up })
		own := s.home(noisy.key)
		lists := [][][]byte{own.entries(globalRoom, 1), nil}
		lists[1] = append(lists[0], own.entries(globalRoom, 1)...)
		heap := heapNow()
		for n := range 3000 {
			if !noisy.announces(own, globalRoom, lists[n%2], noisy.id()) {
				t.Fatal("noisy was cut")
			}
		}
		time.Sleep(10 * time.Second)
		if grown := heapNow() - heap; grown > 5<<20 {
			t.Errorf("the heap has grown by %d KiB", grown>>10)
		}
		if n := len(s.rogue.got(wire.UrgentFederationRoom)); n > 2 {
			t.Errorf("the rogue has taken %d announcements", n)
		}
		if s.victim.status("rogue").Up {
			s.rogue.setSilent(false)
			s.eventually("it is told the newest", 10*time.Second, func() bool {
				m := s.rogue.about(noisy.key.Public(), globalRoom)
				return m != nil && m.Record.Sequence == own.sequence
			})
			if n := len(s.rogue.got(wire.UrgentFederationRoom)); n > 1000 {
				t.Errorf("it is told %d things", n)
			}
		}
		noisy.client.Close()
		s.eventually("noisy is gone", 20*time.Second,
			func() bool { return s.victim.metric("remote_members") == 1 })
		s.unmoved("takes nothing")
		s.blamed = true // for a burst of changes, which were passed on
	})
}

// heapNow returns the bytes on the heap that are in use.
func heapNow() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestManyStreams has a peer announce more streams than are told apart, of members that are not there.
func TestManyStreams(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		random := rand.New(rand.NewPCG(1, 2))
		heap := heapNow()
		for n := range 20_000 {
			room := globalRoom
			if n%4 == 0 {
				room = fmt.Sprintf("nowhere-%d", n)
			}
			s.rogue.media(uint16(n%wire.MaxAliases), room, wire.KID(random.Uint64()), n, 1)
			if n%10 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(5 * time.Second)
		grown := heapNow() - heap
		t.Logf("%d KiB for 20,000 streams", grown>>10)
		if grown > 10<<20 {
			t.Errorf("the heap has grown by %d MiB", grown>>20)
		}
		if got := s.victim.metric("federation_delivered_total"); got > 100_000 {
			t.Errorf("%v frames were delivered", got)
		}
		if s.victim.dropped(drops.RoomNotFound) < 4000 || s.victim.dropped(drops.WrongPeer) < 10_000 {
			t.Errorf("%v of unknown rooms, %v refused", s.victim.dropped(drops.RoomNotFound),
				s.victim.dropped(drops.WrongPeer))
		}
		s.unmoved("many streams")
	})
}

// TestGarbage has a peer send random messages of every kind, and messages that were right before a byte was
// changed.
func TestGarbage(t *testing.T) {
	besiege(t, func(s *siege) {
		s.rogue.linked(s.victim)
		random := rand.New(rand.NewPCG(3, 4))
		own := s.home(s.rogue.key)
		entries := own.entries(globalRoom, 2)
		good := wire.Append(nil, &wire.FederationRoom{
			Serial: 1, Record: own.record(globalRoom,
				entries), Path: []wire.RelayID{s.rogue.id()}, Joined: entries,
		})
		for n := range 3000 {
			kind := wire.UrgentKind(random.IntN(256))
			body := make([]byte, random.IntN(wire.MaxUrgent))
			for i := range body {
				body[i] = byte(random.Uint32())
			}
			switch {
			case kind < wire.UrgentFederationRoom && n%3 == 2:
				continue // some would end the link, and what has to be empty and is not is no frame at all
			case n%3 == 0:
				kind = wire.UrgentFederationRoom + wire.UrgentKind(random.IntN(6))
			case n%3 == 1:
				kind, body = wire.UrgentFederationRoom, append([]byte(nil), good...)
				body[random.IntN(len(body))] ^= byte(1 + random.IntN(255))
				binary.BigEndian.PutUint16(body, 0x4000|uint16(n)) // a serial; whatever else was there
			}
			if !s.rogue.urge(kind, body) {
				t.Fatalf("cut after %d messages: %s", n, s.victim.logged.String())
			}
		}
		time.Sleep(20 * time.Second)
		s.victim.says("garbage", "level=WARN", "peer=rogue", "malformed")
		if n := s.victim.logged.lines("peer=rogue"); n > 20 {
			t.Errorf("%d lines about it", n)
		}
		s.rogue.client.Close()
		s.eventually("it is gone", 20*time.Second,
			func() bool { return s.victim.metric("remote_members") == 1 })
		s.unmoved("garbage")
	})
}
