package link

import (
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// sentRing is how many of the newest packets a sender knows the sending time of.
	sentRing = 256
	// sentApart is how far apart those are of which it is known for longer, sentSparse how many: 10 s of 800
	// packets a second, as may wait in front of a narrow path.
	sentApart  = 64
	sentSparse = 128
)

// sentTimes remembers when the newest packets were sent. Senders write to it without a lock; an entry
// that is overwritten while it is read belongs to another counter and is not found.
type sentTimes struct {
	newest [sentRing]atomic.Uint64
	sparse [sentSparse]atomic.Uint64 // of multiples of sentApart
}

const sentTimeBits = 40 // microseconds: 12 days

// maxSample bounds what one sample of the remote's report may claim.
const maxSample = time.Minute

func (t *sentTimes) put(counter uint64, at time.Duration) {
	us := uint64(at.Microseconds()) & (1<<sentTimeBits - 1)
	t.newest[counter%sentRing].Store(counter<<sentTimeBits | us)
	if counter%sentApart == 0 {
		t.sparse[counter/sentApart%sentSparse].Store(counter<<sentTimeBits | us)
	}
}

// ago returns how long before now counter was sent, if that is still known.
func (t *sentTimes) ago(counter uint64, now time.Duration) (time.Duration, bool) {
	return since(t.newest[counter%sentRing].Load(), counter, now)
}

// agoAtLeast returns how long before now counter, of those below next, was sent at least, if any later one is
// known.
func (t *sentTimes) agoAtLeast(counter, next uint64, now time.Duration) (time.Duration, bool) {
	later := counter/sentApart + 1
	if newest := next / sentApart; newest > sentSparse {
		later = max(later, newest-sentSparse+1) // those before were overwritten
	}
	return since(t.sparse[later%sentSparse].Load(), later*sentApart, now)
}

// since reads an entry: how long before now counter was sent, if that is what it tells.
func since(entry, counter uint64, now time.Duration) (time.Duration, bool) {
	if entry == 0 || entry>>sentTimeBits != counter&(1<<(64-sentTimeBits)-1) {
		return 0, false
	}
	const mask = 1<<sentTimeBits - 1
	return time.Duration((uint64(now.Microseconds())-entry)&mask) * time.Microsecond, true
}

// Quality is what the remote's reports say of one direction of a link.
type Quality struct {
	RTT      time.Duration // smoothed as in RFC 6298; 0: not measured yet
	Jitter   time.Duration // interarrival jitter, RFC 3550, section 6.4.1
	Loss     float64       // share of packets lost, smoothed over some seconds
	Residual uint64        // packets lost for good, since the session began
	Bursts   [6]uint64     // bursts of loss: of 1, 2, 3-4, 5-8, 9-16, 17 or more packets
}

// sendStats reads the remote's reports. It is pure; its Session locks it. The zero value is ready.
type sendStats struct {
	quality  Quality
	highest  uint64
	received uint64
	lost     uint16
	bursts   [6]uint8
	any      bool
	sample   time.Duration // the newest round trip; 0: the last report told none
	sampled  time.Duration // when its packet was sent
	trip     time.Duration // round trip of the highest packet; 0: the last report told none
	atLeast  bool          // trip may have been longer: when the packet was sent is not known exactly
}

// report takes a report that came now (on the clock of sent). progress: packets arrive over there.
// A report that claims what was never sent (counters from next up), or an old one, is ignored.
func (s *sendStats) report(p *wire.Report, next uint64, sent *sentTimes, now time.Duration) (progress bool) {
	if p.Highest >= next || p.Received > p.Highest+1 {
		return false
	}
	if s.any && (p.Highest < s.highest || p.Received < s.received) {
		return false // overtaken by a newer one
	}
	s.sample, s.trip, s.atLeast = 0, 0, false
	progress = !s.any || p.Received > s.received
	if !s.any || p.Highest > s.highest {
		if ago, ok := sent.ago(p.Highest, now); ok {
			s.rtt(ago - p.Age)
			s.sampled, s.trip = now-ago, s.sample
		} else if ago, ok := sent.agoAtLeast(p.Highest, next, now); ok {
			s.trip, s.atLeast = max(0, min(ago-p.Age, maxSample)), true
		}
		s.jitter(p, sent, now)
	}
	s.loss(p)
	s.any, s.highest, s.received = true, p.Highest, p.Received
	return progress
}

func (s *sendStats) rtt(sample time.Duration) {
	if sample <= 0 || sample > maxSample {
		return
	}
	s.sample = sample
	if s.quality.RTT == 0 {
		s.quality.RTT = sample
	} else {
		s.quality.RTT += (sample - s.quality.RTT) / 8
	}
}

// jitter compares the spacing of arrivals with that of sendings, going back from the newest.
func (s *sendStats) jitter(p *wire.Report, sent *sentTimes, now time.Duration) {
	counter := p.Highest
	later, ok := sent.ago(counter, now)
	for _, sample := range p.Samples[:p.N] {
		counter -= sample.CounterBack
		earlier, known := sent.ago(counter, now)
		if ok && known {
			d := min((earlier - later - sample.ArrivalBack).Abs(), maxSample)
			s.quality.Jitter += (d - s.quality.Jitter) / 16
		}
		later, ok = earlier, known
	}
}

func (s *sendStats) loss(p *wire.Report) {
	expected, got := p.Highest-s.highest, p.Received-s.received
	if !s.any {
		expected, got = p.Highest+1, p.Received
	} else {
		s.quality.Residual += uint64(p.Lost - s.lost)
		for i := range p.Bursts {
			s.quality.Bursts[i] += uint64(p.Bursts[i] - s.bursts[i])
		}
	}
	s.lost, s.bursts = p.Lost, p.Bursts
	s.quality.Loss = smoothLoss(s.quality.Loss, expected, got, !s.any)
}

// smoothLoss returns the share of packets that are lost, of which about the last 100 count, when got of
// expected ones came since it was loss.
func smoothLoss(loss float64, expected, got uint64, first bool) float64 {
	if expected == 0 {
		return loss
	}
	weight := min(1, float64(expected)/100)
	if first {
		weight = 1
	}
	return loss + weight*(1-min(1, float64(got)/float64(expected))-loss)
}
