package federation

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/wire"
)

// bigPart is a rig with a home that is a neighbour, a part of it with n members, and 7 other peers.
func bigPart(n int) (r *tableRig, home *rigHome, entries [][]byte) {
	r = newTableRig(&testing.T{}, defaultTableLimits())
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

// BenchmarkChangeOfBigPart is what a join and a leave in a part of 2000 cost: a record's signature, for the join an entry's,
// a digest over 64 KB, and 7 messages.
func BenchmarkChangeOfBigPart(b *testing.B) {
	const n = 1999
	r, home, entries := bigPart(n)
	more := home.entries("ops", 1)
	with := append(entries[:n:n], more...)
	id := []wire.MemberID{wire.EntryID(more[0])}
	for _, what := range []string{"signatures", "join", "leave"} {
		b.Run(what, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				join := r.announce(home.record("ops", with), more, home)
				join.Base = home.sequence - 1
				leave := r.announce(home.record("ops", entries), nil, home)
				leave.Base, leave.Left = home.sequence-1, id
				for i, m := range []*wire.FederationRoom{join, leave} {
					body := wire.AppendFederationRoom(nil, m)
					if what == []string{"join", "leave"}[i] {
						b.StartTimer()
					}
					r.table.urgent(home.id, wire.UrgentFederationRoom, body, r.net.now)
					b.StopTimer()
				}
				if r.outbox = r.outbox[:0]; len(r.problems) > 0 || len(r.table.parts) != 1 {
					b.Fatal(r.problems)
				}
				b.StartTimer()
				if what == "signatures" { // of the join: what the table cannot save
					if _, err := wire.ParseEntry(more[0]); err != nil || !join.Record.Verify() {
						b.Fatal("a signature does not verify")
					}
				}
			}
		})
	}
}

// BenchmarkListOfBigPart puts a list of 2000 together, and reports the longest and the last step.
func BenchmarkListOfBigPart(b *testing.B) {
	r, home, _ := bigPart(1)
	var longest, last time.Duration
	for b.Loop() {
		b.StopTimer()
		entries := home.entries("ops", 2000)
		record := home.record("ops", entries)
		home.says(r.announce(record, nil, home))
		r.wait(time.Second)
		var bodies [][]byte
		for _, piece := range home.pieces(record, entries, 4) {
			bodies = append(bodies, wire.AppendFederationParticipants(nil, piece))
		}
		b.StartTimer()
		for _, body := range bodies {
			at := time.Now()
			r.table.urgent(home.id, wire.UrgentFederationParticipants, body, r.net.now)
			last = time.Since(at)
			longest = max(longest, last)
		}
		b.StopTimer()
		if got := len(r.table.parts[partKey{home.id, wire.HashRoom("ops")}].content.members); got != 2000 || len(r.problems) > 0 {
			b.Fatalf("%d members, %v", got, r.problems)
		}
		r.wait(time.Minute)
		r.outbox = nil
		b.StartTimer()
	}
	b.ReportMetric(float64(last.Microseconds()), "µs-last")
	b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
}
