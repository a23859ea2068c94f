package simnet

import (
	"math"
	"testing"
	"time"
)

var epoch = time.Unix(1_700_000_000, 0)

const frame = 20 * time.Millisecond // between packets of speech

func newChannel(t testing.TB, p Profile) *Channel {
	t.Helper()
	c, err := NewChannel(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sendEvery sends count packets of 100 bytes, one every gap.
func sendEvery(c *Channel, count int, gap time.Duration) []Verdict {
	verdicts := make([]Verdict, count)
	for i := range verdicts {
		verdicts[i] = c.Send(epoch.Add(time.Duration(i)*gap), 100)
	}
	return verdicts
}

// lossRuns sends count packets, one every gap, and returns the share of lost ones and the mean
// length of runs of them.
func lossRuns(c *Channel, count int, gap time.Duration) (share, meanRun float64) {
	lost, runs := 0, 0
	wasLost := false
	for i := range count {
		isLost := c.Send(epoch.Add(time.Duration(i)*gap), 100).Outcome == Lost
		if isLost {
			lost++
			if !wasLost {
				runs++
			}
		}
		wasLost = isLost
	}
	return float64(lost) / float64(count), float64(lost) / float64(max(runs, 1))
}

func about(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*want {
		t.Errorf("%s: got %.4f, want %.4f within %.0f %%", what, got, want, 100*tolerance)
	}
}

func TestPerfectChannelDeliversAtOnce(t *testing.T) {
	c := newChannel(t, Profile{})
	for i, v := range sendEvery(c, 1000, frame) {
		want := Verdict{Outcome: Delivered, At: epoch.Add(time.Duration(i) * frame), Copies: 1}
		if v != want {
			t.Fatalf("packet %d: got %+v, want %+v", i, v, want)
		}
	}
	want := Counters{Sent: 1000, Delivered: 1000, BytesSent: 128_000, BytesDelivered: 128_000}
	if c.Counters() != want {
		t.Errorf("got %+v, want %+v", c.Counters(), want)
	}
}

func TestIndependentLoss(t *testing.T) {
	for _, loss := range []float64{0.05, 0.3, 0.6} {
		share, run := lossRuns(newChannel(t, Profile{Loss: loss, Seed: 1}), 100_000, frame)
		about(t, "share lost", share, loss, 0.03)
		about(t, "mean run", run, 1/(1-loss), 0.03)
	}
}

func TestBurstsByPacketKeepTheLossAndHaveTheirLength(t *testing.T) {
	for _, p := range []Profile{
		{Loss: 0.05, Burst: 4},
		{Loss: 0.3, Burst: 8},
		{Loss: 0.6, Burst: 10},
		{Loss: 0.6, Burst: 1.5}, // the shortest there can be
		{Loss: 0.3, Burst: 1},
	} {
		p.Seed = 2
		share, run := lossRuns(newChannel(t, p), 500_000, frame)
		about(t, p.String()+" share lost", share, p.Loss, 0.05)
		about(t, p.String()+" mean run", run, p.Burst, 0.05)
	}
}

// A burst that lasts takes more packets out of a dense stream than out of a sparse one, and the
// same share of both.
func TestBurstsByTimeAreIndependentOfPacketSpacing(t *testing.T) {
	p := Profile{Loss: 0.3, BurstTime: 500 * time.Millisecond, Seed: 3}
	for _, gap := range []time.Duration{5 * time.Millisecond, frame, 60 * time.Millisecond} {
		share, run := lossRuns(newChannel(t, p), int(4000*time.Second/gap), gap)
		about(t, "share lost", share, p.Loss, 0.05)
		// A packet every gap sees the two-state process leave the bad state with probability
		// (1-L)(1-exp(-gap/T)), where 1/T is the sum of the rates.
		leave := (1 - p.Loss) * (1 - math.Exp(-float64(gap)/float64(p.BurstTime)/(1-p.Loss)))
		about(t, "mean run", run, 1/leave, 0.06)
	}
}

func TestTotalAndNoLoss(t *testing.T) {
	for _, burst := range []Profile{{}, {Burst: 4}, {BurstTime: time.Second}} {
		for _, loss := range []float64{0, 1} {
			p := burst
			p.Loss = loss
			if share, _ := lossRuns(newChannel(t, p), 10_000, frame); share != loss {
				t.Errorf("%v: lost %v", p, share)
			}
		}
	}
}

func TestSameSeedSameVerdicts(t *testing.T) {
	p := Profile{Loss: 0.2, Burst: 3, Delay: 100 * time.Millisecond, Jitter: 30 * time.Millisecond,
		Reorder: 0.05, Duplicate: 0.05, Rate: 60_000, Queue: 4000, Seed: 4}
	a, b := newChannel(t, p), newChannel(t, p)
	p.Seed = 5
	other := newChannel(t, p)
	first, second, third := sendEvery(a, 5000, frame), sendEvery(b, 5000, frame),
		sendEvery(other, 5000, frame)
	differ := 0
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("packet %d: %+v and %+v", i, first[i], second[i])
		}
		if first[i].Outcome != third[i].Outcome {
			differ++
		}
	}
	if differ == 0 {
		t.Error("another seed loses the same packets")
	}
}

func TestLossesDoNotDependOnOtherChoices(t *testing.T) {
	plain := newChannel(t, Profile{Loss: 0.3, Seed: 6})
	rich := newChannel(t, Profile{Loss: 0.3, Delay: time.Second, Jitter: time.Second, Reorder: 0.5,
		Duplicate: 0.5, Seed: 6})
	a, b := sendEvery(plain, 1000, frame), sendEvery(rich, 1000, frame)
	for i := range a {
		if a[i].Outcome != b[i].Outcome {
			t.Fatalf("packet %d: %v and %v", i, a[i].Outcome, b[i].Outcome)
		}
	}
}

func TestJitterKeepsOrderAndBounds(t *testing.T) {
	p := Profile{Delay: 150 * time.Millisecond, Jitter: 50 * time.Millisecond, Seed: 7}
	c := newChannel(t, p)
	var last time.Time
	least, most := time.Hour, time.Duration(0)
	for i, v := range sendEvery(c, 20_000, frame) {
		if v.At.Before(last) {
			t.Fatalf("packet %d overtakes", i)
		}
		last = v.At
		delay := v.At.Sub(epoch.Add(time.Duration(i) * frame))
		least, most = min(least, delay), max(most, delay)
	}
	if least < 100*time.Millisecond || least > 102*time.Millisecond {
		t.Errorf("least delay %v, want nearly 100ms", least)
	}
	if most > 200*time.Millisecond || most < 198*time.Millisecond {
		t.Errorf("most delay %v, want nearly 200ms", most)
	}
	if n := c.Counters().Reordered; n != 0 {
		t.Errorf("%d packets reordered", n)
	}
}

func TestJitterIsUniformWhenPacketsAreFarApart(t *testing.T) {
	c := newChannel(t, Profile{Delay: 150 * time.Millisecond, Jitter: 50 * time.Millisecond, Seed: 8})
	var sum, squares float64
	const count = 50_000
	for i, v := range sendEvery(c, count, time.Second) {
		ms := float64(v.At.Sub(epoch.Add(time.Duration(i)*time.Second))) / 1e6
		sum += ms
		squares += ms * ms
	}
	mean := sum / count
	about(t, "mean", mean, 150, 0.01)
	about(t, "deviation", math.Sqrt(squares/count-mean*mean), 50/math.Sqrt(3), 0.02)
}

func TestReorderOvertakes(t *testing.T) {
	c := newChannel(t, Profile{Delay: 100 * time.Millisecond, Reorder: 0.1, Seed: 9})
	early := uint64(0)
	for i, v := range sendEvery(c, 50_000, frame) {
		if v.At.Sub(epoch.Add(time.Duration(i)*frame)) == 0 {
			early++
		}
	}
	about(t, "share overtaking", float64(early)/50_000, 0.1, 0.05)
	if n := c.Counters().Reordered; early-n > 1 { // the very first has nothing to overtake
		t.Errorf("counted %d of %d", n, early)
	}
}

func TestDuplicate(t *testing.T) {
	c := newChannel(t, Profile{Loss: 0.5, Duplicate: 0.2, Seed: 10})
	copies := 0
	for _, v := range sendEvery(c, 50_000, frame) {
		copies += v.Copies
	}
	about(t, "copies", float64(copies), 50_000*0.5*1.2, 0.02)
	n := c.Counters()
	if n.Delivered+n.Duplicated != uint64(copies) || n.BytesDelivered != uint64(copies)*128 {
		t.Errorf("%d copies, counters %+v", copies, n)
	}
}

func TestRateLimitsThroughputAndQueueBoundsDelay(t *testing.T) {
	p := Profile{Rate: 64_000, Queue: 4000, Delay: 50 * time.Millisecond}
	c := newChannel(t, p)
	// 128 bytes every 5 ms is 204.8 kbit/s into 64.
	verdicts := sendEvery(c, 20_000, 5*time.Millisecond)
	var last time.Time
	bytes := 0
	for i, v := range verdicts {
		if v.Outcome == QueueDropped {
			continue
		}
		bytes += 128
		last = v.At
		// The longest wait is for a full queue: 4000 bytes at 64 kbit/s are 500 ms.
		sent := epoch.Add(time.Duration(i) * 5 * time.Millisecond)
		if delay := v.At.Sub(sent); delay > 550*time.Millisecond {
			t.Fatalf("packet %d took %v", i, delay)
		}
	}
	rate := float64(bytes*8) / last.Sub(epoch.Add(p.Delay)).Seconds()
	about(t, "throughput", rate, 64_000, 0.001)
	n := c.Counters()
	if n.QueueDropped == 0 || n.QueueDropped+n.Delivered != n.Sent {
		t.Errorf("counters %+v", n)
	}
}

func TestRateBelowCapacityDoesNotQueue(t *testing.T) {
	c := newChannel(t, Profile{Rate: 51_200}) // exactly 128 bytes in 20 ms
	for i, v := range sendEvery(c, 1000, frame) {
		if got := v.At.Sub(epoch.Add(time.Duration(i) * frame)); got != frame {
			t.Fatalf("packet %d took %v, want its transmission time of 20ms", i, got)
		}
	}
}

func TestIdleLinkTakesAnyPacket(t *testing.T) {
	c := newChannel(t, Profile{Rate: 1000, Queue: 100})
	if v := c.Send(epoch, 1200); v.Outcome != Delivered {
		t.Errorf("idle: %+v", v)
	}
	if v := c.Send(epoch, 1); v.Outcome != QueueDropped {
		t.Errorf("busy: %+v", v)
	}
}

func TestBlockedChannelKeepsItsPlace(t *testing.T) {
	p := Profile{Loss: 0.5, Seed: 11}
	plain, blocked := newChannel(t, p), newChannel(t, p)
	want := sendEvery(plain, 200, frame)
	got := sendEvery(blocked, 100, frame)
	blocked.Block(true)
	for range 50 {
		if v := blocked.Send(epoch.Add(2*time.Second), 100); v.Outcome != Blocked || v.Copies != 0 {
			t.Fatalf("got %+v", v)
		}
	}
	blocked.Block(false)
	for i := 100; i < 200; i++ {
		got = append(got, blocked.Send(epoch.Add(time.Duration(i)*frame), 100))
	}
	for i := range want {
		if got[i].Outcome != want[i].Outcome {
			t.Fatalf("packet %d: a blackout shifted the losses", i)
		}
	}
	if n := blocked.Counters(); n.Blocked != 50 || n.Sent != 250 {
		t.Errorf("counters %+v", n)
	}
}

func TestSetProfileReplacesThePath(t *testing.T) {
	c := newChannel(t, Profile{Delay: time.Second, Rate: 8000})
	slow := c.Send(epoch, 972) // 1000 bytes take 1 s
	if err := c.SetProfile(Profile{Delay: 10 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	quick := c.Send(epoch.Add(frame), 972)
	if got := slow.At.Sub(epoch); got != 2*time.Second {
		t.Errorf("on the old path: %v", got)
	}
	if got := quick.At.Sub(epoch.Add(frame)); got != 10*time.Millisecond {
		t.Errorf("on the new path: %v", got)
	}
	if err := c.SetProfile(Profile{Loss: 2}); err == nil || c.profile.Loss != 0 {
		t.Errorf("bad profile: %v, in force %v", err, c.profile)
	}
}

func TestSetProfileKeepsTheQueueOfAnUnchangedLink(t *testing.T) {
	p := Profile{Rate: 8000}
	c := newChannel(t, p)
	c.Send(epoch, 972)
	p.Loss = 0.001
	if err := c.SetProfile(p); err != nil {
		t.Fatal(err)
	}
	if v := c.Send(epoch, 972); v.At.Sub(epoch) != 2*time.Second {
		t.Errorf("arrives after %v, want behind the first", v.At.Sub(epoch))
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	c := newChannel(t, Profile{Loss: 0.5, BurstTime: time.Second, Delay: frame})
	a := c.Send(epoch.Add(time.Second), 100)
	for range 100 {
		if v := c.Send(epoch, 100); v.Outcome != a.Outcome {
			t.Fatal("the loss process moved while time stood still")
		}
	}
}

func BenchmarkChannel(b *testing.B) {
	c := newChannel(b, Profile{Loss: 0.1, BurstTime: time.Second, Delay: time.Second, Jitter: frame,
		Reorder: 0.01, Duplicate: 0.01, Rate: 1_000_000, Seed: 1})
	b.ReportAllocs()
	now := epoch
	for b.Loop() {
		now = now.Add(time.Millisecond)
		c.Send(now, 100)
	}
}
