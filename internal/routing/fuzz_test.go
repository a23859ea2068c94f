package routing

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// FuzzTable feeds a table messages of two peers, as they are and put together from valid parts, and looks
// whether its counters still count what they say. The input is a list of: what (1), length (1), that many
// bytes.
func FuzzTable(f *testing.F) {
	f.Add([]byte("\x00\x04abcd\x11\x02zz\x22\x00\x33\x06012345\x44\x03abc"))
	f.Add([]byte("\x08\x03\x00\x01\x02\x08\x03\x01\x01\x02\x09\x03\x00\x01\x02\x0a\x03\x00\x01\x02" +
		"\x0b\x03\x01\x00\x00\x0c\x02\x01\x01"))
	f.Add([]byte("\x08\x05\x00\x04\x00\x00\x00\x0d\x03\x00\x00\x03" +
		"\x08\x05\x01\x02\x01\x01\x01\x08\x05\x00\x00\x02\x00\x03"))
	limits := defaultLimits()
	limits.parts, limits.news, limits.newsTotal, limits.members, limits.total = 4, 3, 6, 5, 12
	f.Fuzz(func(t *testing.T, input []byte) {
		r := newTableRig(t, limits)
		fz := &tableFuzz{tableRig: r, peers: []*rigHome{r.home(1).up(), r.home(2).up()},
			homes: []*rigHome{r.home(1), r.home(3)}}
		for len(input) >= 2 {
			what, n := input[0], min(int(input[1]), len(input)-2)
			fz.step(what, input[2:2+n])
			input = input[2+n:]
			for _, pt := range r.table.parts {
				if got := len(r.views[tableView{pt.home, pt.room}]); got != len(pt.shown) {
					t.Fatalf("%d members are shown, the table has %d", got, len(pt.shown))
				}
			}
		}
		fz.problems = nil
		for _, p := range fz.peers {
			r.table.down(p.id, r.net.now)
		}
		r.table.local("ops", nil, r.net.now)
		r.wait(2 * time.Minute)
		r.net.check()
		if len(r.table.parts) > 0 || len(r.views) > 0 || len(r.trunked) > 0 {
			t.Errorf("%d parts and %d views are left without peers", len(r.table.parts), len(r.views))
		}
	})
}

type tableFuzz struct {
	*tableRig
	peers, homes []*rigHome
}

// step does one thing: the low three bits of what say which, the fourth whether it is raw bytes or put
// together from valid parts.
func (f *tableFuzz) step(what byte, arg []byte) {
	peer := f.peers[what>>4&1]
	if what&8 == 0 {
		f.table.receive(peer.id, wire.UrgentKind(32+what&7), arg, f.net.now)
		return
	}
	var a [6]byte
	copy(a[:], arg)
	home := f.homes[a[0]&1]
	room := []string{"ops", "crew", "private", "x"}[a[0]>>1&3]
	switch what & 7 {
	case 0:
		peer.tell(f.room(peer, home, room, a))
	case 1:
		peer.tell(&wire.FederationLeave{Serial: uint64(a[1]), Home: home.id, Room: wire.HashRoom(room)})
	case 2:
		peer.tell(&wire.FederationWant{Serial: uint64(a[1]), Home: home.id, Room: wire.HashRoom(room),
			Want: a[2]&1 == 1})
	case 3:
		peer.tell(&wire.FederationFetch{Home: home.id, Room: wire.HashRoom(room)})
	case 4:
		total := uint32(a[3]%4 + 1)
		peer.tell(&wire.FederationMembers{Home: home.id, Room: wire.HashRoom(room), Boot: uint64(a[1] & 1),
			Sequence: uint64(a[2]),
			First:    uint32(a[4]) % total, Total: total, Entries: home.fixed(room, 1)})
	case 5:
		f.wait(time.Duration(binary.BigEndian.Uint16(a[1:])) * time.Millisecond)
	case 6:
		if f.table.suspect(peer.id, a[1]&1 == 1, f.net.now); a[1]&2 == 2 {
			f.table.down(peer.id, f.net.now)
		}
	case 7:
		peer.up()
		f.table.local("ops", peer.fixed("ops", int(a[1]%4)), f.net.now)
	}
}

// room puts an announcement together: signed, most of the time, and with a delta that may be right.
func (f *tableFuzz) room(peer, home *rigHome, room string, a [6]byte) *wire.FederationRoom {
	entries := home.fixed(room, int(a[1]%7))
	home.boot, home.sequence = uint64(a[2]&1), uint64(a[2]>>1)
	record := home.record(room, entries)
	if a[3]&7 == 7 {
		record.Digest[0]++
	}
	m := f.announce(record, nil, peer)
	m.Serial = uint64(a[4])
	if home.id != peer.id {
		m.Path = append(m.Path, home.id)
	}
	switch m.Base = uint64(a[5] & 15); {
	case a[3]&8 == 8:
		m.Base = record.Sequence
	case m.Base == 0 && len(entries) < 3:
		m.Joined = entries
	default:
		m.Joined = entries[:min(len(entries), int(a[3]>>4&1))]
		if a[3]&32 == 32 {
			m.Left = []wire.MemberID{wire.EntryID(home.fixed(room, 7)[a[5]>>4%7])}
		}
	}
	return m
}

// fixed returns the first n of a list of entries that is always the same.
func (h *rigHome) fixed(room string, n int) (list [][]byte) {
	for i := range n {
		key := fixedKey{h.id, room, i}
		if fixedEntries[key] == nil {
			entry, err := wire.SignEntry(testMember,
				wire.MemberEntry{Room: room, HomeRelay: h.identity.Public(), Commitment: [32]byte{byte(i)}})
			if err != nil {
				panic(err)
			}
			fixedEntries[key] = entry
		}
		list = append(list, fixedEntries[key])
	}
	return list
}

type fixedKey struct {
	home wire.RelayID
	room string
	i    int
}

var fixedEntries = map[fixedKey][]byte{}

// tell is says for messages that need not be taken.
func (h *rigHome) tell(m any) {
	if h.rig.table.peers[h.id] != nil {
		h.says(m)
	}
}
