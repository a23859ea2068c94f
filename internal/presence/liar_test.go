package presence

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// liar is a peer that says whatever a test wants.
type liar struct {
	t      testing.TB
	table  *Table
	id     *identity.Identity
	self   wire.RelayID
	serial uint64
	heard  []Send
	wrong  []string // what the table complains of
}

func newLiar(t testing.TB, table *Table, number byte, word Word, now time.Time) *liar {
	l := &liar{t: t, table: table, id: relayNumber(number)}
	l.self = wire.RelayIDOf(l.id.Public())
	table.Up(l.self, l.id.Public(), "liar", word, now)
	return l
}

// listen has the table do what is due, acknowledges all that it sends, and notes what it sends the liar.
func (l *liar) listen(now time.Time) {
	l.table.Tick(now)
	for effects := l.table.Drain(); len(effects) > 0; effects = l.table.Drain() {
		for _, e := range effects {
			switch e := e.(type) {
			case Send:
				if e.To == l.self {
					l.heard = append(l.heard, e)
				}
				l.table.Acked(e.To, *e.Receipt, now)
			case Problem:
				l.wrong = append(l.wrong, e.What+": "+e.Reason)
			}
		}
	}
}

// say sends a message, whose serial is the next one.
func (l *liar) say(m wire.UrgentMessage, now time.Time) {
	body, kind := wire.Append(nil, m), wire.UrgentPresenceHome
	switch m.(type) {
	case *wire.PresenceGone:
		kind = wire.UrgentPresenceGone
	case *wire.PresenceNews:
		kind = wire.UrgentPresenceNews
	case *wire.PresenceCompare:
		kind = wire.UrgentPresenceCompare
	case *wire.PresenceContents:
		kind = wire.UrgentPresenceContents
	}
	if body[0] != 0 {
		l.t.Fatal("a message with a serial")
	}
	long := binary.BigEndian.AppendUint64(nil, l.serial|3<<62)
	l.serial++
	l.table.Receive(l.self, kind, append(long, body[1:]...), now)
	l.listen(now)
}

// stateOf signs a state.
func stateOf(id *identity.Identity, boot, sequence uint64, hashes []wire.PresenceHash,
	now time.Time) wire.PresenceState {
	sorted := slices.SortedFunc(slices.Values(hashes), wire.PresenceHash.Compare)
	s := wire.PresenceState{Boot: boot, Sequence: sequence, Count: uint32(len(hashes)),
		Time: uint64(now.UnixMilli()), Digest: wire.DigestPresence(sorted)}
	s.Sign(id)
	return s
}

// claim says that a home is behind the liar.
func (l *liar) claim(number uint64, home *identity.Identity, version uint64, s wire.PresenceState,
	now time.Time, between ...wire.RelayID) {
	m := &wire.PresenceHome{Number: number, PassOn: true, Home: home.Public(), Version: version, State: s}
	if home != l.id {
		m.Before = append([]wire.RelayID{l.self}, between...)
	}
	l.say(m, now)
}

// answer answers the question that the table has asked last.
func (l *liar) answer(hashes []wire.PresenceHash, now time.Time) {
	l.t.Helper()
	for i, e := range slices.Backward(l.heard) {
		if e.Kind != wire.UrgentPresenceCompare {
			continue
		}
		m, err := wire.Parse[wire.PresenceCompare](e.Body)
		if err != nil {
			l.t.Fatal(err)
		}
		l.heard = slices.Delete(l.heard, i, i+1)
		var from wire.PresenceHash
		hashes = slices.SortedFunc(slices.Values(hashes), wire.PresenceHash.Compare)
		for ; len(hashes) > 100; hashes = hashes[100:] {
			l.say(&wire.PresenceContents{Number: m.Number, From: from, Through: hashes[99],
				Hashes: hashes[:100]}, now)
			from, _ = after(hashes[99])
		}
		l.say(&wire.PresenceContents{Number: m.Number, Last: true, From: from, Through: endOfRange(63),
			Hashes: hashes}, now)
		return
	}
	l.t.Fatal("nothing was asked")
}

// asked reports whether the table has asked something.
func (l *liar) asked() bool {
	return slices.ContainsFunc(l.heard, func(e Send) bool { return e.Kind == wire.UrgentPresenceCompare })
}

// hashesOf makes up who is somewhere.
func hashesOf(from, n int) (list []wire.PresenceHash) {
	for i := range n {
		list = append(list, wire.HashPresence(personNumber(from+i).Fingerprint()))
	}
	return list
}

func (l *liar) mustComplain(what string) {
	l.t.Helper()
	if len(l.wrong) == 0 || !strings.HasPrefix(l.wrong[len(l.wrong)-1], what) {
		l.t.Errorf("complains of %q, not of: %s", l.wrong, what)
	}
	l.wrong = nil
}

// small is a table with bounds that a test reaches.
func small(number byte) *Table {
	table := New(Options{Identity: relayNumber(number), Boot: 1})
	table.limits = limits{entries: 1000, ofPeer: 500, homes: 20}
	return table
}

// checkBounds checks that what a table holds is within its bounds, and counted rightly.
func checkBounds(t testing.TB, table *Table) {
	t.Helper()
	total, places := 0, 0
	by := map[wire.RelayID]int{}
	for _, h := range table.homes {
		total += h.hashes.n
		if h.place != nil {
			places++
		}
		if h.best != nil {
			by[h.best.peer.id] += h.hashes.n
		} else if h.hashes.n > 0 {
			t.Error("a home that nobody tells of holds entries")
		}
		if len(h.whole) > h.hashes.n {
			t.Error("more fingerprints than hashes")
		}
	}
	if total != table.entries || total > table.limits.entries || places > table.limits.homes {
		t.Errorf("%d entries, counted as %d; %d homes", total, table.entries, places)
	}
	for id, p := range table.peers {
		if by[id] != p.entries || by[id] > table.limits.ofPeer {
			t.Errorf("%d entries by one peer, counted as %d", by[id], p.entries)
		}
		most := wire.MaxPresenceHomes
		if len(p.held) > heldMost || len(p.routes) > most || len(p.told) > most {
			t.Errorf("a peer has %d messages, %d routes, %d homes told", len(p.held), len(p.routes), len(p.told))
		}
		for _, tl := range p.told {
			if tl.size > pendingMost {
				t.Errorf("%d bytes wait for a peer", tl.size)
			}
		}
	}
}
