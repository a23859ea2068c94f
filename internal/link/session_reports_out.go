package link

import (
	"math/bits"
	"time"

	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	reportEvery = time.Second
	reportOften = 300 * time.Millisecond // while more than reportLossy of the packets is lost
	reportLossy = 0.1
	reportJudge = 16                     // packets since the last report that are enough to see that
	reportSlack = 100 * time.Millisecond // how long a report that is due waits for a packet to follow
	reportShare = 0.045                  // of the received bytes; with acks and pongs it stays below 0.05
	judgeAfter  = 64                     // a counter that is missing so far below the highest is lost
)

// receiveStats counts what arrived of one direction and makes the reports of it
// (docs/protocol.md, section 4.3). It is pure; its Session locks it. The zero value is ready.
type receiveStats struct {
	window   seal.Window
	received uint64
	bytes    uint64
	lost     uint64
	bursts   [6]uint8
	judged   uint64 // counters below are counted, as received or lost
	run      uint64 // length of the burst of loss that ends at judged

	recent  [wire.MaxSamples + 1]arrival // newest last, counters rising
	recents int

	eliciting   bool // something came since the last report that wants one
	reported    time.Time
	lastBytes   uint64 // at the last report
	lastCounts  [2]uint64
	loss        float64 // share of packets that did not come, smoothed
	interval    time.Duration
	authenticAt time.Time
}

type arrival struct {
	counter uint64
	at      time.Time
}

// packet notes an authentic, fresh packet. newest: its counter is the highest so far.
func (r *receiveStats) packet(counter uint64, size int, now time.Time) (newest bool) {
	newest = counter >= r.window.Next()
	gap := counter > r.window.Next()
	if counter >= judgeAfter {
		r.judge(counter - judgeAfter)
	}
	r.window.Mark(counter)
	r.received++
	r.bytes += uint64(size)
	r.authenticAt = now
	if newest {
		if r.recents == len(r.recent) {
			copy(r.recent[:], r.recent[1:])
			r.recents--
		}
		r.recent[r.recents] = arrival{counter, now}
		r.recents++
	}
	// the path may have become lossy since the last report: then the next one comes sooner
	if gap && r.interval == reportEvery && r.window.Next()-r.lastCounts[0] >= reportJudge {
		r.interval = r.every(now)
	}
	return newest
}

// judge counts the counters below end as received or lost. Every packet calls it before it moves the
// window, so what is judged one by one is always still inside.
func (r *receiveStats) judge(end uint64) {
	for ; r.judged < end && r.judged < r.window.Next(); r.judged++ {
		if r.window.Received(r.judged) {
			r.endBurst()
		} else {
			r.run++
			r.lost++
		}
	}
	if r.judged < end { // nothing at all came of these
		r.run += end - r.judged
		r.lost += end - r.judged
		r.judged = end
	}
}

func (r *receiveStats) endBurst() {
	if r.run > 0 { // of 1, 2, 3-4, 5-8, 9-16, or more
		r.bursts[min(bits.Len64(r.run-1), len(r.bursts)-1)]++
		r.run = 0
	}
}

// due reports whether it is time for a report, or was time slack ago.
func (r *receiveStats) due(now time.Time, slack time.Duration) bool {
	return r.eliciting && r.received > 0 && now.Sub(r.reported) >= max(r.interval, reportOften)+slack
}

// report returns the report of now, and decides when the next one may follow.
func (r *receiveStats) report(now time.Time) wire.Report {
	highest := r.window.Next() - 1
	p := wire.Report{Highest: highest, Received: r.received, Lost: uint16(r.lost), Bursts: r.bursts}
	if r.recents > 0 {
		prev := r.recent[r.recents-1]
		p.Age = now.Sub(prev.at)
		for i := r.recents - 2; i >= 0 && p.N < 4; i-- {
			a := r.recent[i]
			p.Samples[p.N] = wire.Sample{CounterBack: prev.counter - a.counter,
				ArrivalBack: prev.at.Sub(a.at)}
			p.N++
			prev = a
		}
	}
	r.interval = r.every(now)
	r.loss = smoothLoss(r.loss, highest+1-r.lastCounts[0], r.received-r.lastCounts[1], r.reported.IsZero())
	r.lastCounts = [2]uint64{highest + 1, r.received}
	r.lastBytes = r.bytes
	r.reported = now
	r.eliciting = false
	return p
}

// every returns the time from one report to the next: short while the path is lossy, but within its share of
// what arrives.
func (r *receiveStats) every(now time.Time) time.Duration {
	expected, got := r.window.Next()-r.lastCounts[0], r.received-r.lastCounts[1]
	rate := float64(r.bytes-r.lastBytes) / max(now.Sub(r.reported).Seconds(), 0.001)
	if expected == 0 || float64(got) >= (1-reportLossy)*float64(expected) || rate <= 0 {
		return reportEvery
	}
	share := time.Duration(float64(reportSize) / (reportShare * rate) * float64(time.Second))
	return min(max(share, reportOften), reportEvery)
}

// reportSize is about what a report takes on the wire, in bytes, headers of UDP and IP included.
const reportSize = packetOverhead + 28
