package peer

import (
	"log/slog"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/udp"
)

// probing has a relay measure others that know nothing of it.
func (l *linkLab) probing(list ...ProbeConfig) (*Probes, *logText) {
	l.t.Helper()
	logged := new(logText)
	ps := NewProbes(slog.New(slog.NewTextHandler(logged, nil)))
	ep, err := link.NewEndpoint(udp.New(simtest.Listen(l.t, l.net, simtest.Relay(9))),
		link.Config{Identity: orderedIdentities()[9], Version: "prober"})
	if err != nil {
		l.t.Fatal(err)
	}
	ps.Configure(list)
	ps.Start(ep)
	l.t.Cleanup(func() {
		ps.Close()
		ep.Close()
	})
	return ps, logged
}

func (ps *Probes) of(label string) ProbeStatus {
	for _, info := range ps.Status() {
		if info.Label == label {
			return info
		}
	}
	return ProbeStatus{}
}

// TestProbes measures one relay for long, one that is not who it should be, and one that is not there.
func TestProbes(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		l.net.SetDefault(simnet.Profile{Delay: 40 * time.Millisecond})
		a, b, gone := l.relay(1).up(), l.relay(2).up(), l.relay(3)
		ps, logged := l.probing(
			ProbeConfig{Address: a.addr.String(), Label: "any"},
			ProbeConfig{Address: a.addr.String(), Label: "known", Fingerprint: a.id.Fingerprint()},
			ProbeConfig{Address: a.addr.String(), Label: "mistaken", Fingerprint: b.id.Fingerprint()},
			ProbeConfig{Address: gone.addr.String(), Label: "gone"},
		)
		if info := ps.of("any"); info.State != Down && info.State != Dialling {
			t.Errorf("before the first answer: %+v", info)
		}
		time.Sleep(2 * time.Minute)
		for _, label := range []string{"any", "known"} {
			info := ps.of(label)
			if info.State != Up || info.Version != "test relay" || info.Problem != "" ||
				info.RTTMillis != 80 || info.LeastMillis != 80 || info.JitterMillis != 0 ||
				*info.Fingerprint != a.id.Fingerprint() || info.Loss != 0 ||
				time.Since(*info.Since) < time.Minute {
				t.Errorf("%+v", info)
			}
		}
		if info := ps.of("mistaken"); info.State == Up || info.Problem == "" || info.Fingerprint != nil {
			t.Errorf("%+v", info)
		}
		if info := ps.of("gone"); info.State == Up || info.Problem != wordsSilent {
			t.Errorf("%+v", info)
		}
		time.Sleep(time.Hour) // several links long
		if info := ps.of("any"); info.State != Up || time.Since(*info.Since) > 11*time.Minute {
			t.Errorf("after an hour: %+v", info)
		}
		if n := len(logged.Lines("cannot be reached")); n != 2 {
			t.Errorf("in an hour the log says %d times that a relay cannot be reached", n)
		}
		if len(a.links.Status()) != 0 || a.events.count("up") != 0 {
			t.Error("a probe was taken for a peer")
		}
		gone.up()
		l.eventually("the one that was gone", 6*time.Minute, func() bool { return ps.of("gone").State == Up })
	})
}

// TestProbeComesAndGoes loses the relay, and the configuration changes.
func TestProbeComesAndGoes(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a := l.relay(1).up()
		one := ProbeConfig{Address: a.addr.String(), Label: "one"}
		ps, _ := l.probing(one)
		up := func() bool { return ps.of("one").State == Up }
		l.eventually("up", 5*time.Second, up)
		time.Sleep(2 * time.Minute)
		a.kill()
		l.eventually("silent", 7*time.Second, func() bool { return ps.of("one").State == Silent })
		if info := ps.of("one"); info.Loss == 0 || info.Loss > .2 || info.RTTMillis != 20 {
			t.Errorf("%+v", info)
		}
		l.eventually("down", 40*time.Second, func() bool {
			info := ps.of("one")
			return info.State != Up && info.State != Silent && info.Problem != "" && info.RTTMillis == 0
		})
		a.up()
		l.eventually("up again", time.Minute, up)
		since := *ps.of("one").Since
		known := one
		known.Label, known.Fingerprint = "other", a.id.Fingerprint()
		ps.Configure([]ProbeConfig{one, known})
		l.eventually("the other", 5*time.Second, func() bool { return ps.of("other").State == Up })
		if *ps.of("one").Since != since {
			t.Error("one that stayed was touched")
		}
		ps.Configure([]ProbeConfig{known})
		left := func(n int) func() bool { return func() bool { return a.ep.Stats().Probes == n } }
		l.eventually("the one is not measured any more", 5*time.Second, left(1))
		if list := ps.Status(); len(list) != 1 || list[0].Label != "other" {
			t.Errorf("%+v", list)
		}
		ps.Configure(nil)
		l.eventually("none is measured", 5*time.Second, left(0))
		if list := ps.Status(); len(list) != 0 || list == nil {
			t.Errorf("%#v", list)
		}
	})
}
