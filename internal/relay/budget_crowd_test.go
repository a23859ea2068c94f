//go:build !race

package relay

import (
	"fmt"
	"testing"
)

// TestFloodOfManyNetworks has one customer, who has as many IPv6 networks as there are members, flood a room.
func TestFloodOfManyNetworks(t *testing.T) {
	inLab(t, Config{HelloRate: 1000}, func(l *lab) {
		l.second("[2001:db8::1]:4433")
		neighbour, listener := quiet(l.at("[2001:db8:2:1::1]:1000")), l.at("[2001:db8:3::1]:1000")
		talkers := []*talker{neighbour}
		for i := range 100 {
			talkers = append(talkers, full(l.at(fmt.Sprintf("[2001:db8:1:%x::1]:1000", i+1))))
		}
		talk(10, talkers...)
		if n := listener.ears.heard(neighbour.person.kid(0)); n != int(neighbour.sent) {
			t.Errorf("%d of %d frames of the quiet one arrived", n, neighbour.sent)
		}
	})
}
