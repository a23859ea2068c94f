package callpath

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// FuzzReceive has everybody around a relay with an open path, and one that is set up, say anything: nothing
// panics, nothing is counted twice, and in the end nothing is left.
//
//	one or more of: who (1) || kind (1) || length (1) || message
func FuzzReceive(f *testing.F) {
	kinds := []wire.UrgentKind{wire.UrgentCallForward, wire.UrgentCallMessage, wire.UrgentCallEnd,
		wire.UrgentCallMedia, wire.UrgentSessionForward, wire.UrgentSessionAnswer, wire.UrgentSessionMessage,
		wire.UrgentSessionEnd}
	f.Fuzz(func(t *testing.T, b []byte) {
		net := newNetwork(t, 3, "AB BC")
		caller, called, _, _ := net.call(0, 2)
		net.nodes[2].mute = true
		other := net.nodes[1].client(5, 55)
		other.forward(wire.PathSeed{8}, 1, called.who.Fingerprint())
		relay := net.nodes[1]
		legs := []Leg{PeerLeg(net.nodes[0].id), PeerLeg(net.nodes[2].id), other.leg(), {}}
		for len(b) >= 3 {
			n := min(int(b[2]), len(b)-3)
			relay.receive(legs[int(b[0])%len(legs)], kinds[int(b[1])%len(kinds)], b[3:3+n])
			b = b[3+n:]
		}
		net.nodes[2].mute = false
		relay.kill()
		relay.noticed()
		relay.start()
		caller.gone()
		net.run(time.Second)
		net.empty("after all")
	})
}
