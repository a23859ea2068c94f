package room

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

func TestForward(t *testing.T) {
	h := newHouse(t)
	list := h.joinMany("r", 5)
	stranger := h.join("another")
	talker := list[2]
	st := talker.bind(t, 3, 0, epoch)
	m := media(70_000)
	m.Layer, m.Alias, m.KID = 1, 99, 12345 // of the talker's own link
	if sent, _ := st.Forward(Everybody, m, testTx, scratch(), scratch(), nil); sent != 4 {
		t.Errorf("sent to %d, want 4", sent)
	}
	for i, g := range list {
		frames := g.ears.read()
		if g == talker {
			if len(frames) != 0 {
				t.Error("the talker hears itself")
			}
			continue
		}
		if len(frames) != 1 {
			t.Fatalf("member %d got %d frames", i, len(frames))
		}
		checkFrame(t, frames[0], st)
	}
	if len(stranger.ears.read()) != 0 {
		t.Error("heard in another room")
	}
}

// checkFrame wants both forms of the frame that TestForward sends.
func checkFrame(t *testing.T, f frame, st *Stream) {
	t.Helper()
	if f.tx != testTx || f.alias != st.alias {
		t.Errorf("alias %d with %v", f.alias, f.tx)
	}
	for _, form := range []struct {
		bytes string
		want  wire.Media
	}{
		{f.short, wire.Media{Layer: 1, Alias: st.alias, CTR: 70_000 & 0xffff}},
		{f.long, wire.Media{Layer: 1, Alias: st.alias, Long: true, KID: st.kid, CTR: 70_000}},
	} {
		fr, rest, err := wire.NextFrame([]byte(form.bytes))
		if err != nil || len(rest) > 0 {
			t.Fatalf("%d bytes left, %v", len(rest), err)
		}
		got, err := wire.ParseMedia(fr)
		if err != nil || string(got.Ciphertext) != "ciphertext 70000" {
			t.Errorf("ciphertext %q, %v", got.Ciphertext, err)
		}
		got.Ciphertext = nil
		if got.Layer != form.want.Layer || got.Alias != form.want.Alias || got.Long != form.want.Long ||
			got.KID != form.want.KID || got.CTR != form.want.CTR {
			t.Errorf("forwarded %+v, want %+v", got, form.want)
		}
	}
}

func TestBind(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.join("r")
	if a.Bind(wire.MakeKID(b.ID, 0, 0), epoch) != nil {
		t.Error("a member may use another's key id")
	}
	if a.Bind(wire.MakeKID(wire.MemberID{1}, 0, 0), epoch) != nil {
		t.Error("a member may use nobody's key id")
	}
	st := a.bind(t, 0, 0, epoch)
	if again := a.bind(t, 0, 0, epoch); again != st {
		t.Error("a stream that is there is made anew")
	}
	if other := b.bind(t, 0, 0, epoch); other.alias == st.alias {
		t.Error("two streams have one alias")
	}
}

// TestOldestStreamGoes wants the alias of a stream that made room for newer ones never to carry its frames
// again.
func TestOldestStreamGoes(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.join("r")
	var streams []*Stream
	for i := range maxStreams + 1 {
		streams = append(streams, a.bind(t, 0, uint8(i), seconds(float64(i))))
	}
	if n := h.rooms.Stats().Streams; n != maxStreams {
		t.Errorf("%d streams, want %d", n, maxStreams)
	}
	theirs := b.bind(t, 0, 0, seconds(60))
	if theirs.alias != streams[0].alias {
		t.Fatalf("alias %d is used again as %d", streams[0].alias, theirs.alias)
	}
	if n, _ := streams[0].Forward(Everybody, media(1), nil, scratch(), scratch(), nil); n != 0 ||
		len(b.ears.read()) != 0 {
		t.Error("a dropped stream is forwarded, under an alias that is another's by now")
	}
	for _, st := range streams[1:] {
		if n, _ := st.Forward(Everybody, media(1), nil, scratch(), scratch(), nil); n != 1 {
			t.Errorf("stream %v went to %d", st.kid, n)
		}
	}
	b.Leave(seconds(61))
	if n, _ := theirs.Forward(Everybody, media(2), nil, scratch(), scratch(), nil); n != 0 {
		t.Error("a stream of a member who has left is forwarded")
	}
}

// TestOneMemberCannotTakeAllAliases wants everyone else to have aliases while one member makes stream after
// stream.
func TestOneMemberCannotTakeAllAliases(t *testing.T) {
	h := newHouse(t)
	a, b := h.join("r"), h.join("r")
	made := 0
	for i := range 65536 {
		now := seconds(float64(i) / 1000)
		if a.Bind(wire.MakeKID(a.ID, uint8(i>>8), uint8(i)), now) != nil {
			made++
		}
	}
	if limit := bindBurst + bindRate*66; made > limit {
		t.Errorf("%d streams in 66 s, want at most %d", made, limit)
	}
	if st := b.bind(t, 0, 0, seconds(66)); st.alias > 100 {
		t.Errorf("the other's alias is %d", st.alias)
	}
	a.bind(t, 255, 255, seconds(80)) // after a while it may again
}

func TestAliasesLowestFirstAndRested(t *testing.T) {
	h := newHouse(t)
	list := h.joinMany("r", 4)
	var aliases []uint16
	for _, g := range list {
		aliases = append(aliases, g.bind(t, 0, 0, epoch).alias)
	}
	if want := []uint16{0, 1, 2, 3}; !slices.Equal(aliases, want) {
		t.Errorf("aliases %v, want %v", aliases, want)
	}
	list[1].Leave(seconds(10))
	for _, test := range []struct {
		at   float64
		want uint16
	}{{14.9, 4}, {15, 1}, {15.1, 5}} {
		if st := h.join("r").bind(t, 0, 0, seconds(test.at)); st.alias != test.want {
			t.Errorf("after %v s: alias %d, want %d", test.at-10, st.alias, test.want)
		}
	}
}

func TestAliasesEnd(t *testing.T) {
	room := newRoom("r", 1)
	table := room.aliases
	assign := func(st *Stream, now time.Time) bool {
		path := st.member.path()
		alias, ok := table.Free(path[:], st, now)
		if ok {
			st.alias = uint16(alias)
		}
		return ok
	}
	one := &Member{ID: wire.MemberID{1}}
	one.origin.Store(&Origin{})
	streams := make([]*Stream, wire.MaxAliases)
	for i := range streams {
		streams[i] = &Stream{member: one, made: epoch}
		if !assign(streams[i], epoch) || int(streams[i].alias) != i {
			t.Fatalf("stream %d has alias %d", i, streams[i].alias)
		}
	}
	st := &Stream{member: one, made: epoch}
	if assign(st, epoch) {
		t.Errorf("alias %d beyond the last", st.alias)
	}
	room.drop(streams[77], epoch)
	if assign(st, seconds(4.9)) {
		t.Error("an alias did not rest")
	}
	if !assign(st, seconds(5)) || st.alias != 77 {
		t.Errorf("alias %d, want 77", st.alias)
	}
	room.drop(streams[77], seconds(6)) // it is not its any more
	if table.Get(77) != st || table.Used() != wire.MaxAliases {
		t.Error("an alias was freed by its former stream")
	}
	if table.Get(wire.MaxAliases) != nil {
		t.Error("a stream beyond the table")
	}
}

func TestAliasAcks(t *testing.T) {
	h := newHouse(t)
	a, b, c := h.join("r"), h.join("r"), h.join("r")
	st := a.bind(t, 0, 0, epoch)
	pair := wire.AliasPair{Alias: st.alias, KID: st.kid}
	b.AliasAcked(pair)
	if !b.ears.knows(st.alias) || c.ears.knows(st.alias) {
		t.Error("one has acknowledged the alias")
	}
	c.AliasAcked(wire.AliasPair{Alias: st.alias, KID: st.kid + 1})
	c.AliasAcked(wire.AliasPair{Alias: 4000, KID: st.kid})
	c.AliasAcked(wire.AliasPair{Alias: 65535, KID: st.kid})
	if c.ears.knows(st.alias) || c.ears.knows(4000) {
		t.Error("an acknowledgement of something else counts")
	}

	a.Leave(seconds(1))
	next := c.bind(t, 0, 0, seconds(7))
	if next.alias != st.alias {
		t.Fatalf("alias %d, want %d again", next.alias, st.alias)
	}
	if b.ears.knows(next.alias) {
		t.Error("who knew what the alias stood for is taken to know what it stands for")
	}
	b.AliasAcked(pair) // of the stream before, late
	if b.ears.knows(next.alias) {
		t.Error("a stale acknowledgement counts")
	}
	b.AliasAcked(wire.AliasPair{Alias: next.alias, KID: next.kid})
	if !b.ears.knows(next.alias) {
		t.Error("the right acknowledgement does not count")
	}
}
