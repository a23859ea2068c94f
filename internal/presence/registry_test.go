package presence

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// relayNumber returns the identity of a relay.
func relayNumber(n byte) *identity.Identity {
	return identity.SeedFromBytes([identity.SeedSize]byte{31: n, 0: 0xee}).Identity()
}

// personNumber returns a key that is nobody's, for what is not to be signed.
func personNumber(n int) (key identity.PublicKey) {
	binary.BigEndian.PutUint64(key[8:], uint64(n)+1)
	return key
}

// reach returns a record as it would be read, of one of a person's stays.
func reach(who identity.PublicKey, stay byte, sequence uint64, now time.Time) *wire.Reach {
	return &wire.Reach{Identity: who, StayKey: [32]byte{stay, 1}, Sequence: sequence,
		Expiry: now.Add(wire.MaxReach).Unix()}
}

func TestRegistry(t *testing.T) {
	table := New(Options{Identity: relayNumber(1), Boot: 1})
	a, b := personNumber(1), personNumber(2)
	f := a.Fingerprint()
	table.Connect(1, a)
	table.Connect(2, a)
	table.Connect(3, b)
	if e, ok := table.LookUp(f); !ok || e.Available || len(table.Local(f)) > 0 {
		t.Fatal("who does not take calls", e, ok)
	}
	record := []byte{1, 2, 3}
	table.Available(1, reach(a, 1, 5, start), record, start)
	table.Available(2, reach(a, 2, 5, start), []byte{4}, start)
	table.Available(3, reach(a, 3, 5, start), []byte{6}, start) // another's record
	table.Available(4, reach(a, 3, 5, start), []byte{6}, start) // no session
	record[0] = 9
	list := table.Local(f)
	if len(list) != 2 || list[0].Session != 2 || list[1].Session != 1 || list[1].Record[0] != 1 ||
		list[0].Device != reach(a, 2, 5, start).Device() {
		t.Fatalf("%+v", list)
	}
	if e, _ := table.LookUp(f); !e.Available {
		t.Error(e)
	}
	if e, ok := table.LookUp(b.Fingerprint()); !ok || e.Available {
		t.Error(e, ok)
	}
	table.Available(2, reach(a, 1, 5, start), []byte{5}, start) // not newer
	if list := table.Local(f); len(list) != 2 || list[0].Record[0] != 4 {
		t.Errorf("%+v", list)
	}
	table.Available(2, reach(a, 1, 6, start), []byte{5}, start) // the stay goes on in another session
	if list := table.Local(f); len(list) != 1 || list[0].Session != 2 || list[0].Record[0] != 5 {
		t.Errorf("%+v", list)
	}
	table.Disconnect(1, start)
	if list := table.Local(f); len(list) != 1 {
		t.Errorf("%+v", list)
	}
	table.Unavailable(2, start)
	if e, ok := table.LookUp(f); !ok || e.Available || len(table.Local(f)) > 0 {
		t.Error(e, ok)
	}
	table.Disconnect(2, start)
	table.Disconnect(2, start)
	if _, ok := table.LookUp(f); ok {
		t.Error("who has left is there")
	}
}

func TestRecordsExpire(t *testing.T) {
	table := New(Options{Identity: relayNumber(1), Boot: 1})
	a := personNumber(1)
	table.Connect(1, a)
	r := reach(a, 1, 1, start)
	table.Available(1, r, nil, start)
	for now := start; now.Before(start.Add(10 * time.Minute)); now = table.Tick(now) {
		here := len(table.Local(a.Fingerprint())) > 0
		if fresh := r.Fresh(now.Add(-time.Second)); here != fresh && now.After(start.Add(time.Second)) {
			t.Fatal(now.Sub(start), here)
		}
	}
	if len(table.Local(a.Fingerprint())) > 0 {
		t.Error("an expired record")
	}
}

// The ninth device takes the place of the oldest.
func TestDevicesAreBounded(t *testing.T) {
	table := New(Options{Identity: relayNumber(1), Boot: 1})
	a := personNumber(1)
	for i := range MaxDevices + 1 {
		table.Connect(SessionID(i), a)
		table.Available(SessionID(i), reach(a, byte(i), 1, start), nil, start)
	}
	list := table.Local(a.Fingerprint())
	if len(list) != MaxDevices || list[0].Session != MaxDevices || list[MaxDevices-1].Session != 1 {
		t.Errorf("%+v", list)
	}
}

func TestListPages(t *testing.T) {
	table := New(Options{Identity: relayNumber(1), Boot: 1})
	for i := range 100 {
		table.Connect(SessionID(i), personNumber(i))
	}
	seen, last := map[identity.Fingerprint]bool{}, Cursor{}
	for pages := 1; ; pages++ {
		list, next, more := table.List(last, 7)
		for _, e := range list {
			if string(e.Fingerprint[:]) <= string(last[:]) || seen[e.Fingerprint] {
				t.Fatal("out of order")
			}
			last, seen[e.Fingerprint] = e.Fingerprint, true
		}
		if !more {
			if pages != 15 || next != last {
				t.Error(pages)
			}
			break
		}
	}
	if len(seen) != 100 {
		t.Error(len(seen))
	}
	if list, _, more := table.List(Cursor{}, 0); len(list) > 0 || !more {
		t.Error("a page of none")
	}
}

func TestWords(t *testing.T) {
	for s, want := range map[string]Word{"": Peer, "none": None, "peer": Peer, "mesh": Mesh} {
		if w, err := ParseWord(s); w != want || err != nil || s != "" && w.String() != s {
			t.Error(s, w, err)
		}
	}
	if _, err := ParseWord("Mesh"); err == nil {
		t.Error("a word that is none")
	}
}
