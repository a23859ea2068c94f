package room

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// ann is whose stays replace each other.
var ann = identity.SeedFromBytes([32]byte{1}).Identity()

// stay returns a signed entry of id's n-th stay, which replaces another one unless that is nil, and its
// proof.
func stay(t testing.TB, id *identity.Identity, n byte, old *wire.StayProof) ([]byte, *wire.StayProof) {
	t.Helper()
	secret := wire.StaySecret{n}
	entry, err := wire.SignEntry(id, wire.MemberEntry{Room: "r", Commitment: secret.Commitment(), Replaces: old})
	if err != nil {
		t.Fatal(err)
	}
	return entry, &wire.StayProof{Entry: wire.HashEntry(entry), Secret: secret}
}

// arrive has somebody with an entry join, here or at another relay.
func (h *house) arrive(entry []byte, from Origin) (*guest, error) {
	g := &guest{ears: new(receiver)}
	var err error
	if from.Home == (wire.RelayID{}) {
		g.Member, err = h.rooms.Join("r", entry, from, g.ears, epoch)
	} else {
		g.Member, _, err = h.rooms.JoinRemote("r", entry, from, g.ears, epoch)
	}
	return g, err
}

// TestReplaced: a new entry has the old one leave in the same step, wherever the two are, and in whichever
// order they come; it keeps the place, and the old one does not come back while the new one is there.
func TestReplaced(t *testing.T) {
	for name, at := range map[string][2]Origin{
		"here":                {{}, {}},
		"from elsewhere":      {direct(homeB), {}},
		"to elsewhere":        {{}, direct(homeB)},
		"elsewhere":           {direct(homeB), direct(homeC)},
		"elsewhere, the same": {direct(homeB), direct(homeB)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			var gone []*Member
			h.rooms.Replaced = func(m *Member) { gone = append(gone, m) }
			other := h.join("r")
			old, proof := stay(t, ann, 1, nil)
			fresh, _ := stay(t, ann, 2, proof)
			was, err := h.arrive(old, at[0])
			if err != nil {
				t.Fatal(err)
			}
			h.rooms.Flush(epoch)
			other.ears.quiet(t)
			is, err := h.arrive(fresh, at[1])
			if err != nil || is.Members() != 2 || h.rooms.Find("r", was.ID) != nil || was.Leave(epoch) {
				t.Fatalf("%v, %d members", err, is.Members())
			}
			if local := !was.remote(); local != (len(gone) == 1) || local && gone[0] != was.Member {
				t.Errorf("%v was told of", gone)
			}
			h.rooms.Flush(epoch)
			other.wantTold(t, "both in one go", plus(is), minus(was))
			if _, err := h.arrive(old, at[0]); !errors.Is(err, ErrReplaced) {
				t.Errorf("the old entry again: %v", err)
			}
			is.Leave(epoch)
			if n := len(other.room.replaced); n > 0 {
				t.Errorf("%d stays are still remembered", n)
			}
			if _, err := h.arrive(old, at[0]); err != nil { // nothing contradicts it any more
				t.Error(err)
			}
		})
		t.Run(name+", late", func(t *testing.T) {
			h := newHouse(t)
			h.join("r")
			old, proof := stay(t, ann, 1, nil)
			fresh, _ := stay(t, ann, 2, proof)
			if _, err := h.arrive(fresh, at[1]); err != nil {
				t.Fatal(err)
			}
			if _, err := h.arrive(old, at[0]); !errors.Is(err, ErrReplaced) {
				t.Errorf("the old entry after the new one: %v", err)
			}
		})
	}
}

// TestNotReplaced: without the secret, by another identity, and of what is not there nobody is replaced.
func TestNotReplaced(t *testing.T) {
	h := newHouse(t)
	old, proof := stay(t, ann, 1, nil)
	was, err := h.arrive(old, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	wrong := *proof
	wrong.Secret[31]++
	thief := identity.SeedFromBytes([32]byte{2}).Identity()
	byThief, _ := stay(t, thief, 3, proof) // it is not secret any more once the new entry was seen
	byWrong, _ := stay(t, ann, 4, &wrong)
	device, _ := stay(t, ann, 5, nil) // another device of the same identity
	nobody, _ := stay(t, ann, 6, &wire.StayProof{Entry: wire.EntryHash{9}, Secret: wire.StaySecret{9}})
	for what, entry := range map[string][]byte{
		"somebody else": byThief, "a wrong secret": byWrong, "no secret": device, "what is not there": nobody,
	} {
		if _, err := h.arrive(entry, Origin{}); err != nil || h.rooms.Find("r", was.ID) == nil {
			t.Errorf("%s: %v, and the old one is gone", what, err)
		}
	}
	if was.Members() != 5 || was.ProvedBy(wrong) || !was.ProvedBy(*proof) {
		t.Errorf("%d members", was.Members())
	}
	// The true heir is not kept out by those who named the same stay.
	fresh, second := stay(t, ann, 7, proof)
	if _, err := h.arrive(fresh, Origin{}); err != nil || h.rooms.Find("r", was.ID) != nil {
		t.Errorf("the true one: %v", err)
	}
	// Nor is a chain broken: each goes when the next one comes.
	for n := byte(10); n < 20; n++ {
		var entry []byte
		entry, second = stay(t, ann, n, second)
		if m, err := h.arrive(entry, Origin{}); err != nil || m.Members() != 5 {
			t.Fatalf("link %d: %v, %d members", n, err, m.Members())
		}
	}
}

// TestReplacedKeepsPlace: a full room, and a full address, have a place for who replaces one of their own.
func TestReplacedKeepsPlace(t *testing.T) {
	for name, limits := range map[string]Limits{
		"room": {Rooms: 1, Members: 1}, "address": {Rooms: 1, Members: 100, PerAddress: 1},
	} {
		h := &house{t: t, rooms: NewRooms(limits)}
		old, proof := stay(t, ann, 1, nil)
		fresh, _ := stay(t, ann, 2, proof)
		third, _ := stay(t, ann, 3, nil)
		block := netip.MustParsePrefix("192.0.2.1/32")
		from := FromAddress(block, block)
		if _, err := h.arrive(old, from); err != nil {
			t.Fatal(err)
		}
		if _, err := h.arrive(third, from); !errors.Is(err, ErrRoomFull) && !errors.Is(err, ErrCrowded) {
			t.Errorf("%s: %v", name, err)
		}
		m, err := h.arrive(fresh, from)
		if err != nil || m.Members() != 1 || h.rooms.with != [2]int{1, 0} {
			t.Errorf("%s: %v", name, err)
		}
		m.Leave(epoch)
		if s := h.rooms.Stats(); s.Rooms+s.TransitRooms+s.Members > 0 || h.rooms.with != [2]int{} {
			t.Errorf("%s: %+v are left", name, s)
		}
	}
}

// TestReplacedRefused: the old one leaves even if there is no place for the new one, and an empty room goes.
func TestReplacedRefused(t *testing.T) {
	h := &house{t: t, rooms: NewRooms(Limits{Rooms: 1, RemoteRooms: 1, Members: 1})}
	old, proof := stay(t, ann, 1, nil)
	if _, err := h.arrive(old, direct(homeB)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.rooms.Join("other", entry(1), Origin{}, new(receiver), epoch); err != nil {
		t.Fatal(err)
	}
	fresh, _ := stay(t, ann, 2, proof)
	if _, err := h.arrive(fresh, Origin{}); !errors.Is(err, ErrTooManyRooms) {
		t.Error(err)
	}
	if s := h.rooms.Stats(); s.RemoteMembers > 0 || s.TransitRooms > 0 {
		t.Errorf("%+v", s)
	}
}
