package routing

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// bigPart is a rig with a home that is a peer, a part of it with n members, and 7 other peers.
func bigPart(n int) (r *tableRig, home *rigHome, entries [][]byte) {
	r = newTableRig(&testing.T{}, defaultLimits())
	home = r.home(1).up()
	for i := range 7 {
		r.home(10 + i).up()
	}
	entries = home.entries("ops", n)
	record := home.record("ops", entries)
	home.says(r.announce(record, nil, home))
	for _, piece := range home.pieces(record, entries, 4) {
		home.says(piece)
	}
	return r, home, entries
}

// BenchmarkChangeOfBigPart is what a join and a leave in a part of 2000 cost: a record's signature, for the
// join an entry's, a digest over 64 KB, and 7 messages. The signatures alone are there for comparison.
func BenchmarkChangeOfBigPart(b *testing.B) {
	const n = 1999
	r, home, entries := bigPart(n)
	more := home.entries("ops", 1)
	with := append(entries[:n:n], more...)
	b.Run("signatures", func(b *testing.B) {
		record := home.record("ops", with)
		for b.Loop() {
			if _, err := wire.ParseEntry(more[0]); err != nil || !record.Verify() {
				b.Fatal("a signature does not verify")
			}
		}
	})
	say := func(body []byte) { r.table.receive(home.id, wire.UrgentFederationRoom, body, r.net.now) }
	b.Run("join and leave", func(b *testing.B) {
		var bodies [][]byte
		home.sequence = r.table.parts[PartKey{home.id, wire.HashRoom("ops")}].content.version.sequence
		for range b.N {
			join := r.announce(home.record("ops", with), more, home)
			join.Base = home.sequence - 1
			leave := r.announce(home.record("ops", entries), nil, home)
			leave.Base, leave.Left = home.sequence-1, []wire.MemberID{wire.EntryID(more[0])}
			bodies = append(bodies, wire.Append(nil, join), wire.Append(nil, leave))
		}
		b.ResetTimer()
		for _, body := range bodies {
			say(body)
		}
		b.StopTimer()
		if len(r.problems) > 0 || r.table.pending > 0 {
			b.Fatalf("%d news wait, %v", r.table.pending, r.problems)
		}
		r.outbox = nil
	})
}

// BenchmarkListOfBigPart puts a list of 2000 together, and reports the longest step but the last, and the
// last: a signature for each entry of the message, and a digest and who joined.
func BenchmarkListOfBigPart(b *testing.B) {
	r, home, _ := bigPart(1)
	entries := home.entries("ops", 2000)
	pieces := home.pieces(home.record("ops", entries), entries, 4)
	var longest, last, all time.Duration
	for b.Loop() {
		b.StopTimer()
		// what is known is not verified again
		home.says(r.announce(home.record("ops", entries[:1]), entries[:1], home))
		record := home.record("ops", entries)
		home.says(r.announce(record, nil, home))
		r.wait(2 * time.Second)
		var bodies [][]byte
		for _, piece := range pieces {
			piece.Sequence = record.Sequence
			bodies = append(bodies, wire.Append(nil, piece))
		}
		b.StartTimer()
		for i, body := range bodies {
			at := time.Now()
			r.table.receive(home.id, wire.UrgentFederationMembers, body, r.net.now)
			if took := time.Since(at); i < len(bodies)-1 {
				longest = max(longest, took)
				all += took
			} else {
				last = max(last, took)
			}
		}
		b.StopTimer()
		if got := len(r.table.parts[PartKey{home.id, wire.HashRoom("ops")}].content.members); got != 2000 ||
			len(r.problems) > 0 {
			b.Fatalf("%d members, %v", got, r.problems)
		}
		r.outbox = nil
		b.StartTimer()
	}
	b.ReportMetric(float64(all.Microseconds())/float64(b.N*(len(pieces)-1)), "µs-piece")
	b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
	b.ReportMetric(float64(last.Microseconds()), "µs-last")
}
