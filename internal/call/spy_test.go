package call

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// spy is a relay that forwards as a relay should, notes everything that a relay sees, and meddles as a test
// wants.
//
//	person ── urgent ──> hooks.up ──┐                ┌──> hooks.down ── urgent ──> person
//	       ── media ─────────────── notes, room.Rooms ── hooks.media ── media ───>
//	       ── control ─────────────┘                └── hooks.answer ── control ─>
type spy struct {
	lab      *lab
	notes    *notes
	port     *port
	rooms    *room.Rooms
	endpoint *link.Endpoint
	soon     chan struct{}
	stop     func() // ends it without a word to anybody but QUIC; may be called again
	hooks    atomic.Pointer[hooks]

	mu        sync.Mutex // guards what follows
	present   map[wire.MemberID]*tapped
	ghosts    []*ghost
	listening []*tapped // who was told out of the room, and gets all media all the same
}

// hooks are what a spy does beside its duty. A nil one leaves things as they are.
type hooks struct {
	up     func(from *tapped, m message) []message                        // what the relay takes instead
	down   func(to *tapped, m message) []message                          // what it sends instead
	answer func(from *tapped, question, answer wire.Message) wire.Message // nil: it does not answer
	shows  func(to *tapped, entry []byte) bool                            // in lists and news of joins
	media  func(to *tapped, kid wire.KID, ctr uint64) bool                // whether it passes it
	passed func(to *tapped, kid wire.KID, ctr, packet uint64)             // the number of the sealed packet
}

// message is an urgent message.
type message struct {
	kind wire.UrgentKind
	body []byte
}

// tapped is a session with a member of the spy's room, and the room.Receiver of it.
type tapped struct {
	*link.Session
	spy     *spy
	joining sync.Mutex
	member  atomic.Pointer[room.Member]
}

var (
	_ link.Acceptor = (*spy)(nil)
	_ room.Receiver = (*tapped)(nil)
)

// inSpied runs f in virtual time, with a spy as the relay.
func inSpied(t *testing.T, f func(l *lab, s *spy)) {
	t.Helper()
	inNetwork(t, func(l *lab) { f(l, l.spy(newNotes(l.t))) })
}

// spy starts one at the relay's address that knows nothing but has the notes of those before it.
func (l *lab) spy(n *notes) *spy {
	l.t.Helper()
	conn, err := l.net.Listen(relayAddr)
	if err != nil {
		l.t.Fatal(err)
	}
	s := &spy{
		lab: l, notes: n, port: &port{Conn: conn}, soon: make(chan struct{}, 1),
		present: make(map[wire.MemberID]*tapped),
		rooms:   room.NewRooms(room.Limits{Rooms: 10, Members: 1000, MemberRate: 32_000, RoomRate: 250_000}),
	}
	s.hooks.Store(&hooks{})
	s.rooms.Soon = s.stir
	if s.endpoint, err = link.NewEndpoint(udp.New(s.port),
		link.Config{Identity: l.key, Version: "spy", Accept: s, HelloRate: 1000}); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.tellChanges(ctx)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		s.endpoint.Close()
	})
	l.t.Cleanup(s.stop)
	return s
}

// restart starts another one in the place of s, which ends.
func (s *spy) restart() *spy {
	s.stop()
	return s.lab.spy(s.notes)
}

// set makes the spy meddle; no hooks at all end that.
func (s *spy) set(h hooks) { s.hooks.Store(&h) }

// stir has the members told of changes.
func (s *spy) stir() {
	select {
	case s.soon <- struct{}{}:
	default:
	}
}

// tellChanges is what relay.Run does of its room's work.
func (s *spy) tellChanges(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.soon:
		case <-timer.C:
		}
		if s.rooms.Flush(time.Now()) {
			timer.Reset(100 * time.Millisecond)
		}
	}
}

// of returns a person's session.
func (s *spy) of(p *person) *tapped {
	s.lab.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.present[p.room.ID()]
	if to == nil {
		s.lab.t.Fatal("who is not there cannot be spied upon")
	}
	return to
}

// all returns everybody's sessions.
func (s *spy) all() (list []*tapped) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.present {
		list = append(list, p)
	}
	return list
}

func (s *spy) Accept(ls *link.Session, _ netip.Addr) (link.AcceptedHandler, *wire.Refused) {
	return &tapped{Session: ls, spy: s}, nil
}

func (p *tapped) Ended(*link.Session, wire.CloseCode) {
	s := p.spy
	if m := p.member.Load(); m != nil && m.Leave(time.Now()) {
		s.mu.Lock()
		delete(s.present, m.ID)
		s.mu.Unlock()
		s.stir()
	}
}

func (p *tapped) Control(ls *link.Session, question wire.Message) (answer wire.Message) {
	s := p.spy
	s.notes.control(question)
	switch m := question.(type) {
	case *wire.Join:
		answer = s.join(p, m)
	case *wire.Members:
		answer = s.page(p, m.After)
	case *wire.Leave:
		ls.End(wire.CloseLeft)
	}
	if h := s.hooks.Load(); h.answer != nil {
		answer = h.answer(p, question, answer)
	}
	return answer
}

func (s *spy) join(p *tapped, m *wire.Join) wire.Message {
	p.joining.Lock()
	defer p.joining.Unlock()
	member, err := s.rooms.Join(m.Room, m.Entry, room.Origin{}, p, time.Now())
	if err != nil {
		return &wire.Refused{Code: wire.CodeEntry, Reason: err.Error()}
	}
	p.member.Store(member)
	s.mu.Lock()
	s.present[member.ID] = p
	s.mu.Unlock()
	s.stir()
	return &wire.Joined{Room: m.Room, Member: member.ID, Members: uint32(member.Members())}
}

// page is the member list as p is to see it.
func (s *spy) page(p *tapped, after *wire.MemberID) wire.Message {
	member := p.member.Load()
	if member == nil {
		return &wire.Refused{Code: wire.CodeProtocol}
	}
	var list [][]byte
	for from := new(wire.MemberID); from != nil; {
		var entries [][]byte
		entries, from = member.Page(from)
		list = append(list, entries...)
	}
	s.mu.Lock()
	for _, g := range s.ghosts {
		list = append(list, g.entry)
	}
	s.mu.Unlock()
	h := s.hooks.Load()
	list = slices.DeleteFunc(list, func(entry []byte) bool {
		return h.shows != nil && !h.shows(p, entry) || after != nil &&
			wire.EntryID(entry).Compare(*after) <= 0
	})
	slices.SortFunc(list, func(a, b []byte) int { return wire.EntryID(a).Compare(wire.EntryID(b)) })
	page := &wire.MemberPage{Entries: list}
	if len(list) > wire.MaxPage {
		page.Entries = list[:wire.MaxPage]
		last := wire.EntryID(list[wire.MaxPage-1])
		page.Next = &last
	}
	return page
}

func (p *tapped) Bind(_ *link.Session, media *wire.Media) link.Inbound {
	if m := p.member.Load(); m != nil {
		if st := m.Bind(media.KID, time.Now()); st != nil {
			in := &tappedStream{Stream: link.Stream{KID: media.KID}, of: p}
			in.out.Store(st)
			return in
		}
	}
	return nil
}

// tappedStream is what a person says with one key.
type tappedStream struct {
	link.Stream
	of  *tapped
	out atomic.Pointer[room.Stream]
}

func (in *tappedStream) Media(m *wire.Media, tx *link.Tx) {
	s := in.of.spy
	in.Seen(m.CTR)
	s.notes.frame(m)
	if in.out.Load().Dropped() { // a key id comes again after 16 keys: the room has forgotten it meanwhile
		if again := in.of.member.Load().Bind(m.KID, tx.Now()); again != nil {
			in.out.Store(again)
		}
	}
	in.out.Load().Forward(room.Everybody, m, tx, tx.Short, tx.Long, nil)
	s.mu.Lock()
	listening := s.listening
	s.mu.Unlock()
	for _, p := range listening {
		m.Long = true
		long := wire.AppendMedia(tx.Long[:0], m, true)
		p.SendMedia(tx, m.Alias, long, long)
	}
}

func (p *tapped) AliasAcked(_ *link.Session, pair wire.AliasPair) {
	if m := p.member.Load(); m != nil {
		m.AliasAcked(pair)
	}
}

func (p *tapped) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) (taken bool) {
	s := p.spy
	m := message{kind, slices.Clone(body)}
	list := []message{m}
	if h := s.hooks.Load(); h.up != nil {
		list = h.up(p, m)
	}
	taken = true
	for _, m := range list {
		taken = s.take(p, m) && taken
	}
	if taken {
		s.notes.urgent(p, true, m)
	}
	return taken
}

// take does with a message what a relay does.
func (s *spy) take(p *tapped, m message) (taken bool) {
	member, now := p.member.Load(), time.Now()
	switch {
	case m.kind == wire.UrgentLeave:
		p.End(wire.CloseLeft)
	case member == nil:
	case m.kind == wire.UrgentSenderKey:
		return member.SenderKey(m.body, now)
	case m.kind == wire.UrgentKeyWraps:
		return member.KeyWraps(m.body, now)
	case m.kind == wire.UrgentKeysWanted:
		return member.KeysWanted(m.body, now)
	}
	return true
}

// takeLater is take for a message that was kept back. The relay has acknowledged it, and must try again
// itself.
func (s *spy) takeLater(p *tapped, m message) {
	if !p.Over() && !s.take(p, m) {
		time.AfterFunc(100*time.Millisecond, func() { s.takeLater(p, m) })
	}
}

// tellLater is tell for a member who may have left.
func (p *tapped) tellLater(m message) {
	if p.Session.SendUrgent(m.kind, m.body) == nil {
		p.spy.notes.urgent(p, false, m)
	}
}

// tellLeft has everybody but p believe that p left. p gets all media all the same, and its own still goes to
// nobody.
func (s *spy) tellLeft(p *tapped) {
	p.member.Load().Leave(time.Now())
	s.mu.Lock()
	s.listening = append(s.listening, p)
	s.mu.Unlock()
	s.stir()
}

// SendMedia implements room.Receiver.
func (p *tapped) SendMedia(tx *link.Tx, alias uint16, short, long []byte) {
	h := p.spy.hooks.Load()
	if h.media == nil && h.passed == nil {
		p.Session.SendMedia(tx, alias, short, long)
		return
	}
	f, _, err := wire.NextFrame(long)
	if err != nil {
		p.spy.lab.t.Error(err)
		return
	}
	m, err := wire.ParseMedia(f)
	if err != nil {
		p.spy.lab.t.Error(err)
		return
	}
	if h.media != nil && !h.media(p, m.KID, m.CTR) {
		return
	}
	packet := p.Counts().PacketsSent
	p.Session.SendMedia(tx, alias, short, long)
	if h.passed != nil {
		h.passed(p, m.KID, m.CTR, packet)
	}
}

// SendUrgent implements room.Receiver.
func (p *tapped) SendUrgent(kind wire.UrgentKind, body []byte) error {
	return p.SendUrgentThen(kind, body, nil)
}

// SendUrgentThen implements room.Receiver. Of what a hook made of the message, done is told of the first.
func (p *tapped) SendUrgentThen(kind wire.UrgentKind, body []byte, done func(acked bool)) error {
	h := p.spy.hooks.Load()
	list := []message{{kind, body}}
	if h.shows != nil && kind == wire.UrgentMembersJoined {
		list = p.shown(list[0], h)
	}
	if h.down != nil {
		var meddled []message
		for _, m := range list {
			meddled = append(meddled, h.down(p, m)...)
		}
		list = meddled
	}
	for i, m := range list {
		if err := p.Session.SendUrgentThen(m.kind, m.body, done); err != nil && i == 0 {
			return err
		}
		p.spy.notes.urgent(p, false, m)
		done = nil
	}
	return nil
}

// shown takes out of news of joins what the member is not to see.
func (p *tapped) shown(m message, h *hooks) []message {
	entries, err := wire.ParseMembersJoined(m.body)
	if err != nil {
		p.spy.lab.t.Error(err)
	}
	var body []byte
	for _, entry := range entries {
		if h.shows(p, entry) {
			body = wire.AppendMembersJoined(body, entry)
		}
	}
	if body == nil {
		return nil
	}
	return []message{{m.kind, body}}
}

// tell sends the member a message, past all hooks.
func (p *tapped) tell(kind wire.UrgentKind, body []byte) {
	p.spy.lab.t.Helper()
	if err := p.Session.SendUrgent(kind, body); err != nil {
		p.spy.lab.t.Error(err)
	}
	p.spy.notes.urgent(p, false, message{kind, body})
}
