package link

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/internal/wire"
)

// announce returns a packet of the client's with the long form of a frame.
func (s *side) announce(alias uint16, kid wire.KID, ctr uint64) []byte {
	s.session.SendPacket(s.tx, wire.AppendMedia(nil,
		&wire.Media{Alias: alias, Long: true, KID: kid, CTR: ctr, Ciphertext: []byte{1}}, true), 1)
	return s.sent()
}

// short returns a packet with the short form.
func (s *side) short(alias uint16, ctr uint64) []byte {
	s.session.SendPacket(s.tx, wire.AppendMedia(nil,
		&wire.Media{Alias: alias, CTR: ctr, Ciphertext: []byte{1}}, true), 1)
	return s.sent()
}

// hears has a packet arrive, and returns whose frame was handed on; 0: none was.
func (s *side) hears(p []byte) wire.KID {
	s.handler.last = 0
	s.ep.sealed(s.tx.batch, p, s.path)
	return s.handler.last
}

// TestStreamIsMadeOnce has a client announce one key id under every alias.
func TestStreamIsMadeOnce(t *testing.T) {
	client, relay := newSide(t, true), newSide(t, false)
	for alias := range uint16(wire.MaxAliases) {
		if relay.hears(client.announce(alias, 2, uint64(alias))) != 2 {
			t.Fatalf("the frame by alias %d is lost", alias)
		}
	}
	if relay.handler.binds != 1 {
		t.Errorf("the stream was made %d times", relay.handler.binds)
	}
	if n := len(relay.session.aliases.streams); n != 1 {
		t.Errorf("%d streams are held", n)
	}
	if relay.hears(client.short(wire.MaxAliases-1, 5000)) != 2 || relay.hears(client.short(7, 5001)) != 2 {
		t.Error("an alias is not known")
	}
}

// TestAliasesOfAClient has a client announce key ids without end: those that came last are known.
func TestAliasesOfAClient(t *testing.T) {
	client, relay := newSide(t, true), newSide(t, false)
	relay.session.aliases.limit = clientAliases
	steady := client.announce(0, 2, 0)
	relay.hears(steady)
	for i := range 1000 {
		relay.hears(client.announce(uint16(1+i), wire.KID(4+2*i), 1))
		if relay.hears(client.short(0, uint64(i))) != 2 {
			t.Fatalf("after %d others a stream that talks is forgotten", i)
		}
	}
	for range 2000 { // one more by many aliases is no more than one
		relay.hears(client.announce(uint16(2000+rand.IntN(2000)), 9000, 1))
		relay.hears(client.short(0, 2000))
	}
	if relay.hears(client.short(0, 2001)) != 2 {
		t.Error("a stream that talks is forgotten")
	}
	for i := range 1000 {
		relay.hears(client.announce(uint16(1+i), wire.KID(4+2*i), 1))
	}
	if n := len(relay.session.aliases.aliases); n != clientAliases ||
		len(relay.session.aliases.streams) != n {
		t.Errorf("%d aliases of %d streams are held, want %d", n, len(relay.session.aliases.streams),
			clientAliases)
	}
	for back, want := range map[int]wire.KID{0: 2002, clientAliases - 1: 2002 - 2*(clientAliases-1),
		clientAliases: 0} {
		if got := relay.hears(client.short(uint16(1000-back), 2)); got != want {
			t.Errorf("%d before the last: %d, want %d", back, got, want)
		}
	}
}

// TestClientsAliasesAreFew wants a relay to bound what accepted sessions bind, and those of peers not to be.
func TestClientsAliasesAreFew(t *testing.T) {
	inLab(t, trunkProfile, Config{}, func(l *lab) {
		if n := l.sessionOf(l.joined()).aliases.limit; n != clientAliases {
			t.Errorf("a client may have %d aliases", n)
		}
	})
	peerLab(t, trunkProfile, func(l *lab, g *gate) {
		o := l.linked()
		if a, b := l.acceptedBy(g).aliases.limit, o.client.Session().aliases.limit; a != wire.MaxAliases ||
			b != wire.MaxAliases {
			t.Errorf("peers may have %d and %d aliases", a, b)
		}
	})
}

// TestOvertakenAnnouncements wants what aliases stand for to be what the newest packet says, in whichever
// order packets come: else a talker would not be heard any more, for its sender takes the alias for known.
func TestOvertakenAnnouncements(t *testing.T) {
	client, relay := newSide(t, true), newSide(t, false)
	relay.hears(client.announce(3, 2, 1))
	late, lateShort := client.announce(3, 2, 2), client.short(3, 3)
	// the stream gets another alias, and the first one is given to another stream
	moved := client.announce(5, 2, 4)
	taken := client.announce(3, 4, 1)
	if relay.hears(moved) != 2 || relay.hears(taken) != 4 {
		t.Fatal("an announcement is lost")
	}
	if got := relay.hears(late); got != 2 && got != 0 {
		t.Errorf("a late announcement is taken for %d", got)
	}
	if got := relay.hears(lateShort); got != 0 {
		t.Errorf("a short frame of before is taken for one of %d", got)
	}
	if a, b := relay.hears(client.short(5, 5)), relay.hears(client.short(3, 2)); a != 2 || b != 4 {
		t.Errorf("after late announcements the aliases stand for %d and %d", a, b)
	}
}

// TestAliasesInAnyOrder has a sender that keeps to the protocol give its aliases to other streams all the
// time, though not let them rest, and packets come in any order: no frame is taken for another stream's.
func TestAliasesInAnyOrder(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := boundAliases{limit: wire.MaxAliases}
		stands, acked := make(map[uint16]wire.KID), make(map[uint16]bool) // as the sender knows them
		type frame struct {
			packet uint64
			alias  uint16
			kid    wire.KID
			long   bool
		}
		var underWay []frame
		heard := 0
		for packet := uint64(1); packet <= 2000; packet++ {
			f := frame{packet: packet, alias: uint16(random.IntN(6))}
			if stands[f.alias] == 0 || random.IntN(10) == 0 {
				stands[f.alias], acked[f.alias] = wire.KID(packet), false
			}
			f.kid, f.long = stands[f.alias], !acked[f.alias]
			if underWay = append(underWay, f); len(underWay) < 10 {
				continue
			}
			i := random.IntN(len(underWay))
			f = underWay[i]
			underWay = slices.Delete(underWay, i, i+1)
			var st *Stream
			if f.long {
				to, bound, _ := b.announced(streamID{kid: f.kid}, f.alias, f.packet,
					&inboundFunc{Stream: Stream{KID: f.kid}})
				if to != nil {
					st = to.stream()
				}
				if bound != nil {
					acked[f.alias] = acked[f.alias] || stands[f.alias] == f.kid
				}
			} else if known := b.known(f.alias, f.packet); known != nil {
				st = known.Stream
			}
			if st != nil && st.KID != f.kid {
				t.Fatalf("seed %d: packet %d by alias %d is of %d and was taken for %v", seed, f.packet,
					f.alias, f.kid, st.KID)
			}
			if st != nil {
				heard++
			}
			named := 0
			for _, known := range b.streams {
				named += known.aliases
			}
			if len(b.aliases) > b.limit || named != len(b.aliases) {
				t.Fatalf("%d aliases, %d of streams", len(b.aliases), named)
			}
		}
		if heard < 1800 {
			t.Errorf("seed %d: %d of 2000 frames were heard", seed, heard)
		}
	}
}
