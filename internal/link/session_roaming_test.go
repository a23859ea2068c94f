package link

import (
	"net/netip"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/udp"
)

func pathOf(s string) udp.Path { return udp.Path{Remote: netip.MustParseAddrPort(s)} }

// TestRoaming is a table of what happens to a session at address a whose packets also come from b and c.
func TestRoaming(t *testing.T) {
	a, b, c := pathOf("192.0.2.1:1"), pathOf("192.0.2.2:1"), pathOf("192.0.2.2:2")
	type event struct {
		after  time.Duration
		newest udp.Path // a packet of 40 bytes with the highest counter came from there
		answer udp.Path // the right response came from there
		wrong  udp.Path // a wrong response came from there
		tick   bool
		probes bool // a challenge is sent
		at     udp.Path
	}
	const ms = time.Millisecond
	tests := map[string][]event{
		"settled": {
			{newest: a, at: a},
			{after: 100 * ms, tick: true, at: a},
		},
		"moves when the challenge is answered": {
			{newest: b, probes: true, at: a},
			{after: 300 * ms, answer: b, at: b},
			{after: 310 * ms, newest: b, at: b},
			{after: 400 * ms, tick: true, at: b},
		},
		"an answer from elsewhere does not move": {
			{newest: b, probes: true, at: a},
			{after: 50 * ms, answer: c, at: a},
			{after: 60 * ms, answer: a, at: a},
			{after: 70 * ms, wrong: b, at: a},
			{after: 80 * ms, answer: b, at: b},
		},
		"a newer packet from the old address ends the attempt": {
			{newest: b, probes: true, at: a},
			{after: 20 * ms, newest: a, at: a},
			{after: 30 * ms, answer: b, at: a},
			{after: 500 * ms, tick: true, at: a},
		},
		"the challenge is repeated within three times what came": {
			{newest: b, probes: true, at: a}, // 40 received, 30 sent
			{after: 50 * ms, tick: true, at: a},
			{after: 100 * ms, tick: true, probes: true, at: a}, // 60
			{after: 200 * ms, tick: true, probes: true, at: a}, // 90
			{after: 300 * ms, tick: true, probes: true, at: a}, // 120 = 3 x 40
			{after: 400 * ms, tick: true, at: a},
			{after: 420 * ms, newest: b, probes: true, at: a}, // 80 received
		},
		"three seconds without an answer": {
			{newest: b, probes: true, at: a},
			{after: 3001 * ms, tick: true, at: a},
			{after: 3002 * ms, answer: b, at: a},
			{after: 3100 * ms, newest: b, probes: true, at: a},
			{after: 3200 * ms, answer: b, at: b},
		},
		"a third address starts anew": {
			{newest: b, probes: true, at: a},
			{after: 20 * ms, newest: c, probes: true, at: a},
			{after: 30 * ms, answer: b, at: a},
			{after: 40 * ms, answer: c, at: c},
		},
		"an answer counts once": {
			{newest: b, probes: true, at: a},
			{after: 10 * ms, answer: b, at: b},
			{after: 20 * ms, newest: a, probes: true, at: b},
			{after: 30 * ms, wrong: a, at: b},
			{after: 40 * ms, answer: a, at: a},
		},
	}
	for name, events := range tests {
		t.Run(name, func(t *testing.T) {
			r := roaming{current: a}
			for i, e := range events {
				now := epoch.Add(e.after)
				switch {
				case e.newest != (udp.Path{}):
					r.newest(e.newest, 40, now)
				case e.answer != (udp.Path{}):
					r.response(e.answer, r.challenge)
				case e.wrong != (udp.Path{}):
					r.response(e.wrong, [8]byte{1})
				}
				probes := (e.tick || e.newest != (udp.Path{})) && r.probe(30, now)
				if probes != e.probes || r.current != e.at {
					t.Errorf("event %d: probes %v, at %v; want %+v", i, probes, r.current.Remote, e)
				}
			}
		})
	}
}

func TestRoamingLearnsTheLocalAddress(t *testing.T) {
	peer := netip.MustParseAddrPort("192.0.2.1:1")
	r := roaming{current: udp.Path{Remote: peer}}
	local := udp.Path{Remote: peer, Local: netip.MustParseAddr("198.51.100.1")}
	r.newest(local, 40, epoch)
	if r.current != local || r.probe(30, epoch) {
		t.Errorf("at %v", r.current)
	}
	other := udp.Path{Remote: peer, Local: netip.MustParseAddr("198.51.100.2")}
	r.newest(other, 40, epoch)
	if r.current != local || !r.probe(30, epoch) {
		t.Error("another address of ours was believed without a challenge")
	}
}

func TestChallengesDiffer(t *testing.T) {
	seen := make(map[[8]byte]bool)
	r := roaming{current: pathOf("192.0.2.1:1")}
	for port := range uint16(100) {
		r.newest(udp.Path{Remote: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port+1)}, 40, epoch)
		if seen[r.challenge] {
			t.Fatal("a challenge came twice")
		}
		seen[r.challenge] = true
	}
}
