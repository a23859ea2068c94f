package test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// share is how much of the media that went into a network came out of it.
func share(in, out []sighting) float64 { return float64(len(media(out))) / float64(len(media(in))) }

// near fails the test unless two shares are within two points of each other.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	t.Logf("%s: %.1f %% arrived, the channel passed %.1f %%", what, 100*got, 100*want)
	if math.Abs(got-want) > 0.02 {
		t.Errorf("%s: %.1f %% arrived of which the channel passed %.1f %%", what, 100*got, 100*want)
	}
}

// TestHeavyLoss: at 60 % loss and 300 ms round trip all that the channel passes is received, and there is no
// pause but those that the channel makes. While measuring the call takes ten minutes.
func TestHeavyLoss(t *testing.T) {
	t.Parallel()
	length := 10 * time.Second
	if measuring {
		length = 10 * time.Minute
	}
	r := startRelay(t)
	ear := newTap(t, r.addr)
	listener := join(t, ear.addr(), "room", "--in", "none", "--out", "none")
	bad := newRoad(t, r.addr, "loss=0.6,delay=150ms", 1)
	talking := startJoin(t, bad.addr(), "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "anna", "--for", length.String())
	sent := talking.finish(length + time.Minute)
	time.Sleep(500 * time.Millisecond)
	s := listener.leave().talker(t, "anna")

	near(t, "60 % loss", float64(s.Received)/float64(sent.PacketsSent), share(bad.client.sent(), bad.relay.sent()))
	if want := uint64(sent.TS.Sub(sent.SentFrom) / (20 * time.Millisecond) * 9 / 10); sent.PacketsSent < want {
		t.Errorf("the talker sent %d packets, want at least %d", sent.PacketsSent, want)
	}
	// Nothing is said before it is known who is there, for at most 3 s.
	if opening := sent.SentFrom.Sub(talking.await("joined", 0).TS); opening > latency(3*time.Second, 5*time.Second) {
		t.Errorf("the talker began %v after it joined, want at most 3 s", opening)
	}
	run := longestRun(media(bad.client.sent()), media(bad.relay.sent()))
	pause := longestPause(media(ear.received()))
	t.Logf("longest pause %v; the channel lost up to %d packets in a row; %d frames late, jitter %v ms, delay %v ms",
		pause.Round(time.Millisecond), run, s.Late, s.Jitter, s.Delay)
	if limit := time.Duration(run)*20*time.Millisecond + latency(50*time.Millisecond, time.Second); pause > limit {
		t.Errorf("the longest pause is %v, want at most %v", pause, limit)
	}
}

// TestLossBothWays: at 20 % loss and 800 ms round trip two people hear each other as far as the channel lets
// them.
func TestLossBothWays(t *testing.T) {
	t.Parallel()
	length := 10 * time.Second
	if measuring {
		length = 2 * time.Minute
	}
	r := startRelay(t)
	roadA, roadB := newRoad(t, r.addr, "loss=0.2,delay=400ms", 2), newRoad(t, r.addr, "loss=0.2,delay=400ms", 3)
	b := startJoin(t, roadB.addr(), "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "bert")
	b.await("joined", time.Minute)
	a := startJoin(t, roadA.addr(), "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "anna", "--for", length.String())
	sentA := a.finish(length + time.Minute)
	time.Sleep(2 * time.Second)
	sentB := b.leave()

	fromA, fromB := sentB.talker(t, "anna"), sentA.talker(t, "bert")
	passed := share(roadA.client.sent(), roadA.relay.sent()) * share(roadB.relay.received(), roadB.client.received())
	near(t, "one way", float64(fromA.Received)/float64(sentA.PacketsSent), passed)
	// Bert talked before Anna came and after she left: count what reached her while she was there. In her first
	// second some of it is under keys of another attempt to attach.
	toAnna, came := media(roadA.relay.received()), until(media(roadA.client.received()), sentA.TS)
	settled := since(came, a.await("joined", 0).TS.Add(time.Second))
	t.Logf("other way: %d packets came, %d of them after the first second, %d were received", len(came), len(settled), fromB.Received)
	if got := int(fromB.Received); got*100 < len(settled)*98 || got > len(came) {
		t.Errorf("other way: %d packets came, %d of them after the first second, %d were received: %+v", len(came), len(settled), got, fromB)
	}
	fromBert := since(until(roadB.relay.sent(), toAnna[len(toAnna)-1].at), toAnna[0].at.Add(-10*time.Millisecond))
	near(t, "through the relay", float64(len(toAnna))/float64(len(media(fromBert))), 1)
}

// TestJoinsThroughLoss: at 40 % loss at least 59 of 60 joins succeed within 30 s.
func TestJoinsThroughLoss(t *testing.T) {
	besideOthers(t)
	const joins, atOnce = 60, 15
	r := startRelay(t, "--hello-rate", "1000")
	bad := newRoad(t, r.addr, "loss=0.4,delay=50ms", 4)
	var mu sync.Mutex // guards what follows
	var failed int
	var slowest time.Duration
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for range joins {
		slots <- struct{}{}
		c := startJoin(t, bad.addr(), "room", "--in", "none", "--out", "none", "--for", "10ms", "--timeout", "30s")
		begin := time.Now()
		wg.Go(func() {
			defer func() { <-slots }()
			e, ok := c.find(time.Minute, func(e event) bool { return e.Event == "joined" })
			mu.Lock()
			if slowest = max(slowest, e.TS.Sub(begin)); !ok {
				failed++
			}
			mu.Unlock()
			<-c.done
		})
	}
	wg.Wait()
	t.Logf("%d of %d joined, the slowest after %v", joins-failed, joins, slowest.Round(time.Millisecond))
	if failed > 1 {
		t.Errorf("%d of %d joins failed, want at most 1", failed, joins)
	}
}

// TestFirstWord: who has just joined through 60 % loss and 300 ms round trip is heard from the first word on.
func TestFirstWord(t *testing.T) {
	t.Parallel()
	const atOnce, may = 10, 1 // may fail, by chance
	joins := 10
	if measuring {
		joins = 100
	}
	r := startRelay(t, "--hello-rate", "1000")
	out := folder(t)
	listener := join(t, r.addr, "room", "--in", "none", "--out", out)
	word, _ := sound(t, speech.Center, 0)
	sent := make([]event, joins)
	roads := make([]*road, joins)
	for first := 0; first < joins; first += atOnce {
		var talking []*client
		for i := first; i < first+atOnce; i++ {
			roads[i] = newRoad(t, r.addr, "loss=0.6,delay=150ms", uint64(i+10))
			// They stay for a while: what is said is heard when its key is there.
			talking = append(talking, startJoin(t, roads[i].addr(), "room", "--in", word, "--out", "none", "--name", nameOf(i),
				"--timeout", "100s", "--for", "8s"))
		}
		for k, c := range talking {
			sent[first+k] = c.finish(2 * time.Minute)
		}
	}
	time.Sleep(time.Second)
	got := listener.leave()
	unheard := 0
	for i := range joins {
		if problem := wordHeard(got, nameOf(i), sent[i], roads[i]); problem != "" {
			t.Log(problem)
			unheard++
		}
	}
	t.Logf("%d of %d first words were heard", joins-unheard, joins)
	if unheard > may {
		t.Errorf("%d of %d first words were not heard", unheard, joins)
	}
}

// wordHeard says what is wrong with how a word was received; "" is nothing.
func wordHeard(got event, name string, sent event, bad *road) (problem string) {
	var s talker
	for _, other := range got.Talkers {
		if other.Name == name {
			s = other
		}
	}
	passed := uint64(len(media(bad.relay.sent())))
	switch {
	case s.Received+2 < passed:
		return fmt.Sprintf("%s: the channel passed %d packets, %d were received", name, passed, s.Received)
	case s.Late*10 > s.Received+10:
		return fmt.Sprintf("%s: %d of %d frames came too late to be played", name, s.Late, s.Received)
	case s.Received*5 < sent.PacketsSent:
		return fmt.Sprintf("%s: %d of %d packets were received", name, s.Received, sent.PacketsSent)
	}
	return ""
}
