package relay

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// A client renews its record every 2 minutes, and gives a new one after each loss of its connection.
const (
	recordRate  = 0.2 // a second
	recordBurst = 10
)

// errLine says that a session cannot join a room.
var errLine = errors.New("relay: the session is a line, which joins no room")

// lines gives sessions their numbers, by which presence and calls know them.
type lines struct{ last atomic.Uint64 }

func (l *lines) next() presence.SessionID { return presence.SessionID(l.last.Add(1)) }

// openLine makes a session a line: it is in no room, calls are made by it, and taken if there is a record.
func (r *Relay) openLine(s *session, m *wire.Available) wire.Message {
	if len(m.Record) > 0 {
		if refused := r.available(s, m.Record); refused != nil {
			r.rooms.Drops.Add(drops.Record, 1)
			return refused
		}
	}
	s.joining.Lock()
	defer s.joining.Unlock()
	if s.member.Load() != nil {
		return &wire.Refused{Code: wire.CodeProtocol, Reason: "the session is in a room"}
	}
	s.line = true
	return new(wire.Line)
}

// available has a session take calls, until its record expires.
func (r *Relay) available(s *session, record []byte) *wire.Refused {
	if !s.records.Allow() { // to check one takes as long as to pass hundreds of packets on
		return &wire.Refused{Code: wire.CodeRate}
	}
	reach, err := wire.ParseReach(record)
	if err != nil {
		return &wire.Refused{Code: wire.CodeRecord, Reason: err.Error()}
	}
	switch {
	case reach.Identity != s.Identity():
		return &wire.Refused{Code: wire.CodeRecord, Reason: "it is another identity's"}
	case reach.HomeRelay != r.config.Identity.Public():
		return &wire.Refused{Code: wire.CodeRecord, Reason: "it is for another relay"}
	case !reach.Fresh(time.Now()):
		return &wire.Refused{Code: wire.CodeRecord, Reason: "it has expired, or is good for too long: see " +
			"that the clocks of both machines are right"}
	}
	r.federation.LineOpened(s.number, s.Session)
	r.federation.Available(s.number, s.Remote(), reach, record)
	return nil
}

// lastWords takes what a line says by other means than its session: only its own client knows what names
// that.
func (r *Relay) lastWords(q *wire.LastWords) {
	to := r.endpoint.Accepted(q.Session)
	if to == nil {
		return
	}
	s, ok := to.Handler().(*session)
	if !ok || !s.isLine() {
		return
	}
	r.federation.Left(s.number)
	for _, m := range q.Messages {
		r.federation.LineMessage(s.number, to, wire.UrgentCallMessage, m)
	}
}

func (s *session) isLine() bool {
	s.joining.Lock()
	defer s.joining.Unlock()
	return s.line
}

// lineUrgent takes what a session says of presence and calls. What is wrong is taken, or it would come again.
func (s *session) lineUrgent(kind wire.UrgentKind, body []byte) (accepted bool) {
	r := s.relay
	switch kind {
	case wire.UrgentRouteWanted:
		m, err := wire.Parse[wire.RouteWanted](body)
		if err != nil {
			r.rooms.Drops.Add(drops.Malformed, 1)
			break
		}
		r.federation.AskRoute(s.number, s.Session, m.Target)
	case wire.UrgentAvailable:
		if len(body) == 0 {
			r.federation.Unavailable(s.number)
		} else if refused := r.available(s, body); refused != nil {
			r.rooms.Drops.Add(drops.Record, 1)
			r.log.Debug("a reach record is not taken", "why", refused.Error())
			m := &wire.RecordRefused{Reason: wire.RecordInvalid}
			if refused.Code == wire.CodeRate {
				m.Reason = wire.RecordTooOften
			}
			_ = s.Session.SendUrgent(wire.UrgentRecordRefused, wire.Append(nil, m)) // it sends another
		}
	}
	return true
}
