//go:build unix

package test

import (
	"math"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// flows waits for so many more media packets to come down through a tap, and returns when the first of them did.
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
// anything.
func TestRelayRestarts(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	earA, earB := newTap(t, r.addr), newTap(t, r.addr)
	dir := t.TempDir()
	outA, outB, outC := filepath.Join(dir, "anna.wav"), filepath.Join(dir, "bert.wav"), filepath.Join(dir, "carl.wav")
	a := join(t, earA.addr(), "room", "--in", "tone:300", "--out", outA, "--no-dtx", "--name", "anna")
	b := join(t, earB.addr(), "room", "--in", "tone:500", "--out", outB, "--no-dtx", "--name", "bert")
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
	c := join(t, r.addr, "room", "--in", "tone:700", "--out", outC, "--no-dtx", "--name", "carl") // right after the restart
	limit := latency(3*time.Second, 10*time.Second)
	for name, ear := range map[string]*tap{"anna": earA, "bert": earB} {
		took := flows(t, ear, back, 20, time.Minute).Sub(back)
		t.Logf("%s hears again %v after the relay was started", name, took.Round(time.Millisecond))
		if took > limit {
			t.Errorf("%s hears again after %v, want at most %v", name, took, limit)
		}
	}
	for _, c := range []*client{a, b} {
		if e := c.await("attached", soon); e.Restarted == nil || !*e.Restarted {
			t.Errorf("the relay's restart was not noticed: %+v", e)
		}
	}
	for _, other := range []string{"anna", "bert"} {
		took := c.hearsSince(other, back)
		t.Logf("carl, who is new, hears %s %v after the relay was started", other, took.Round(time.Millisecond))
	}
	a.hears("carl")
	b.hears("carl")
	time.Sleep(atTheEnd)
	for _, c := range []*client{a, b, c} {
		for _, s := range c.leave().Talkers {
			if s.Forged > 0 {
				t.Errorf("%d frames of %s did not decrypt", s.Forged, s.Name)
			}
		}
	}
	soundsAtTheEnd(t, outA, 500, 700)
	soundsAtTheEnd(t, outB, 300, 700)
	soundsAtTheEnd(t, outC, 300, 500)
}

// hearsSince is hears, and returns how long after a time that was.
func (c *client) hearsSince(name string, from time.Time) time.Duration {
	c.t.Helper()
	c.hears(name)
	e, _ := c.find(0, func(e event) bool { return e.Event == "talker" && e.Name == name })
	return e.TS.Sub(from)
}

// atTheEnd is how long people talk on at the end, so that it is heard of each although they do not leave all at once.
const atTheEnd = 3 * time.Second

// soundsAtTheEnd fails the test unless each of these tones is somewhere at the end of a recording. They
// are looked for in short pieces: who catches up with a delay plays tones a little higher.
func soundsAtTheEnd(t *testing.T, file string, tones ...float64) {
	t.Helper()
	pcm := heard(t, file)
	pcm = pcm[max(0, len(pcm)-int(atTheEnd*audio.SampleRate/time.Second)):]
	for _, hz := range tones {
		loudest := math.Inf(-1)
		for part := range slices.Chunk(pcm, audio.SampleRate/10) {
			loudest = max(loudest, toneLevel(part, hz))
		}
		if loudest < -40 {
			t.Errorf("%s: the tone of %v Hz has %.0f dBFS at the end", filepath.Base(file), hz, loudest)
		}
	}
}

// toneLevel is the level of one frequency, in dBFS (the algorithm of Goertzel).
func toneLevel(pcm []float32, hz float64) float64 {
	var re, im float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / audio.SampleRate)
		re, im = re+float64(v)*cos, im+float64(v)*sin
	}
	return 20 * math.Log10(2*math.Hypot(re, im)/float64(len(pcm))+1e-9)
}

// TestMemberComesBack: who is killed and starts again is another member with the same identity, hears and is heard.
func TestMemberComesBack(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	dir := t.TempDir()
	outA, outB := filepath.Join(dir, "anna.wav"), filepath.Join(dir, "bert.wav")
	a := join(t, r.addr, "room", "--in", "tone:300", "--out", outA, "--no-dtx", "--name", "anna")
	home := newHome(t)
	start := func() *client {
		b := &client{launch(t, command(t, home, "join", "room", "--relay", r.addr, "--json", "--in", "tone:500", "--out", outB,
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
	time.Sleep(atTheEnd)
	a.leave()
	again.leave()
	soundsAtTheEnd(t, outA, 500)
	soundsAtTheEnd(t, outB, 300)
	warned(t, "anna", a)
}

// TestNewAddress: the call goes on when a client gets another address, and when the path is dead one way
// for a while.
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
	for _, d := range []simnet.Direction{simnet.Up, simnet.Down} {
		roadA.Block(d, true)
		time.Sleep(5 * time.Second)
		roadA.Block(d, false)
		steady("5 s of silence " + d.String())
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

// TestStalledListeners: one who hangs and one who is killed delay nobody.
func TestStalledListeners(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	in, said := sound(t, speech.Review, 6*time.Second)
	out := filepath.Join(t.TempDir(), "heard.wav")
	load := measureContention()
	healthy := join(t, r.addr, "room", "--in", "none", "--out", out)
	hanging := join(t, r.addr, "room", "--in", "none", "--out", "none")
	dying := join(t, r.addr, "room", "--in", "none", "--out", "none")
	talking := join(t, r.addr, "room", "--in", in, "--out", "none", "--name", "anna")
	hanging.await("talker", soon)
	dying.await("talker", soon)
	hanging.signal(syscall.SIGSTOP)
	dying.kill()
	sent := talking.finish(time.Minute)
	time.Sleep(500 * time.Millisecond)
	got := healthy.leave()
	excuses := load.stop(t)
	whole(t, sent, got.talker(t, "anna"), speech.Compare(said, heard(t, out)), excuses)

	hanging.signal(syscall.SIGCONT) // and is none the worse for it
	if s := hanging.leave().talker(t, "anna"); s.Received == 0 {
		t.Errorf("who hung heard nothing: %+v", s)
	}
}
