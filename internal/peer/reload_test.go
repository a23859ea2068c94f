package peer

import (
	"strings"
	"testing"
	"time"
)

// TestAddressReloaded corrects a peer's address, at which nothing answers, while it is dialled, and between
// two dials.
func TestAddressReloaded(t *testing.T) {
	for name, after := range map[string]time.Duration{
		"during the first dial": 3 * time.Second,
		"before the second":     dialTime + time.Second,
		"during the second":     dialTime + 10*time.Second,
		"after many":            10 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			inLinkLab(t, func(l *linkLab) {
				a, b := l.relay(1), l.relay(2)
				a.knows(b)
				wrong := "10.0.9.9:4433"
				a.peers[0].Address = wrong
				a.up()
				b.trusts(a).up()
				time.Sleep(after)
				said := len(a.logged.lines(wrong))
				a.peers[0].Address = b.addr.String()
				a.links.Configure(a.peers)
				l.joined(a, b, time.Second)
				time.Sleep(5 * time.Minute)
				if lines := a.logged.lines(wrong); len(lines) != said {
					t.Errorf("of the old address the log says later %q", lines[said:])
				}
				if len(a.logged.lines("cannot reach")) != 0 && after < dialTime {
					t.Errorf("%q", a.logged.lines("cannot reach"))
				}
			})
		})
	}
}

// TestAddressReloadedWrong gives a peer another address at which nothing answers: the failures begin anew.
func TestAddressReloadedWrong(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		a.knows(b).up()
		time.Sleep(10*time.Minute + 5*time.Second)
		problem := func() string { return a.links.Status()[0].Problem }
		a.peers[0].Address = "10.0.9.9:4433"
		a.links.Configure(a.peers)
		time.Sleep(time.Millisecond)
		if got := problem(); got != "dialling 10.0.9.9:4433, no answer yet" {
			t.Errorf("the problem is %q", got)
		}
		time.Sleep(dialTime)
		lines := a.logged.lines("cannot reach a peer")
		if last := lines[len(lines)-1]; !strings.Contains(last, "address=10.0.9.9:4433") ||
			!strings.Contains(last, "again=5s") && !strings.Contains(last, "again=6s") {
			t.Errorf("the log says %q", last)
		}
		a.peers[0].Address = "" // it is to dial
		a.links.Configure(a.peers)
		time.Sleep(time.Minute)
		if got := problem(); got != "it has not connected; this relay does not dial it" ||
			len(a.logged.lines("cannot reach a peer")) != len(lines) {
			t.Errorf("the problem is %q, %q", got, a.logged.lines("cannot reach a peer"))
		}
	})
}

// TestProblem follows what is said of a peer that is not there.
func TestProblem(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b, c := l.relay(1), l.relay(2), l.relay(3)
		a.knows(b).trusts(c).up()
		problems := func() [2]string {
			return [2]string{a.links.Status()[0].Problem,
				a.links.Status()[1].Problem}
		}
		const absent = "it has not connected; this relay does not dial it"
		for _, step := range []struct {
			after time.Duration
			want  string
		}{
			{time.Second, "dialling 10.0.0.2:4433, no answer yet"},
			{18 * time.Second, "dialling 10.0.0.2:4433, no answer yet"},
			{2 * time.Second, "the relay does not answer"},
			{10 * time.Second, "dialling 10.0.0.2:4433, no answer yet; " +
				"before that: the relay does not answer"},
		} {
			time.Sleep(step.after)
			if got := problems(); got != [2]string{step.want, absent} {
				t.Errorf("the problems are %q, want %q", got, step.want)
			}
		}
		if lines := a.logged.lines("dialling a peer"); len(lines) != 1 ||
			!strings.Contains(lines[0], "address=10.0.0.2:4433") {
			t.Errorf("%q", lines)
		}
		b.trusts(a).up()
		c.knows(a).up()
		l.joined(a, b, time.Minute)
		l.joined(a, c, time.Minute)
		if got := problems(); got != [2]string{} {
			t.Errorf("the problems of links that are up are %q", got)
		}
		c.stop()
		l.eventually("down", 2*time.Second, func() bool { return a.to(c) == nil })
		if got := problems()[1]; got != whyShutdown {
			t.Errorf("the problem is %q", got)
		}
	})
}
