package routing

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// tableRig is one table whose peers are played by the test.
type tableRig struct {
	*tableNode
	t      *testing.T
	outbox []rigMessage
	serial uint64

	receipts []rigReceipt // of what is not acknowledged
	silent   bool         // nothing is
}

// rigReceipt is that of a message that the table is to hear of.
type rigReceipt struct {
	from wire.RelayID
	of   Receipt
}

type rigMessage struct {
	to   wire.RelayID
	kind wire.UrgentKind
	body []byte
}

// newTableRig returns a rig. Its net has no other nodes and only keeps the time.
func newTableRig(t *testing.T, limits limits) *tableRig {
	net := newTableNet(t, 1, 1)
	r := &tableRig{tableNode: net.nodes[0], t: t}
	r.table = drive(newTable(r.identity, 1, globalRoom, limits), r)
	return r
}

func (r *tableRig) send(p wire.RelayID, kind wire.UrgentKind, body []byte) {
	r.outbox = append(r.outbox, rigMessage{p, kind, body})
}

func (r *tableRig) sendThen(p wire.RelayID, kind wire.UrgentKind, body []byte, of Receipt) {
	r.send(p, kind, body)
	r.receipts = append(r.receipts, rigReceipt{p, of})
}

// ack acknowledges all that was sent, and what is sent then.
func (r *tableRig) ack() {
	for len(r.receipts) > 0 && !r.silent {
		list := r.receipts
		r.receipts = nil
		for _, one := range list {
			r.table.acked(one.from, one.of, r.net.now)
		}
	}
}

// wait lets time pass.
func (r *tableRig) wait(d time.Duration) {
	r.ack()
	for until := r.net.now.Add(d); ; {
		next := r.table.tick(r.net.now)
		if next.IsZero() || next.After(until) {
			r.net.now = until
			r.table.tick(until)
			r.ack()
			return
		}
		if !next.After(r.net.now) {
			r.t.Fatalf("tick is due again at once")
		}
		r.net.now = next
		r.ack()
	}
}

// took returns how many messages of a kind were sent to a peer since the last call for any kind and peer, and
// forgets them all.
func (r *tableRig) took(p wire.RelayID, kind wire.UrgentKind) (n int) {
	r.ack()
	for _, m := range r.outbox {
		if m.to == p && m.kind == kind {
			n++
		}
	}
	r.outbox = nil
	return n
}

// wantProblem fails unless exactly these problems were told since the last call.
func (r *tableRig) wantProblem(what ...string) {
	r.t.Helper()
	var got []string
	for _, p := range r.problems {
		got = append(got, p[:slices.Index([]byte(p), ':')])
	}
	if !slices.Equal(got, what) {
		r.t.Errorf("the problems are %q, want kinds %q", r.problems, what)
	}
	r.problems = nil
}

// wantView fails unless n members of a home are shown in a room.
func (r *tableRig) wantView(h *rigHome, room string, n int) {
	r.t.Helper()
	if got := len(r.views[tableView{h.identity.Public(), room}]); got != n {
		r.t.Errorf("%d members are shown, want %d", got, n)
	}
}

// rigHome is a relay with members that the test plays.
type rigHome struct {
	rig      *tableRig
	identity *identity.Identity
	id       wire.RelayID
	boot     uint64
	sequence uint64
}

func (r *tableRig) home(n int) *rigHome {
	h := &rigHome{rig: r, identity: testIdentity(n), boot: 1}
	h.id = wire.RelayIDOf(h.identity.Public())
	return h
}

// up brings up the link to h.
func (h *rigHome) up() *rigHome {
	h.rig.table.up(h.id, "label", h.rig.net.now)
	return h
}

// entries returns n new entries of members of h.
func (h *rigHome) entries(room string, n int) (list [][]byte) {
	for range n {
		list = append(list, h.rig.net.entry(h.identity.Public(), room))
	}
	return list
}

// record returns the next version of h's part of a room.
func (h *rigHome) record(room string, entries [][]byte) wire.RoomRecord {
	h.sequence++
	list, _ := sortMembers(entries)
	record := wire.RoomRecord{Room: room, Boot: h.boot, Sequence: h.sequence, Members: uint32(len(list)),
		Digest: digestOf(list)}
	record.Sign(h.identity)
	return record
}

// announce returns a message with a record by the path over the given relays, the sender first, complete with
// entries.
func (r *tableRig) announce(record wire.RoomRecord, joined [][]byte, path ...*rigHome) *wire.FederationRoom {
	r.serial++
	m := &wire.FederationRoom{Serial: r.serial, Record: record, Joined: joined}
	for _, h := range path {
		m.Path = append(m.Path, h.id)
	}
	return m
}

// says lets h send a message to the table.
func (h *rigHome) says(m any) {
	h.rig.t.Helper()
	var kind wire.UrgentKind
	var body []byte
	switch m := m.(type) {
	case *wire.FederationRoom:
		kind, body = wire.UrgentFederationRoom, wire.Append(nil, m)
	case *wire.FederationLeave:
		kind, body = wire.UrgentFederationLeave, wire.Append(nil, m)
	case *wire.FederationWant:
		kind, body = wire.UrgentFederationWant, wire.Append(nil, m)
	case *wire.FederationFetch:
		kind, body = wire.UrgentFederationFetch, wire.Append(nil, m)
	case *wire.FederationMembers:
		kind, body = wire.UrgentFederationMembers, wire.Append(nil, m)
	default:
		h.rig.t.Fatalf("a %T", m)
	}
	h.rig.ack()
	if !h.rig.table.receive(h.id, kind, body, h.rig.net.now) {
		h.rig.t.Errorf("a message of kind %v was not taken", kind)
	}
	h.rig.ack()
}

func (r *tableRig) leaves(home *rigHome, room string) *wire.FederationLeave {
	r.serial++
	return &wire.FederationLeave{Serial: r.serial, Home: home.id, Room: wire.HashRoom(room)}
}

func (r *tableRig) wanting(home wire.RelayID, room string, want bool) *wire.FederationWant {
	r.serial++
	return &wire.FederationWant{Serial: r.serial, Home: home, Room: wire.HashRoom(room), Want: want}
}

// pieces returns the messages of a list in the version of a record, each with k entries.
func (h *rigHome) pieces(record wire.RoomRecord, entries [][]byte, k int) (list []*wire.FederationMembers) {
	sorted, _ := sortMembers(entries)
	for i := 0; i < len(sorted); i += k {
		list = append(list, &wire.FederationMembers{
			Home: wire.RelayIDOf(record.Home), Room: wire.HashRoom(record.Room), Boot: record.Boot,
			Sequence: record.Sequence,
			First:    uint32(i), Total: uint32(len(sorted)),
			Entries: entriesOf(sorted[i:min(i+k, len(sorted))]),
		})
	}
	return list
}
