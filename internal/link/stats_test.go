package link

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// receiveAll notes counters in the order given, 20 ms apart.
func receiveAll(r *receiveStats, counters ...uint64) {
	for i, c := range counters {
		r.packet(c, 100, epoch.Add(time.Duration(i)*20*time.Millisecond))
	}
}

// upTo returns the counters from first to below end, but for those in without.
func upTo(first, end uint64, without ...uint64) (counters []uint64) {
	skip := make(map[uint64]bool)
	for _, c := range without {
		skip[c] = true
	}
	for c := first; c < end; c++ {
		if !skip[c] {
			counters = append(counters, c)
		}
	}
	return counters
}

func TestLossIsCountedInBursts(t *testing.T) {
	tests := []struct {
		name   string
		lost   []uint64
		bursts [6]uint8
	}{
		{"none", nil, [6]uint8{}},
		{"the first", []uint64{0}, [6]uint8{1}},
		{"one", []uint64{10}, [6]uint8{1}},
		{"two apart", []uint64{10, 12}, [6]uint8{2}},
		{"two", []uint64{10, 11}, [6]uint8{0, 1}},
		{"three and four", upTo(10, 17, 13), [6]uint8{0, 0, 2}},
		{"five and eight", upTo(10, 24, 15), [6]uint8{0, 0, 0, 2}},
		{"nine and sixteen", upTo(10, 36, 19), [6]uint8{0, 0, 0, 0, 2}},
		{"seventeen", upTo(10, 27), [6]uint8{0, 0, 0, 0, 0, 1}},
		{"300", upTo(10, 310), [6]uint8{0, 0, 0, 0, 0, 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r receiveStats
			receiveAll(&r, upTo(0, 500, test.lost...)...)
			if r.lost != uint64(len(test.lost)) || r.bursts != test.bursts ||
				r.received != 500-uint64(len(test.lost)) {
				t.Errorf("received %d, lost %d in bursts %v; want %d, %v", r.received, r.lost, r.bursts,
					len(test.lost), test.bursts)
			}
		})
	}
}

func TestReorderingIsNotLoss(t *testing.T) {
	var r receiveStats
	rng := rand.New(rand.NewPCG(1, 2))
	order := upTo(0, 2000)
	place := make([]uint64, len(order))
	for i := range place { // nobody is overtaken by more than judgeAfter packets
		place[i] = uint64(i + rng.IntN(judgeAfter))
	}
	slices.SortStableFunc(order, func(a, b uint64) int { return cmp.Compare(place[a], place[b]) })
	receiveAll(&r, order...)
	if r.lost != 0 || r.received != 2000 {
		t.Errorf("lost %d, received %d", r.lost, r.received)
	}
}

// TestLongOutage is 55,000 packets that were lost in a row.
func TestLongOutage(t *testing.T) {
	var r receiveStats
	receiveAll(&r, upTo(0, 100)...)
	receiveAll(&r, upTo(55_100, 55_300)...)
	if r.lost != 55_000 || r.received != 300 || r.bursts != ([6]uint8{5: 1}) {
		t.Errorf("received %d, lost %d in bursts %v", r.received, r.lost, r.bursts)
	}
	if p := r.report(epoch); p.Highest != 55_299 || p.Received != 300 || p.Lost != uint16(55_000) {
		t.Errorf("report %+v", p)
	}
}

func TestReportSamplesGoBackInCounterAndTime(t *testing.T) {
	var r receiveStats
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	r.packet(5, 100, at(0))
	r.packet(7, 100, at(40))
	r.packet(6, 100, at(41)) // late: no sample
	r.packet(9, 100, at(80))
	p := r.report(at(100))
	if p.Highest != 9 || p.Age != 20*time.Millisecond || p.N != 2 {
		t.Fatalf("report %+v", p)
	}
	want := [2]wire.Sample{{CounterBack: 2, ArrivalBack: 40 * time.Millisecond},
		{CounterBack: 2, ArrivalBack: 40 * time.Millisecond}}
	if [2]wire.Sample(p.Samples[:2]) != want {
		t.Errorf("samples %v", p.Samples[:p.N])
	}
	if _, err := wire.ParseReport(reportBody(t, &p)); err != nil {
		t.Error(err)
	}
}

func reportBody(t *testing.T, p *wire.Report) []byte {
	f, _, err := wire.NextFrame(wire.AppendReport(nil, p, true))
	if err != nil {
		t.Fatal(err)
	}
	return f.Body
}

func TestReportsComeWhenWanted(t *testing.T) {
	var r receiveStats
	if r.eliciting = true; r.due(epoch, 0) {
		t.Error("a report before the first packet")
	}
	r.packet(0, 100, epoch)
	if !r.due(epoch, 0) {
		t.Error("no report after the first packet")
	}
	r.report(epoch)
	now := epoch.Add(10 * time.Second)
	r.packet(1, 100, now)
	if r.due(now, 0) {
		t.Error("a report though nothing came that wants one")
	}
	if r.eliciting = true; !r.due(now, 0) {
		t.Error("no report after 10 s")
	}
}

// TestLossThatBeginsIsReportedSoon: not only with the report that would have come anyway.
func TestLossThatBeginsIsReportedSoon(t *testing.T) {
	for seed := range uint64(100) {
		var r receiveStats
		rng := rand.New(rand.NewPCG(seed, 1))
		var took time.Duration
		for i := range uint64(200) {
			now := epoch.Add(time.Duration(i) * 20 * time.Millisecond)
			if i < 60 || rng.Float64() >= 0.4 { // the last report before was at 1 s
				r.packet(i, 120, now)
				r.eliciting = true
			}
			if r.due(now, 0) {
				r.report(now)
				if took = now.Sub(epoch.Add(1200 * time.Millisecond)); took > 0 {
					break
				}
			}
		}
		if took <= 0 || took > 520*time.Millisecond {
			t.Errorf("seed %d: reported after %v", seed, took)
		}
	}
}

// TestReportsAreMoreFrequentWithLoss feeds streams of several rates and losses, and counts what is reported.
func TestReportsAreMoreFrequentWithLoss(t *testing.T) {
	tests := []struct {
		loss  float64
		size  int // of packets on the wire, 50 a second
		least int // reports in 20 s
		most  int
	}{
		{0, 120, 20, 22},
		{0.05, 120, 20, 30},
		{0.3, 120, 45, 67}, // 4.2 kB/s arrive: 210 B/s for reports
		{0.6, 120, 20, 38},
		{0.3, 1200, 55, 67},
	}
	for _, test := range tests {
		var r receiveStats
		rng := rand.New(rand.NewPCG(1, 1))
		reports := 0
		for i := range uint64(1000) {
			now := epoch.Add(time.Duration(i) * 20 * time.Millisecond)
			if rng.Float64() >= test.loss {
				r.packet(i, test.size, now)
				r.eliciting = true
			}
			if r.due(now, 0) {
				r.report(now)
				reports++
			}
		}
		if reports < test.least || reports > test.most {
			t.Errorf("loss %v, %d bytes: %d reports in 20 s, want %d to %d", test.loss, test.size, reports,
				test.least, test.most)
		}
	}
}

// sendAll notes that counters 0 to n-1 were sent, 20 ms apart from start on.
func sendAll(t *sentTimes, n uint64, start time.Duration) {
	for c := range n {
		t.put(c, start+time.Duration(c)*20*time.Millisecond)
	}
}

func TestReportTellsRoundTripAndJitter(t *testing.T) {
	for _, start := range []time.Duration{time.Second, 12*24*time.Hour + 17*time.Hour + 25*time.Minute,
		400 * 24 * time.Hour} {
		var sent sentTimes
		var s sendStats
		sendAll(&sent, 100, start)
		p := wire.Report{Highest: 99, Received: 100, Age: 50 * time.Millisecond, N: 2}
		p.Samples[0] = wire.Sample{CounterBack: 1, ArrivalBack: 36 * time.Millisecond} // 16 ms more than 20
		p.Samples[1] = wire.Sample{CounterBack: 3, ArrivalBack: 60 * time.Millisecond}
		now := start + 99*20*time.Millisecond + 350*time.Millisecond
		if !s.report(&p, 100, &sent, now) {
			t.Error("no progress")
		}
		if s.quality.RTT != 300*time.Millisecond {
			t.Errorf("start %v: round trip %v, want 300ms", start, s.quality.RTT)
		}
		if s.quality.Jitter != time.Millisecond*15/16 { // 16 ms / 16, then decayed once
			t.Errorf("start %v: jitter %v", start, s.quality.Jitter)
		}
		if s.quality.Loss != 0 {
			t.Errorf("loss %v", s.quality.Loss)
		}
	}
}

// TestReportOfManyUnderWay has 800 packets a second wait for 3 s and more in front of a narrow path. Each
// report tells a round trip all the same, a little less than it was; when even more are under way, it tells
// what is known for sure.
func TestReportOfManyUnderWay(t *testing.T) {
	const apart = 1250 * time.Microsecond
	for _, test := range []struct{ trip, least time.Duration }{
		{300 * time.Millisecond, 300 * time.Millisecond},
		{3200 * time.Millisecond, 3100 * time.Millisecond},
		{10 * time.Second, 9900 * time.Millisecond},
		{30 * time.Second, 10 * time.Second},
	} {
		var sent sentTimes
		next := uint64(0)
		for at := time.Duration(0); at < time.Minute; at += apart {
			sent.put(next, time.Hour+at)
			next++
		}
		for back := range uint64(sentApart) { // wherever it is between two whose time is known for long
			var s sendStats
			now := time.Hour + time.Minute - apart
			highest := next - 1 - uint64(test.trip/apart) - back
			trip := test.trip + time.Duration(back)*apart
			s.report(&wire.Report{Highest: highest, Received: 1}, next, &sent, now)
			if exact := highest+sentRing >= next; s.trip > trip || s.trip < test.least ||
				s.atLeast == exact || exact && s.trip != trip {
				t.Fatalf("%v: told %v, at least %v", trip, s.trip, s.atLeast)
			}
			if s.atLeast && s.sample != 0 {
				t.Fatal("a sample of what is not known")
			}
		}
	}
}

func TestReportedLoss(t *testing.T) {
	var sent sentTimes
	var s sendStats
	received := uint64(0)
	for i := uint64(1); i <= 20; i++ { // 20 reports of 50 packets each, 30 lost
		received += 20
		p := wire.Report{Highest: i*50 - 1, Received: received, Lost: uint16(i * 5000),
			Bursts: [6]uint8{uint8(i * 50)}}
		s.report(&p, i*50, &sent, time.Second)
	}
	q := s.quality
	if math.Abs(q.Loss-0.6) > 0.01 {
		t.Errorf("loss %v, want 0.6", q.Loss)
	}
	if q.Residual != 19*5000 || q.Bursts[0] != 19*50 { // through their wrapping, but for the first report
		t.Errorf("residual %d, bursts %v", q.Residual, q.Bursts)
	}
}

func TestHostileReports(t *testing.T) {
	good := wire.Report{Highest: 99, Received: 90}
	tests := map[string]wire.Report{
		"never sent":           {Highest: 100, Received: 90},
		"all the counters":     {Highest: math.MaxUint64, Received: 90},
		"more than there were": {Highest: 99, Received: 101},
		"an old highest":       {Highest: 98, Received: 90},
		"an old count":         {Highest: 99, Received: 89},
	}
	for name, p := range tests {
		var sent sentTimes
		var s sendStats
		sendAll(&sent, 100, time.Second)
		if !s.report(&good, 100, &sent, 4*time.Second) {
			t.Fatal("a good report was refused")
		}
		before := s
		if s.report(&p, 100, &sent, 5*time.Second) || s != before {
			t.Errorf("%s: was believed", name)
		}
	}
	var sent sentTimes
	var s sendStats
	sendAll(&sent, 100, time.Second)
	absurd := wire.Report{Highest: 99, Received: 100, Age: 1e6 * time.Hour, N: wire.MaxSamples}
	for i := range absurd.Samples {
		absurd.Samples[i] = wire.Sample{CounterBack: math.MaxUint64 / 4, ArrivalBack: 1e6 * time.Hour}
	}
	absurd.Samples[0].CounterBack = 1
	s.report(&absurd, 100, &sent, 4*time.Second)
	if s.quality.RTT != 0 || s.quality.Jitter > maxSample {
		t.Errorf("quality %+v", s.quality)
	}
}

func TestNoProgressWithoutArrivals(t *testing.T) {
	var sent sentTimes
	var s sendStats
	p := wire.Report{Highest: 9, Received: 10}
	if !s.report(&p, 100, &sent, time.Second) {
		t.Error("the first report is progress")
	}
	if s.report(&p, 100, &sent, 2*time.Second) {
		t.Error("the same again is none")
	}
	p.Received++
	p.Highest++
	if !s.report(&p, 100, &sent, 3*time.Second) {
		t.Error("one more packet is progress")
	}
}

func TestSentTimesForgetsWhatWasOverwritten(t *testing.T) {
	var sent sentTimes
	sendAll(&sent, 1000, time.Second)
	if _, ok := sent.ago(1000-sentRing-1, time.Hour); ok {
		t.Error("knows what was overwritten")
	}
	if ago, ok := sent.ago(1000-sentRing, time.Hour); !ok ||
		ago != time.Hour-time.Second-744*20*time.Millisecond {
		t.Errorf("sent %v ago, %v", ago, ok)
	}
	if _, ok := sent.ago(1000, time.Hour); ok {
		t.Error("knows what was never sent")
	}
}
