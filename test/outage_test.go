//go:build unix

package test

import (
	"syscall"
	"testing"
	"time"
)

// flows waits for so many more media packets to come down through a tap, and returns when the first of them
// did.
func flows(t *testing.T, tp *tap, from time.Time, packets int, timeout time.Duration) time.Time {
	t.Helper()
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if came := since(media(tp.received()), from); len(came) >= packets {
			return came[0].at
		}
	}
	t.Fatalf("no media for %v", timeout)
	return time.Time{}
}

// TestRelayRestarts: when the relay is killed and started again, everybody is back and heard without doing
// anything. How it sounds is TestRelayDies in the root package.
func TestRelayRestarts(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	earA, earB := newTap(t, r.addr), newTap(t, r.addr)
	a := join(t, earA.addr(), "room", "--in", "tone:300", "--out", "none", "--no-dtx", "--name", "anna")
	b := join(t, earB.addr(), "room", "--in", "tone:500", "--out", "none", "--no-dtx", "--name", "bert")
	begin := time.Now()
	flows(t, earA, begin, 20, soon)
	flows(t, earB, begin, 20, soon)

	r.kill()
	time.Sleep(time.Second)
	back := time.Now()
	again := startRelayAt(t, r.addr, r.data)
	if again.fingerprint != r.fingerprint {
		t.Fatalf("the relay has another key: %s, before %s", again.fingerprint, r.fingerprint)
	}
	// right after the restart
	c := join(t, r.addr, "room", "--in", "tone:700", "--out", "none", "--no-dtx", "--name", "carl")
	for name, ear := range map[string]*tap{"anna": earA, "bert": earB} {
		took := flows(t, ear, back, 20, patience).Sub(back)
		t.Logf("%s hears again %v after the relay was started", name, took.Round(time.Millisecond))
	}
	for _, c := range []*client{a, b} {
		if e := c.await("attached", soon); e.Restarted == nil || !*e.Restarted {
			t.Errorf("the relay's restart was not noticed: %+v", e)
		}
	}
	for _, other := range []string{"anna", "bert"} {
		took := c.hearsSince(other, back)
		t.Logf("carl, who is new, hears %s %v after the relay was started", other,
			took.Round(time.Millisecond))
	}
	a.hears("carl")
	b.hears("carl")
	for _, c := range []*client{a, b, c} {
		for _, s := range c.leave().Talkers {
			if s.Forged > 0 {
				t.Errorf("%d frames of %s did not decrypt", s.Forged, s.Name)
			}
		}
	}
}

// hearsSince is hears, and returns how long after a time that was.
func (c *client) hearsSince(name string, from time.Time) time.Duration {
	c.t.Helper()
	c.hears(name)
	e, _ := c.find(0, func(e event) bool { return e.Event == "talker" && e.Name == name })
	return e.TS.Sub(from)
}

// TestMemberComesBack: who is killed and starts again is another member with the same identity, hears and is
// heard.
func TestMemberComesBack(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	a := join(t, r.addr, "room", "--in", "tone:300", "--out", "none", "--no-dtx", "--name", "anna")
	home := newHome(t)
	start := func() *client {
		b := &client{launch(t, command(t, home, "join", "room", "--relay", r.addr, "--json", "--in",
			"tone:500", "--out", "none",
			"--no-dtx", "--name", "bert"))}
		b.await("joined", soon)
		return b
	}
	first := start()
	a.hears("bert")
	first.hears("anna")
	first.kill()
	again := start()
	member := again.await("joined", 0).Member
	if member == first.await("joined", 0).Member {
		t.Error("the same member id for another stay")
	}
	back := again.await("joined", 0).TS
	t.Logf("who came back hears after %v", again.hearsSince("anna", back).Round(time.Millisecond))
	e, ok := a.find(soon, func(e event) bool { return e.Event == "talker" && e.Member == member })
	if !ok {
		t.Fatal("who came back is not heard")
	}
	t.Logf("and is heard after %v", e.TS.Sub(back).Round(time.Millisecond))
	a.leave()
	again.leave()
	warned(t, "anna", a)
}

// TestNewAddress: the call goes on when a client gets another address. How it sounds, and what a path does
// that is dead one way, is TestNewAddress in the root package.
func TestNewAddress(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	roadA, roadB := newRoad(t, r.addr, "delay=20ms", 1), newRoad(t, r.addr, "delay=20ms", 2)
	a := join(t, roadA.addr(), "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "anna")
	b := join(t, roadB.addr(), "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "bert")
	steady := func(after string) {
		t.Helper()
		from := time.Now()
		flows(t, roadA.client, from, 50, soon)
		flows(t, roadB.client, from, 50, soon)
		t.Logf("after %s both hear again within %v", after, time.Since(from).Round(time.Millisecond))
	}
	steady("the start")
	for range 2 {
		for _, road := range []*road{roadA, roadB} {
			if err := road.Rebind(); err != nil {
				t.Fatal(err)
			}
			steady("a change of address")
		}
	}
	if moved := r.metric("moved_sessions_total"); moved < 4 {
		t.Errorf("the relay counts %v moved sessions, want 4", moved)
	}
	sentA, sentB := a.leave(), b.leave()
	t.Logf("anna: %+v", sentA.Talkers)
	t.Logf("bert: %+v", sentB.Talkers)
	for _, e := range []event{sentA, sentB} {
		if len(e.Talkers) != 1 {
			t.Errorf("%d streams were heard, want 1: nobody should have joined again", len(e.Talkers))
		}
	}
	if accepted := r.metric("joins_total"); accepted != 2 {
		t.Errorf("the relay counts %v joins, want 2", accepted)
	}
}

// TestStalledListeners: one who hangs and one who is killed keep nobody from hearing. That they delay nobody
// is TestStalledListeners in the root package.
func TestStalledListeners(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	ear := newTap(t, r.addr)
	healthy := join(t, ear.addr(), "room", "--in", "none", "--out", "none")
	hanging := join(t, r.addr, "room", "--in", "none", "--out", "none")
	dying := join(t, r.addr, "room", "--in", "none", "--out", "none")
	talking := join(t, r.addr, "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "anna")
	for _, c := range []*client{healthy, hanging, dying} {
		c.hears("anna")
	}
	hanging.signal(syscall.SIGSTOP)
	dying.kill()
	flows(t, ear, time.Now(), 150, patience)
	hanging.signal(syscall.SIGCONT) // and is none the worse for it
	talking.leave()
	for _, c := range []*client{healthy, hanging} {
		if s := c.leave().talker(t, "anna"); s.Received == 0 || s.Forged > 0 {
			t.Errorf("heard %+v", s)
		}
	}
}
