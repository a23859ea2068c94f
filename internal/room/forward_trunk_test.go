package room

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// rail is a Trunk that notes what it is sent. It is safe for concurrent use.
type rail struct {
	mu     sync.Mutex // guards what follows
	frames []railFrame
}

type railFrame struct {
	st         *Stream
	tx         *link.Tx
	kid        wire.KID
	ctr        uint64
	layer      uint8
	ciphertext string
	from       Trunk
}

func (r *rail) SendStream(tx *link.Tx, st *Stream, m *wire.Media, from Trunk) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, railFrame{st, tx, m.KID, m.CTR, m.Layer, string(m.Ciphertext), from})
	m.Alias, m.Long, m.Tagged, m.Room = 77, true, true, st.Room() // for its own link
}

// read returns what came since the last read.
func (r *rail) read() []railFrame {
	r.mu.Lock()
	defer r.mu.Unlock()
	frames := r.frames
	r.frames = nil
	return frames
}

func forward(st *Stream, ctr uint64, from Trunk) (local, trunks int) {
	m := media(ctr)
	m.Layer, m.Tagged = 1, from != nil
	return st.Forward(Everybody, m, testTx, scratch(), scratch(), from)
}

// TestForwardToTrunks wants each trunk of a talker's home to get a frame once, and local members as ever.
func TestForwardToTrunks(t *testing.T) {
	h := newHouse(t)
	a, listener := h.join("r"), h.join("r")
	b, c := h.joinRemote("r", homeB), h.joinRemote("r", homeC)
	one, two := new(rail), new(rail)
	h.rooms.SetTrunks("r", wire.RelayID{}, []Trunk{one, two})
	h.rooms.SetTrunks("r", homeB, []Trunk{two})
	for _, test := range []struct {
		who           *guest
		from          Trunk
		local, trunks int
		one, two      int
	}{
		{a, nil, 1, 2, 1, 1},
		{b, one, 2, 1, 0, 1},
		{b, two, 2, 0, 0, 0}, // never back to where it came from
		{c, one, 2, 0, 0, 0}, // nobody wants it
	} {
		st := test.who.bind(t, 0, 0, epoch)
		local, trunks := forward(st, 70_000, test.from)
		if local != test.local || trunks != test.trunks {
			t.Errorf("%v: to %d and %d trunks, want %d and %d", test.who.Home(), local, trunks, test.local,
				test.trunks)
		}
		for i, got := range [][]railFrame{one.read(), two.read()} {
			if want := []int{test.one, test.two}[i]; len(got) != want {
				t.Errorf("%v: trunk %d got %d frames, want %d", test.who.Home(), i, len(got), want)
			}
			for _, f := range got {
				if f != (railFrame{st, testTx, st.KID(), 70_000, 1, "ciphertext 70000", test.from}) {
					t.Errorf("sent %+v", f)
				}
			}
		}
		frames := listener.ears.read()
		if len(frames) != 1 {
			t.Fatalf("the listener got %d frames", len(frames))
		}
		checkFrame(t, frames[0], st)
		if st.KID() != wire.MakeKID(test.who.ID, 0, 0) || st.Room() != wire.HashRoom("r") {
			t.Errorf("stream %v of %v", st.KID(), st.Room())
		}
	}
	for _, g := range []*guest{b, c} {
		if len(g.ears.read()) != 0 || g.ears.known != nil {
			t.Error("a remote member was sent media past its trunk, or told of aliases")
		}
	}
}

// TestTrunksOutliveRooms wants what was said of a room's name to hold for every room of that name.
func TestTrunksOutliveRooms(t *testing.T) {
	h := newHouse(t)
	out := new(rail)
	h.rooms.SetTrunks("r", wire.RelayID{}, []Trunk{out})
	h.rooms.SetTrunks("r", homeB, []Trunk{out})
	sent := func(what string, g *guest, want int) {
		t.Helper()
		if _, n := forward(g.bind(t, 0, 0, epoch), 1, nil); n != want || len(out.read()) != want {
			t.Errorf("%s: to %d trunks, want %d", what, n, want)
		}
	}
	for range 2 {
		a, b, other := h.join("r"), h.joinRemote("r", homeB), h.join("another")
		sent("local", a, 1)
		sent("remote", b, 1)
		sent("another room", other, 0)
		for _, g := range []*guest{a, b, other} {
			g.Leave(epoch)
		}
	}
	a := h.join("r")
	trunks := []Trunk{out}
	h.rooms.SetTrunks("r", wire.RelayID{}, trunks)
	trunks[0] = nil // the caller's again
	sent("set again", a, 1)
	h.rooms.SetTrunks("r", wire.RelayID{}, nil)
	sent("forgotten", a, 0)
	h.rooms.SetTrunks("r", homeB, nil)
	sent("forgotten while nobody is there", h.joinRemote("r", homeB), 0)
	if len(h.rooms.trunks) != 0 {
		t.Errorf("%d parts are remembered", len(h.rooms.trunks))
	}
}

// TestTrunkSetsGo wants a room not to remember homes that have no members in it.
func TestTrunkSetsGo(t *testing.T) {
	h := newHouse(t)
	a, b, c := h.join("r"), h.joinRemote("r", homeB), h.joinRemote("r", homeB)
	room := a.room
	b.Leave(epoch)
	if len(room.trunks) != 2 {
		t.Errorf("%d homes, want 2", len(room.trunks))
	}
	c.Leave(epoch)
	c.Leave(epoch)
	if len(room.trunks) != 1 {
		t.Errorf("%d homes, want 1", len(room.trunks))
	}
}

func TestRemoteStreamsAreDropped(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.joinRemote("r", homeB)
	out := new(rail)
	h.rooms.SetTrunks("r", homeB, []Trunk{out})
	if b.Bind(wire.MakeKID(a.ID, 0, 0), epoch) != nil {
		t.Error("a remote member may use another's key id")
	}
	made := 0
	for i := range 100 {
		if b.Bind(wire.MakeKID(b.ID, 0, uint8(i)), epoch) != nil {
			made++
		}
	}
	if made != bindBurst {
		t.Errorf("%d streams at once", made)
	}
	st := b.bind(t, 1, 0, seconds(10))
	if st.Dropped() {
		t.Error("dropped at once")
	}
	b.Leave(seconds(10))
	if local, trunks := forward(st, 1, nil); !st.Dropped() || local != 0 || trunks != 0 ||
		len(out.read()) != 0 {
		t.Error("media of who has left goes on")
	}
}

// TestTransitMedia wants media to pass through where nobody listens.
func TestTransitMedia(t *testing.T) {
	h := newHouse(t)
	out := new(rail)
	h.rooms.SetTrunks("r", homeB, []Trunk{out})
	st := h.joinRemote("r", homeB).bind(t, 0, 0, epoch)
	if local, trunks := forward(st, 5, new(rail)); local != 0 || trunks != 1 {
		t.Errorf("to %d and %d trunks", local, trunks)
	}
	if got := out.read(); len(got) != 1 || got[0].ctr != 5 {
		t.Errorf("sent %+v", got)
	}
}

// deafRail is a Trunk that counts.
type deafRail struct{ frames atomic.Uint64 }

func (d *deafRail) SendStream(*link.Tx, *Stream, *wire.Media, Trunk) { d.frames.Add(1) }

func TestForwardToTrunksDoesNotAllocate(t *testing.T) {
	st := crowd(t, 200)
	from := new(deafRail)
	st.member.rooms.SetTrunks("r", wire.RelayID{}, []Trunk{new(deafRail), from, new(deafRail), new(deafRail)})
	m, short, long := media(1), scratch(), scratch()
	if n := testing.AllocsPerRun(100, func() { st.Forward(Everybody, m, nil, short, long, from) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	if from.frames.Load() != 0 {
		t.Error("a frame went back")
	}
}

// TestForwardToTrunksWaitsForNobody wants media to go on while whatever changes trunks is stuck.
func TestForwardToTrunksWaitsForNobody(t *testing.T) {
	st := crowd(t, 1)
	rooms := st.member.rooms
	rooms.SetTrunks("r", wire.RelayID{}, []Trunk{new(deafRail)})
	room := st.member.room
	for _, mu := range []sync.Locker{&rooms.mu, &room.mu, &room.keys.mu} {
		mu.Lock()
		defer mu.Unlock()
	}
	if local, trunks := st.Forward(Everybody, media(1), nil, scratch(), scratch(), nil); local != 1 ||
		trunks != 1 {
		t.Errorf("to %d and %d trunks", local, trunks)
	}
}

func BenchmarkForward200And8Trunks(b *testing.B) {
	st := crowd(b, 200)
	trunks := make([]Trunk, 8)
	for i := range trunks {
		trunks[i] = new(deafRail)
	}
	st.member.rooms.SetTrunks("r", wire.RelayID{}, trunks)
	m := &wire.Media{Ciphertext: make([]byte, 70)}
	short, long := scratch(), scratch()
	b.ReportAllocs()
	for b.Loop() {
		m.CTR++
		st.Forward(Everybody, m, nil, short, long, nil)
	}
}
