package federation

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestRoomNotGlobal has peers announce rooms that are not global here: no misbehaviour, named once.
func TestRoomNotGlobal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := new(simtest.Log)
		f := New(Options{Identity: identity.SeedFromBytes([identity.SeedSize]byte{1}).Identity(),
			Rooms: room.NewRooms(room.Limits{MemberRate: 32_000, RoomRate: 250_000}),
			Log:   slog.New(slog.NewTextHandler(logged, nil))})
		peer, other := wire.RelayID{1}, wire.RelayID{2}
		f.live[peer] = &livePeer{label: "north"}
		f.live[other] = &livePeer{label: "south"}
		says := func(p wire.RelayID, room string) {
			f.carryOut(routing.NotGlobal{Peer: p, Room: room})
		}
		const text = "a peer bridges a room that is not global here"
		for range 100 {
			says(peer, "Ops")
			time.Sleep(time.Second)
		}
		lines := logged.Lines(text)
		if len(lines) != 1 {
			t.Fatalf("%q", lines)
		}
		for _, text := range []string{
			"level=INFO", "room=Ops", "peer=north", "relay=" + peer.String(),
			`do="add it to [[global_rooms]] to bridge it"`,
		} {
			if !strings.Contains(lines[0], text) {
				t.Errorf("the log does not say %q: %q", text, lines[0])
			}
		}
		says(other, "Ops")
		says(peer, "tea")
		if n := len(logged.Lines(text)); n != 3 {
			t.Errorf("%d lines for three rooms", n)
		}
		for i := range 10_000 { // made up
			says(peer, fmt.Sprint("room ", i))
		}
		if n := len(logged.Lines(text)); n != unsharedMost+1 ||
			len(logged.Lines("are not named for now")) != 1 {
			t.Errorf("%d lines", n)
		}
		time.Sleep(unsharedEvery)
		says(peer, "Ops")
		if n := len(logged.Lines("room=Ops")); n != 3 {
			t.Errorf("an hour later %d lines", n)
		}
		if name, _ := f.warned.Note("complaint", time.Now()); !name || len(logged.Lines("misbehaves")) > 0 {
			t.Errorf("a complaint is not named, or there was one: %q", logged.Lines("misbehaves"))
		}
		f.links.Close()
	})
}

func TestShownRoom(t *testing.T) {
	for name, want := range map[string]string{
		"Ops 1":                    "Ops 1",
		"caf\u00e9":                "caf\u00e9",
		"a\u202eb":                 `a\u202eb`,
		"a\nlevel=ERROR":           `a\nlevel=ERROR`,
		strings.Repeat("x", 1<<16): strings.Repeat("x", wire.MaxRoomName),
	} {
		if got := shownRoom(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}
