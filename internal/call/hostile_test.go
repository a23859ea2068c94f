package call

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/internal/wire"
)

// hostile is a relay that does whatever a test wants.
type hostile struct {
	lab    *lab
	answer func(wire.Message) wire.Message // to everything but Hello

	mu       sync.Mutex // guards what follows
	sessions []*link.Session
	entries  [][]byte     // of who joined
	frames   []wire.Media // what came, with full KID and CTR
}

var _ link.Acceptor = (*hostile)(nil)

// hostile starts one at the relay's address. It lets everybody join, and says that nobody is there.
func (l *lab) hostile() *hostile {
	l.t.Helper()
	h := &hostile{lab: l, answer: func(m wire.Message) wire.Message {
		switch m := m.(type) {
		case *wire.Join:
			return &wire.Joined{Room: m.Room, Member: wire.EntryID(m.Entry), Members: 1}
		case *wire.Members:
			return &wire.MemberPage{}
		}
		return nil
	}}
	ep, err := link.NewEndpoint(l.mux(relayAddr), link.Config{Identity: l.key, Version: "hostile", Accept: h})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { ep.Close() })
	return h
}

func (h *hostile) Accept(s *link.Session, _ netip.Addr) (link.AcceptedHandler, *wire.Refused) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions = append(h.sessions, s)
	return h, nil
}

func (h *hostile) Ended(*link.Session, wire.CloseCode) {}

func (h *hostile) Control(_ *link.Session, m wire.Message) wire.Message {
	if m, ok := m.(*wire.Join); ok {
		h.mu.Lock()
		h.entries = append(h.entries, m.Entry)
		h.mu.Unlock()
	}
	return h.answer(m)
}

func (h *hostile) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, h.media)
}

func (h *hostile) media(st *link.Stream, m *wire.Media, _ *link.Tx) {
	st.Seen(m.CTR)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frames = append(h.frames, wire.Media{KID: m.KID, CTR: m.CTR, Ciphertext: slices.Clone(m.Ciphertext)})
}

func (h *hostile) AliasAcked(s *link.Session, pair wire.AliasPair) {}

func (h *hostile) Urgent(s *link.Session, kind wire.UrgentKind, _ []byte) bool {
	if kind == wire.UrgentLeave {
		s.End(wire.CloseLeft)
	}
	return true
}

// session returns the newest one.
func (h *hostile) session() *link.Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[len(h.sessions)-1]
}

// tell sends an urgent message and waits until it has arrived.
func (h *hostile) tell(kind wire.UrgentKind, body []byte) {
	h.lab.t.Helper()
	s := h.session()
	if err := s.SendUrgent(kind, body); err != nil {
		h.lab.t.Fatal(err)
	}
	h.lab.eventually("the message arrives", 10*time.Second, func() bool { return s.UrgentPending() == 0 })
}

// send sends a media frame in its long form.
func (h *hostile) send(alias uint16, m wire.Media) { h.session().SendMediaNow(alias, &m) }

// stranger is a member that exists only in what the relay says, and talks.
type stranger struct {
	entry  []byte
	id     wire.MemberID
	talker *e2ee.Talker
	sealer *e2ee.Sealer
	codec  *opus.Encoder
	time   int64 // samples said
}

// stranger makes one.
func (h *hostile) stranger(n byte, name, room string) *stranger {
	t := h.lab.t
	t.Helper()
	s := new(stranger)
	var err error
	e := wire.MemberEntry{Room: room, Name: name, HomeRelay: h.lab.key.Public(), Commitment: [32]byte{n}}
	if s.entry, err = wire.SignEntry(newIdentity(n), e); err != nil {
		t.Fatal(err)
	}
	hash := wire.HashEntry(s.entry)
	s.id = hash.Member()
	if s.codec, err = opus.NewEncoder(opus.Config{}); err != nil {
		t.Fatal(err)
	}
	s.talker = e2ee.NewTalker(newIdentity(n), hash, room, nil)
	s.talker.Arm(e2ee.AES128CTRHMACSHA256Tag64)
	s.newStream(t, 0)
	return s
}

// newStream begins another stream.
func (s *stranger) newStream(t testing.TB, number uint8) {
	t.Helper()
	var err error
	if s.sealer, err = s.talker.Stream(number); err != nil {
		t.Fatal(err)
	}
}

// key returns the stranger's key for a member, as the relay hands it on.
func (s *stranger) key(t testing.TB, to []byte) []byte {
	t.Helper()
	e, err := wire.ParseEntry(to)
	if err != nil {
		t.Fatal(err)
	}
	s.talker.SetMembers([]e2ee.Recipient{{Hash: wire.HashEntry(to), JoinKey: e.JoinKey}})
	d, _ := s.talker.Step(time.Now())
	if d == nil {
		t.Fatal("no key is due")
	}
	return handedOn(t, s.id, d)[wire.EntryID(to)]
}

// handedOn returns what a relay makes of a distribution, by recipient.
func handedOn(t testing.TB, sender wire.MemberID, d *e2ee.Distribution) map[wire.MemberID][]byte {
	t.Helper()
	announced, err := wire.Parse[wire.SenderKey](d.Announce())
	if err != nil {
		t.Fatal(err)
	}
	messages := make(map[wire.MemberID][]byte)
	for body := range d.Wraps() {
		wraps, err := wire.ParseKeyWraps(body)
		if err != nil {
			t.Fatal(err)
		}
		for i := range wraps.Len() {
			to, wrap := wraps.Wrap(i)
			messages[to] = wire.Append(nil, &wire.Key{Sender: sender, Key: announced.Key, Wrap: wrap})
		}
	}
	return messages
}

// meet introduces a stranger to who joined last, and hands its key on.
func (h *hostile) meet(s *stranger) {
	h.lab.t.Helper()
	h.tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, s.entry))
	h.mu.Lock()
	to := h.entries[len(h.entries)-1]
	h.mu.Unlock()
	h.tell(wire.UrgentKey, s.key(h.lab.t, to))
}

// frames makes n frames of a tone.
func (s *stranger) frames(t *testing.T, n int) (list []wire.Media) {
	t.Helper()
	pcm := tone(20 * time.Millisecond)
	for range n {
		packet := make([]byte, opus.MaxFrameBytes)
		size, _, err := s.codec.Encode(packet, pcm)
		if err != nil {
			t.Fatal(err)
		}
		payload := wire.AppendPayload(nil, timestamp(s.time), packet[:size])
		s.time += int64(len(pcm))
		kid, ctr, ciphertext, err := s.sealer.Seal(nil, payload)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, wire.Media{KID: kid, CTR: ctr, Ciphertext: ciphertext})
	}
	return list
}

// talk sends a stranger's frames, one each 20 ms.
func (h *hostile) talk(alias uint16, frames []wire.Media) {
	for _, m := range frames {
		h.send(alias, m)
		time.Sleep(20 * time.Millisecond)
	}
}

// TestForgedMedia wants garbage and altered frames to be counted, and never heard.
func TestForgedMedia(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		h.meet(s)
		frames := s.frames(t, 50)
		for i := range frames {
			frames[i].Ciphertext[i%len(frames[i].Ciphertext)] ^= 1
		}
		h.talk(3, frames)
		h.send(4, wire.Media{KID: 12345, CTR: 1, Ciphertext: []byte("x")})
		h.send(5, wire.Media{KID: frames[0].KID + 256, CTR: 1 << 61,
			Ciphertext: make([]byte, wire.MaxCiphertext)})
		time.Sleep(time.Second)
		if s := a.room.Stats(); s.Forged != 51 { // the keys of nobody may come yet
			t.Errorf("%d forged, want 51", s.Forged)
		}
		if sounding(a.mix.take()) > 0 || len(a.room.Heard()) != 0 || len(a.room.Streams()) != 0 {
			t.Error("something was heard")
		}
		if got, want := a.news(), []string{"+eve"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		h.talk(3, s.frames(t, 50)) // genuine ones are heard all the same
		time.Sleep(time.Second)
		if ms := sounding(a.mix.take()); ms < 900 || ms > 1200 {
			t.Errorf("heard %d of 1000 ms", ms)
		}
	})
}

// TestReplayedMedia wants every frame to be played once, also after the relay has claimed that the talker
// left.
func TestReplayedMedia(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		joined := wire.AppendMembersJoined(nil, s.entry)
		h.meet(s)
		frames := s.frames(t, 50)
		h.talk(3, frames)
		time.Sleep(time.Second)
		a.mix.take()
		h.talk(3, frames)
		h.talk(9, frames) // by another alias
		h.tell(wire.UrgentMembersLeft, wire.AppendMembersLeft(nil, s.id))
		time.Sleep(20 * time.Second)
		h.tell(wire.UrgentMembersJoined, joined)
		h.talk(3, frames)
		h.talk(10, frames)
		if ms := sounding(a.mix.take()); ms > 0 {
			t.Errorf("%d ms of replayed frames were heard", ms)
		}
		if got := a.room.Heard(); len(got) != 1 || got[0].Stats().Received != 50 {
			t.Errorf("%d streams", len(got))
		}
	})
}

// TestOwnMediaComesBack wants nobody to hear themselves.
func TestOwnMediaComesBack(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		if err := a.say(&samples{pcm: tone(time.Second)}, PublishConfig{}).Err(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		h.mu.Lock()
		frames := h.frames
		h.mu.Unlock()
		if len(frames) < 50 {
			t.Fatalf("%d frames", len(frames))
		}
		h.talk(3, frames)
		if sounding(a.mix.take()) > 0 || len(a.room.Heard()) > 0 {
			t.Error("heard oneself")
		}
	})
}

// TestBogusStreams wants 10,000 streams of nobody, and of one member, to cost next to nothing, and others to
// be heard after all.
func TestBogusStreams(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		h.tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, s.entry))
		key := s.key(t, h.entries[0])
		first := s.frames(t, 5) // they wait for their key all the while
		h.talk(100, first)
		for i := range 10_000 {
			id := wire.MemberID{1, byte(i >> 8), byte(i)}
			if i%2 == 0 {
				id = wire.MemberID{2}
			}
			bogus := make([]byte, 1000)
			h.send(uint16(i%wire.MaxAliases), wire.Media{KID: wire.MakeKID(id, uint8(i>>8), uint8(i)), CTR: 1,
				Ciphertext: bogus})
			if i%50 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(100 * time.Millisecond)
		hearing := a.room.hearing
		hearing.mu.Lock()
		held := 0
		for _, t := range hearing.talkers {
			held += t.held.bytes
		}
		if held != hearing.heldBytes || held > maxHeldBytes ||
			len(hearing.streams)+len(hearing.history) > 0 || len(hearing.unknown) != maxUnknown ||
			len(hearing.talkers) != maxUnknown+1 ||
			len(hearing.talkers[wire.MemberID{2}].held.frames) > maxHeldOfTalker {
			t.Errorf("%d bytes held, counted as %d, %d streams, %d talkers", held, hearing.heldBytes,
				len(hearing.streams), len(hearing.talkers))
		}
		if n := len(hearing.talkers[s.id].held.frames); n != len(first) {
			t.Errorf("%d frames of who is in the room are held, want %d", n, len(first))
		}
		hearing.mu.Unlock()
		if len(a.room.Heard()) > 0 || len(a.log()) > 2 {
			t.Error("bogus streams were heard of")
		}
		h.tell(wire.UrgentKey, key)
		time.Sleep(500 * time.Millisecond)
		if ms := sounding(a.mix.take()); ms < 80 {
			t.Errorf("heard %d of 100 ms of before the key came", ms)
		}
		time.Sleep(time.Minute)
		hearing.mu.Lock()
		defer hearing.mu.Unlock()
		if len(hearing.talkers) != 1 || hearing.heldBytes != 0 {
			t.Errorf("%d talkers and %d bytes are left after a minute", len(hearing.talkers),
				hearing.heldBytes)
		}
	})
}

// TestOneMemberMakesManyStreams wants those that sounded last to be heard, and the memory of the others
// freed.
func TestOneMemberMakesManyStreams(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		s := h.stranger(50, "eve", "r")
		h.meet(s)
		oldest := s.frames(t, 10)
		h.talk(100, oldest[:5])
		for i := range 3 * maxStreamsOfMember {
			s.newStream(t, uint8(1+i))
			h.talk(uint16(i), s.frames(t, 5))
		}
		if n := len(a.room.Streams()); n != maxStreamsOfMember {
			t.Errorf("%d streams now, want %d", n, maxStreamsOfMember)
		}
		time.Sleep(10 * time.Second)
		if n := a.live(); n != 0 {
			t.Errorf("%d silent streams take memory", n)
		}
		a.mix.take()
		h.talk(100, oldest[5:])
		time.Sleep(500 * time.Millisecond)
		if ms := sounding(a.mix.take()); ms < 80 || a.live() != 1 {
			t.Errorf("heard %d of 100 ms of the oldest, with %d decoders", ms, a.live())
		}
		h.talk(200, s.frames(t, 50))
		time.Sleep(500 * time.Millisecond)
		if ms := sounding(a.mix.take()); ms < 900 {
			t.Errorf("heard %d of 1000 ms of the newest", ms)
		}
	})
}

// live returns how many streams take the memory of those that sound.
func (p *person) live() (n int) {
	for _, st := range p.room.Heard() {
		if st.player.Load() != nil {
			n++
		}
	}
	return n
}

// TestGarbageNews wants what is no genuine entry for this room to be dropped, whatever it is.
func TestGarbageNews(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		good := h.stranger(50, "eve", "r")
		elsewhere := h.stranger(51, "zoe", "another room")
		altered := slices.Clone(h.stranger(52, "ida", "r").entry)
		altered[20] ^= 1
		entries := [][]byte{altered, elsewhere.entry, []byte("garbage"), good.entry, good.entry}
		var pages atomic.Int64
		h.answer = func(m wire.Message) wire.Message {
			switch m := m.(type) {
			case *wire.Join:
				return &wire.Joined{Room: m.Room, Member: wire.EntryID(m.Entry), Members: 1}
			case *wire.Members:
				// without end
				return &wire.MemberPage{Entries: entries, Next: &wire.MemberID{byte(pages.Add(1))}}
			}
			return nil
		}
		a := l.joined("anna", "r")
		for _, e := range [][]byte{altered, elsewhere.entry, []byte("garbage")} {
			h.tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, e))
		}
		h.tell(wire.UrgentMembersJoined, []byte{0xff})
		h.tell(wire.UrgentMembersLeft, []byte{1, 2, 3})
		h.tell(wire.UrgentMembersLeft, wire.AppendMembersLeft(nil, wire.MemberID{1}, a.room.ID()))
		h.tell(wire.UrgentKind(99), []byte("later"))
		h.tell(wire.UrgentShutdown, nil)
		time.Sleep(10 * time.Second)
		if got, want := a.news(), []string{"+eve", "warning relay "}; !sameWords(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if n := pages.Load(); n > pageBurst+pageRate*11 {
			t.Errorf("%d pages were asked for in 10 s", n)
		}
		if err := a.say(&samples{pcm: tone(100 * time.Millisecond)}, PublishConfig{}).Err(); err != nil {
			t.Error(err)
		}
	})
}

// sameWords compares without order.
func sameWords(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// TestNewsOutOfOrder has "joined" arrive after the "left" that followed it.
func TestNewsOutOfOrder(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		time.Sleep(time.Second)
		s := h.stranger(50, "eve", "r")
		h.tell(wire.UrgentMembersLeft, wire.AppendMembersLeft(nil, s.id))
		h.tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, s.entry))
		time.Sleep(5 * time.Second)
		if got := a.room.Members(); len(got) != 0 {
			t.Errorf("%v stays for good", got)
		}
		time.Sleep(doubtTime)
		h.tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, s.entry))
		if got := a.room.Members(); len(got) != 1 {
			t.Error("who came back later is not there")
		}
	})
}

// TestRelayEndsTheSession wants the room to end for good only when the relay means it.
func TestRelayEndsTheSession(t *testing.T) {
	inNetwork(t, func(l *lab) {
		h := l.hostile()
		a := l.joined("anna", "r")
		source := &samples{pcm: tone(time.Minute)}
		pub := a.say(source, PublishConfig{})
		time.Sleep(time.Second)
		h.session().End(wire.CloseLeft) // it forgot us: no reason to give up
		time.Sleep(10 * time.Second)
		if got := a.news(); !slices.Equal(got, []string{"detached", "attached restarted=true"}) {
			t.Errorf("%q", got)
		}
		h.session().End(wire.CloseReplaced)
		select {
		case <-a.room.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("the room goes on")
		}
		if err := pub.Err(); err != nil || source.closed != 1 {
			t.Errorf("the publication: %v, source closed %d times", err, source.closed)
		}
		a.end()
		got := a.news()
		// the end of the connection may come before the packet that says why
		if len(got) > 0 && got[0] == "detached" {
			got = got[1:]
		}
		if len(got) != 1 || !strings.HasPrefix(got[0], "ended the relay ended the session") {
			t.Errorf("%q", got)
		}
		if err := a.room.Leave(); err != nil {
			t.Error(err)
		}
	})
}
