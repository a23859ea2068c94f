package room

import (
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Speech is a stream of a member for whoever receives its frames. A Stream that had to make way, for it was
// silent or its member had more than others, is made again. It is safe for concurrent use.
type Speech struct {
	kid    wire.KID
	member func() *Member
	rest   time.Duration
	stream atomic.Pointer[Stream]
	tried  atomic.Pointer[time.Time] // when another one was asked for; nil: never
}

// NewSpeech returns the speech of kid, or nil if there is no stream for it. member is asked for who talks,
// and returns nil if that is not there; rest is between two times that another stream is asked for, at least.
func NewSpeech(kid wire.KID, member func() *Member, rest time.Duration, now time.Time) *Speech {
	s := &Speech{kid: kid, member: member, rest: rest}
	if !s.bind(now) {
		return nil
	}
	return s
}

func (s *Speech) bind(now time.Time) bool {
	m := s.member()
	if m == nil {
		return false
	}
	st := m.Bind(s.kid, now)
	if st != nil {
		s.stream.Store(st)
	}
	return st != nil
}

// Stream returns the newest stream, whatever became of it.
func (s *Speech) Stream() *Stream { return s.stream.Load() }

// Received returns the stream, for a frame that came. If it is dropped, there is none for the talker now.
func (s *Speech) Received(now time.Time) *Stream {
	st := s.stream.Load()
	if !st.Dropped() {
		st.Received(now)
		return st
	}
	tried := s.tried.Load()
	if (tried == nil || now.Sub(*tried) >= s.rest) && s.renew(tried, now) {
		return s.stream.Load()
	}
	return st
}

// renew asks for another stream, unless somebody else has. It is apart, or now would be allocated always.
func (s *Speech) renew(tried *time.Time, now time.Time) bool {
	return s.tried.CompareAndSwap(tried, &now) && s.bind(now)
}
