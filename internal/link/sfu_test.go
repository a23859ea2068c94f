package link

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// heard is what arrived of one stream.
type heard struct {
	at    map[uint64]time.Time // by CTR
	twice int
	times []time.Time
}

// recorder notes the media that arrived. It is safe for concurrent use.
type recorder struct {
	mu      sync.Mutex // guards streams
	streams map[wire.KID]*heard
}

func (r *recorder) note(kid wire.KID, ctr uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.streams[kid]
	if h == nil {
		h = &heard{at: make(map[uint64]time.Time)}
		r.streams[kid] = h
	}
	if _, ok := h.at[ctr]; ok {
		h.twice++
		return
	}
	h.at[ctr] = time.Now()
	h.times = append(h.times, time.Now())
}

// of returns a copy of what was heard of a stream.
func (r *recorder) of(kid wire.KID) heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.streams[kid]
	if h == nil {
		return heard{}
	}
	c := heard{at: make(map[uint64]time.Time, len(h.at)), twice: h.twice,
		times: append([]time.Time(nil), h.times...)}
	for ctr, at := range h.at {
		c.at[ctr] = at
	}
	return c
}

// firstAfter returns when the stream was first heard after a time, zero if never.
func (h heard) firstAfter(t time.Time) time.Time {
	for _, at := range h.times {
		if at.After(t) {
			return at
		}
	}
	return time.Time{}
}

// longestPause returns the longest time between two arrivals, and when it began.
func (h heard) longestPause() (longest time.Duration, from time.Time) {
	for i := 1; i < len(h.times); i++ {
		if d := h.times[i].Sub(h.times[i-1]); d > longest {
			longest, from = d, h.times[i-1]
		}
	}
	return longest, from
}

// message is an urgent message that arrived.
type message struct {
	kind wire.UrgentKind
	body string
	at   time.Time
}

// ears is the ClientHandler of a person.
type ears struct {
	recorder
	mu       sync.Mutex // guards what follows
	urgent   []message
	attached []attached
	detached []string
}

type attached struct {
	at    time.Time
	fresh bool
}

func newEars() *ears { return &ears{recorder: recorder{streams: make(map[wire.KID]*heard)}} }

func (e *ears) Bind(_ *Session, m *wire.Media) Inbound { return InboundFunc(m, e.media) }

func (e *ears) media(st *Stream, m *wire.Media, _ *Tx) {
	st.Seen(m.CTR)
	e.note(m.KID, m.CTR)
}

func (e *ears) AliasAcked(s *Session, pair wire.AliasPair) { s.SetAliasKnown(pair.Alias, true) }

func (e *ears) Urgent(_ *Session, kind wire.UrgentKind, body []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.urgent = append(e.urgent, message{kind, string(body), time.Now()})
	return true
}

func (e *ears) Opened(*Session) Handler { return e }

func (e *ears) Attached(_ *wire.Joined, fresh bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attached = append(e.attached, attached{time.Now(), fresh})
}

func (e *ears) Detached(cause string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.detached = append(e.detached, cause)
}

func (e *ears) attachments() []attached {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]attached(nil), e.attached...)
}

func (e *ears) causes() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.detached...)
}

func (e *ears) messages() []message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]message(nil), e.urgent...)
}

// sfu is an Acceptor that forwards all media to all other sessions.
type sfu struct {
	recorder
	refuse atomic.Pointer[wire.Refused] // what Join is answered with, if not nil
	list   atomic.Pointer[[]*Session]   // of those who joined
	only   atomic.Pointer[Session]      // if not nil, nobody else gets media
	onJoin atomic.Pointer[func()]       // called before Join is answered

	mu       sync.Mutex // guards what follows
	kids     []wire.KID // by alias
	accepted []*Session
	ended    []ending
	urgent   []message

	available [][]byte // records of lines
}

type ending struct {
	s    *Session
	code wire.CloseCode
	at   time.Time
}

func newSFU() *sfu {
	s := &sfu{recorder: recorder{streams: make(map[wire.KID]*heard)}}
	s.list.Store(new([]*Session))
	return s
}

func (f *sfu) Accept(s *Session, _ netip.Addr) (AcceptedHandler, *wire.Refused) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted = append(f.accepted, s)
	return f, nil
}

func (f *sfu) Ended(s *Session, code wire.CloseCode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, ending{s, code, time.Now()})
	var rest []*Session
	for _, other := range *f.list.Load() {
		if other != s {
			rest = append(rest, other)
		}
	}
	f.list.Store(&rest)
}

func (f *sfu) Control(s *Session, m wire.Message) wire.Message {
	switch m := m.(type) {
	case *wire.Join:
		return f.join(s, m)
	case *wire.Members:
		return &wire.MemberPage{}
	case *wire.Available:
		if refused := f.refuse.Load(); refused != nil {
			return refused
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.available = append(f.available, m.Record)
		return new(wire.Line)
	}
	return nil
}

// records returns those of who has opened a line.
func (f *sfu) records() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.available
}

func (f *sfu) join(s *Session, m *wire.Join) wire.Message {
	if f := f.onJoin.Load(); f != nil {
		(*f)()
	}
	if refused := f.refuse.Load(); refused != nil {
		return refused
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := append([]*Session(nil), *f.list.Load()...)
	known := false
	for _, other := range list {
		known = known || other == s
	}
	if !known {
		list = append(list, s)
	}
	f.list.Store(&list)
	return &wire.Joined{Room: m.Room, Member: wire.EntryID(m.Entry), Members: uint32(len(list))}
}

// Bind gives each KID one alias, the same to all receivers.
func (f *sfu) Bind(s *Session, m *wire.Media) Inbound {
	alias := f.aliasOf(m.KID)
	return InboundFunc(m, func(st *Stream, m *wire.Media, tx *Tx) {
		st.Seen(m.CTR)
		f.note(m.KID, m.CTR)
		f.forward(s, alias, m, tx)
	})
}

func (f *sfu) aliasOf(kid wire.KID) uint16 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, k := range f.kids {
		if k == kid {
			return uint16(i)
		}
	}
	f.kids = append(f.kids, kid)
	return uint16(len(f.kids) - 1)
}

func (f *sfu) forward(s *Session, alias uint16, m *wire.Media, tx *Tx) {
	out := *m
	out.Alias = alias
	out.Long = false
	tx.Short = wire.AppendMedia(tx.Short[:0], &out, true)
	out.Long = true
	tx.Long = wire.AppendMedia(tx.Long[:0], &out, true)
	only := f.only.Load()
	for _, other := range *f.list.Load() {
		if other != s && (only == nil || only == other) {
			other.SendMedia(tx, out.Alias, tx.Short, tx.Long)
		}
	}
}

func (f *sfu) AliasAcked(s *Session, pair wire.AliasPair) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if int(pair.Alias) < len(f.kids) && f.kids[pair.Alias] == pair.KID {
		s.SetAliasKnown(pair.Alias, true)
	}
}

func (f *sfu) Urgent(s *Session, kind wire.UrgentKind, body []byte) bool {
	f.mu.Lock()
	f.urgent = append(f.urgent, message{kind, string(body), time.Now()})
	f.mu.Unlock()
	if kind == wire.UrgentLeave {
		s.End(wire.CloseLeft)
	}
	return true
}

func (f *sfu) messages() []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]message(nil), f.urgent...)
}

// sessions returns those that joined and have not ended.
func (f *sfu) sessions() []*Session { return *f.list.Load() }

func (f *sfu) endings() []ending {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]ending(nil), f.ended...)
}

// live returns how many accepted sessions have not ended, joined or not.
func (f *sfu) live() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.accepted) - len(f.ended)
}
