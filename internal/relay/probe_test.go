package relay

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/peer"
)

// TestRelayProbes has a relay measure one that knows nothing of it and is full, which then shuts down.
func TestRelayProbes(t *testing.T) {
	inMesh(t, func(m *mesh) {
		a, b := m.node(), m.node()
		a.config.Probe = []string{b.addr.String()}
		b.config.MaxSessions = 1
		b.up()
		b.joined(privateRoom)
		a.up()
		state := func() peer.ProbeStatus { return a.relay.probes.Status()[0] }
		m.eventually("it is measured", 10*time.Second, func() bool { return state().State == peer.Up })
		time.Sleep(time.Minute)
		if s := state(); s.RTTMillis != 20 || s.LeastMillis != 20 || s.Loss != 0 || s.Version != "test relay" ||
			*s.Fingerprint != b.key.Fingerprint() {
			t.Errorf("measured %+v", s)
		}
		for name, want := range map[string]float64{"probe_up": 1, "probe_rtt_seconds": .02,
			"probe_rtt_least_seconds": .02, "probe_jitter_seconds": 0, "probe_ping_loss_ratio": 0} {
			if got := a.labelledMetric(name, "addr", b.addr.String()); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		b.want("the one that is measured", map[string]float64{"probed": 1, "sessions": 1, "peers_up": 0,
			"sessions_accepted_total": 1})

		// The file says more of the same relay: that holds, and the flag makes no second one.
		a.relay.Reload(FederationConfig{Probes: []Probe{{Address: b.addr.String(), Label: "b",
			Fingerprint: b.key.Fingerprint()}}})
		m.eventually("it is measured by another name", 10*time.Second, func() bool {
			return len(a.relay.probes.Status()) == 1 && state().Label == "b" && state().State == peer.Up
		})
		start := time.Now()
		b.stop()
		if took := time.Since(start); took >= drainTime {
			t.Errorf("to shut down took %v: a probe link acknowledges nothing, and is not waited for", took)
		}
		m.eventually("it is gone", 5*time.Second, func() bool { return state().State != peer.Up })
	})
}
