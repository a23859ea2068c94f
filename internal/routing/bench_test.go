package routing

import (
	"testing"

	"github.com/wzp-voice/wzp/internal/wire"
)

// BenchmarkJoinHeard is what a relay with 8 peers pays for somebody's join in a room of 100: a record's
// signature, an entry's, a digest, and 7 messages.
func BenchmarkJoinHeard(b *testing.B) {
	r := newTableRig(&testing.T{}, defaultLimits())
	home := r.home(1).up()
	for i := range 7 {
		r.home(10 + i).up()
	}
	entries := home.entries("ops", 100)
	record := home.record("ops", entries)
	home.says(r.announce(record, nil, home))
	for _, piece := range home.pieces(record, entries, 3) {
		home.says(piece)
	}
	var bodies [][]byte
	for i := range b.N {
		joined := home.entries("ops", 1)
		left := wire.EntryID(entries[i%100])
		entries[i%100] = joined[0]
		m := r.announce(home.record("ops", entries), joined, home)
		m.Base, m.Left = home.sequence-1, []wire.MemberID{left}
		bodies = append(bodies, wire.Append(nil, m))
	}
	r.outbox = nil
	b.ResetTimer()
	for _, body := range bodies {
		r.table.receive(home.id, wire.UrgentFederationRoom, body, r.net.now)
	}
	b.StopTimer()
	if len(r.problems) > 0 || len(r.outbox) != 7*b.N {
		b.Fatalf("%d messages, %v", len(r.outbox), r.problems)
	}
}

// BenchmarkParent is asked for each packet that comes over a peer link.
func BenchmarkParent(b *testing.B) {
	r := newTableRig(&testing.T{}, defaultLimits())
	home := r.home(1).up()
	entries, room := home.entries("ops", 1), wire.HashRoom("ops")
	home.says(r.announce(home.record("ops", entries), entries, home))
	for b.Loop() {
		if !r.parent(home.id, room, home.id, r.net.now) {
			b.Fatal("not the parent")
		}
	}
}
