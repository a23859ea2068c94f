package wire

import (
	"encoding/binary"
	"time"
)

const (
	// MaxSamples is how many samples a report holds.
	MaxSamples = 8
	// ReportUnit is the unit of the times in a report.
	ReportUnit = 250 * time.Microsecond

	maxReportUnits = 1<<32 - 1 // 12 days; keeps every sum of a report's times within a Duration
)

// Report says what one side received of a session's packets, all cumulative, so that a lost report
// costs nothing. docs/protocol.md, section 4.3.
type Report struct {
	Highest  uint64        // highest counter received
	Received uint64        // packets, replays not counted
	Lost     uint16        // packets lost after repair, mod 2^16
	Bursts   [6]uint8      // bursts of loss, mod 256: of 1, 2, 3-4, 5-8, 9-16, 17 or more packets
	Age      time.Duration // since Highest arrived; travels in ReportUnits, rounded down

	N       int // how many of Samples are there, at most MaxSamples
	Samples [MaxSamples]Sample
}

// Sample is when an earlier packet arrived, relative to the sample before it (the first: relative to
// Highest). Packets that arrived after one with a higher counter are never samples, so both go back.
type Sample struct {
	CounterBack uint64        // 1 or more
	ArrivalBack time.Duration // travels in ReportUnits, rounded down
}

var (
	errReportShort   = &FormatError{"report", ErrTruncated, ""}
	errReportLong    = &FormatError{"report", ErrInvalid, "goes on after its last sample"}
	errReportN       = &FormatError{"report", ErrLimit, "at most 8 samples"}
	errReportTime    = &FormatError{"report", ErrLimit, "times are below 2^32 units"}
	errReportCounter = &FormatError{"report", ErrInvalid, "a sample goes back by 1 or more, not below 0"}
)

// reportUnits rounds down to what travels. Out of range values become the nearest in range.
func reportUnits(d time.Duration) uint64 { return uint64(min(max(d/ReportUnit, 0), maxReportUnits)) }

// AppendReport appends r as a frame.
//
//	highest (varint) || received (varint) || lost (2) || bursts (6 x 1) || age (varint, 250 us)
//	|| n (1) || n times: counter back (varint) || arrival back (varint, 250 us)
func AppendReport(dst []byte, r *Report, last bool) []byte {
	samples := r.Samples[:min(max(r.N, 0), MaxSamples)]
	n := varintLen(r.Highest) + varintLen(r.Received) + 2 + len(r.Bursts) + varintLen(reportUnits(r.Age)) + 1
	for _, s := range samples {
		n += varintLen(s.CounterBack) + varintLen(reportUnits(s.ArrivalBack))
	}
	dst = appendFrameStart(dst, KindTyped, FrameReport, n, last)
	dst = appendVarint(appendVarint(dst, r.Highest), r.Received)
	dst = binary.BigEndian.AppendUint16(dst, r.Lost)
	dst = append(dst, r.Bursts[:]...)
	dst = appendVarint(dst, reportUnits(r.Age))
	dst = append(dst, byte(len(samples)))
	for _, s := range samples {
		dst = appendVarint(appendVarint(dst, s.CounterBack), reportUnits(s.ArrivalBack))
	}
	return dst
}

// ParseReport reads the body of a report. All of it was checked to be possible, none of it to be true:
// Highest may never have been sent.
func ParseReport(body []byte) (Report, error) {
	r := reader{b: body}
	p := Report{Highest: r.varint(), Received: r.varint(), Lost: r.uint16()}
	copy(p.Bursts[:], r.take(len(p.Bursts)))
	age := r.varint()
	p.N = int(r.uint8())
	switch {
	case r.short:
		return Report{}, errReportShort
	case age > maxReportUnits:
		return Report{}, errReportTime
	case p.N > MaxSamples:
		return Report{}, errReportN
	}
	p.Age = time.Duration(age) * ReportUnit
	at := p.Highest
	for i := range p.N {
		back, arrival := r.varint(), r.varint()
		switch {
		case r.short:
			return Report{}, errReportShort
		case back == 0 || back > at:
			return Report{}, errReportCounter
		case arrival > maxReportUnits:
			return Report{}, errReportTime
		}
		at -= back
		p.Samples[i] = Sample{back, time.Duration(arrival) * ReportUnit}
	}
	if len(r.b) > 0 {
		return Report{}, errReportLong
	}
	return p, nil
}
