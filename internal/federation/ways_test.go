package federation

import (
	"log/slog"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestReceivingWaitsForNobody has the table be at work for good: whatever is called where packets are
// received goes on.
func TestReceivingWaitsForNobody(t *testing.T) {
	f := New(Options{
		Identity: identity.SeedFromBytes([identity.SeedSize]byte{1}).Identity(),
		Rooms:    room.NewRooms(room.Limits{Rooms: 10, Members: 10, MemberRate: 32_000, RoomRate: 250_000}),
		Log:      slog.New(slog.DiscardHandler),
		Tell:     func(*room.Member) {},
	})
	defer f.links.Close()
	all := func(string) bool { return true }
	f.isGlobal.Store(&all)
	l := new(countingLink)
	n := &livePeer{federation: f, id: wire.RelayID{1}, link: l,
		intake: newIntake(intakeLimits{}, intakeReports{})}
	f.live[n.id] = n
	home := wire.RelayID{2}
	f.bridgedRoom("r")
	f.ways.set(routing.PartKey{Home: home, Room: wire.HashRoom("r")}, routing.Way{Best: n.id}, n)
	f.mu.Lock()
	defer f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !n.Urgent(wire.UrgentFederationLeave, []byte{1}) {
			t.Error("an announcement is not taken")
		}
		if st := n.Bind(&wire.Media{Room: wire.HashRoom("r"),
			KID: wire.MakeKID(wire.MemberID{9}, 0, 0)}); st == nil {
			t.Error("media of who is announced soon is not kept")
		}
		in := &incoming{Stream: link.Stream{Room: wire.HashRoom("r")}, federation: f, from: n}
		if !in.mayCome(home, time.Now()) {
			t.Error("media may not come")
		}
		if err := f.route(&wire.FederationMessage{Room: wire.HashRoom("r")}, home, nil); err != nil ||
			l.sent != 1 {
			t.Errorf("a message about keys: %v, %d are sent", err, l.sent)
		}
		f.Changed("r")
		f.later(func(now time.Time) { f.acked(n, routing.Receipt{}, now) })
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("something that is called where packets are received waits for the table")
	}
}

// countingLink counts the urgent messages that it is given. It sends nothing.
type countingLink struct {
	peerLink
	sent int
}

func (l *countingLink) Send(wire.UrgentKind, []byte, func()) { l.sent++ }

// TestWays follows a part from when it is reached to when it is not any more, and is again.
func TestWays(t *testing.T) {
	var w ways
	now := time.Unix(1000, 0)
	key, a, b := routing.PartKey{Home: wire.RelayID{1},
		Room: wire.RoomHash{1}}, wire.RelayID{2}, wire.RelayID{3}
	to := new(livePeer)
	if p := w.passage(key.Home, key.Room); p.way() != nil || p.from(a, now) ||
		w.next(key.Home, key.Room) != nil {
		t.Error("there is a way to a part that nobody announced")
	}
	w.set(key, routing.Way{Best: a}, to)
	p := w.passage(key.Home, key.Room)
	if p.way() == nil || !p.from(a, now) || p.from(b, now) || w.next(key.Home, key.Room) != to {
		t.Error("not by the best peer alone")
	}
	w.set(key, routing.Way{Best: b, Former: []routing.Former{{Peer: a, Until: now.Add(time.Second)}}}, to)
	if p.way() == nil || !p.from(a, now) || !p.from(b, now) || p.from(a, now.Add(time.Second)) {
		t.Error("the former way is not one for a second")
	}
	w.set(key, routing.Way{Former: []routing.Former{{Peer: b, Until: now.Add(time.Second)}}}, nil)
	if p.way() == nil || !p.from(b, now) || p.from(wire.RelayID{}, now) || w.next(key.Home, key.Room) != nil {
		t.Error("unreached, media of the former peer may not come for a second")
	}
	w.set(key, routing.Way{}, nil)
	if p.way() != nil || p.from(b, now) || w.passage(key.Home, key.Room) != nil {
		t.Error("the passage has not ended")
	}
	w.set(key, routing.Way{Best: a}, to)
	if again := w.passage(key.Home, key.Room); again == p || !again.from(a, now) || p.from(a, now) {
		t.Error("the part that is back has no passage of its own")
	}
	in := &incoming{Stream: link.Stream{Room: key.Room}, federation: &Federation{}, from: &livePeer{id: a}}
	in.federation.ways.set(key, routing.Way{Best: a}, to)
	if n := testing.AllocsPerRun(100, func() { in.mayCome(key.Home, now) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// TestInbox fills the inbox of one peer; those of others are not concerned, and run takes one message of each
// in turn.
func TestInbox(t *testing.T) {
	var in inbox
	body := []byte{0}
	for i := range maxInbox {
		body[0] = byte(i)
		if !in.put(wire.UrgentFederationRoom, body) {
			t.Fatalf("message %d is not taken", i)
		}
	}
	if in.put(wire.UrgentFederationRoom, body) || in.limited() != 1 {
		t.Error("one too many is taken, or not counted")
	}
	for i := range maxInbox {
		if m, ok, more := in.next(); !ok || m.body[0] != byte(i) || more != (i < maxInbox-1) {
			t.Fatalf("%d: %v, %v, %v", i, m, ok, more)
		}
	}
	if _, ok, more := in.next(); ok || more {
		t.Error("there is more than was put")
	}
}
