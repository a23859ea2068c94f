//go:build !race

package room

import (
	"math/rand/v2"
	"testing"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestAliasesBelowTheShare has hostile members at many addresses and behind a peer do at random what they
// can. Whatever that is, talkers at addresses of their own, and at other relays, change their keys every
// second, in streams of media and of views, and none of these has to make way, also not for those of others
// like them.
func TestAliasesBelowTheShare(t *testing.T) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 7))
		h := newHouse(t)
		join := func(from Origin) *Member { return h.deafFrom("r", from) }
		hostile := []Origin{direct(wire.RelayID{66})}
		for n := range 1 + random.IntN(100) {
			hostile = append(hostile, address(1000+n), FromPeer(wire.RelayID{66, byte(n)}, wire.RelayID{67},
				wire.RelayID{byte(n)}))
		}
		var bad, good []*Member
		for range 600 {
			bad = append(bad, join(hostile[random.IntN(len(hostile))]))
		}
		for n := range 20 {
			good = append(good, join(address(n)))
			if n < 5 {
				good = append(good, join(direct(homeB)), join(FromPeer(homeC, homeB, homeC)))
			}
		}
		talks := make([][2]*Stream, len(good))
		for step := range 10 * 15 { // 15 s
			now := seconds(float64(step) / 10)
			for range 200 {
				i := random.IntN(len(bad))
				if random.IntN(50) == 0 {
					bad[i].Leave(now)
					bad[i] = join(hostile[random.IntN(len(hostile))])
				}
				bad[i].Bind(wire.MakeKID(bad[i].ID, uint8(random.IntN(256)), uint8(random.IntN(256))), now)
			}
			for i, m := range good {
				if change := uint8(step/10 + 1); step%10 == i%10 {
					talks[i] = [2]*Stream{m.Bind(wire.MakeKID(m.ID, 0, change), now),
						m.Bind(wire.MakeKID(m.ID, 255, change), now)}
				}
				for _, st := range talks[i] {
					if step >= 10 && (st == nil || st.Dropped()) {
						t.Fatalf("seed %d, step %d: an honest talker has no alias", seed, step)
					}
					if st != nil {
						st.Received(now)
					}
				}
			}
		}
		if n := h.rooms.Drops.Count(drops.AliasTaken); n < 1000 {
			t.Errorf("seed %d: there was no shortage: %d", seed, n)
		}
	}
}
