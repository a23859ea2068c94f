package call

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// pesters has somebody call a device by as many paths, and say 40 long things a second on them, until stop.
func (p *party) pesters(whom *party, paths int, stop chan struct{}) {
	session := p.line.link.Session()
	device := (&wire.Reach{StayKey: whom.line.stayKey.Public()}).Device()
	var ids []wire.PathID
	for range paths {
		f := &wire.CallForward{Generation: 1, Expiry: uint64(time.Now().Add(45 * time.Second).Unix()),
			Target: whom.client.Identity().Public().Fingerprint(), Device: device, Hops: wire.MaxHops,
			Offer: make([]byte, 300)}
		_, _ = rand.Read(f.Offer)
		f.Sign(wire.NewPathSeed())
		if err := session.SendUrgent(wire.UrgentCallForward, wire.Append(nil, f)); err != nil {
			p.lab.t.Error(err)
		}
		ids = append(ids, f.Path())
	}
	p.follow.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(25 * time.Millisecond):
			}
			m := &wire.CallMessage{Path: ids[i%len(ids)], Body: make([]byte, 880)}
			_ = session.SendUrgent(wire.UrgentCallMessage, wire.Append(nil, m)) // as many as go
		}
	})
}

// TestCallBesideStrangers: two who are nobody's contacts call somebody with a thin line who talks, and say as
// much as their sessions take. That delays nothing that is said in the call, nor the next one.
func TestCallBesideStrangers(t *testing.T) {
	inTelephone(t, 2, chain(2), simnet.Profile{Delay: 20 * time.Millisecond}, func(u *union) {
		anna, bert := u.relays[0].party("anna", true), u.relays[1].party("bert", true)
		anna.deaf, bert.deaf = true, true
		anna.knows(bert)
		strangers := []*party{u.relays[0].party("mallory", false), u.relays[0].party("mallory", false)}
		thin := simnet.Profile{Delay: 30 * time.Millisecond, Rate: 128_000}
		if err := u.net.SetPaths(bert.addr.Addr(), u.relays[1].addr.Addr(), thin); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		call := anna.dial(bert)
		ring := bert.incoming(10 * time.Second)
		if err := ring.Answer(); err != nil {
			t.Fatal(err)
		}
		anna.up(call, 10*time.Second)
		bert.up(ring, 10*time.Second)
		anna.say(&drone{hz: annas}, PublishConfig{NoDTX: true})
		bert.say(&drone{hz: berts}, PublishConfig{NoDTX: true})
		stop := make(chan struct{})
		for _, s := range strangers {
			s.pesters(bert, 3, stop)
		}
		time.Sleep(10 * time.Second)
		if bert.saw(func(e LineEvent) bool { s, ok := e.(CallSilent); return ok && s.Silent }) {
			t.Error("anna was silent for bert")
		}
		within := func(what string, ok func() bool) {
			t.Helper()
			for range 50 {
				if ok() {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Errorf("no %s within a second", what)
		}
		if err := call.Hold(true); err != nil {
			t.Fatal(err)
		}
		within("hold", func() bool {
			return bert.saw(func(e LineEvent) bool { h, ok := e.(CallHeld); return ok && h.ByTheirs })
		})
		if err := call.HangUp(); err != nil {
			t.Fatal(err)
		}
		within("end", func() bool {
			select {
			case <-ring.Done():
				return true
			default:
				return false
			}
		})
		anna.dial(bert)
		within("ring", func() bool { return bert.newest() != nil })
		close(stop)
	})
}
