package signalling

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// EarlierStay is one in which we took calls before, and for which the relay may have kept some.
type EarlierStay struct {
	Key   *e2ee.StayKey
	Relay identity.PublicKey // our home then
}

// stay is one in which we take or took calls.
type stay struct {
	EarlierStay
	own  bool               // that of now
	came [wire.MaxKept]bool // of what is kept for it, by index
	left int                // how many are to come; 0: it is not known
}

// addStay notes a stay.
func (l *Line) addStay(s EarlierStay, own bool) {
	l.stays[(&wire.Reach{StayKey: s.Key.Public()}).Device()] = &stay{EarlierStay: s, own: own}
}

// wantKept asks the relay of a new session for the calls that it has kept for us: of earlier stays there, and
// of this one if it had a session before.
func (l *Line) wantKept(again bool) {
	m := &wire.KeptWanted{}
	for id, s := range l.stays {
		s.came, s.left = [wire.MaxKept]bool{}, 0
		if (s.own && again || !s.own && s.Relay == l.relay) && len(m.Devices) < wire.MaxKeptWanted {
			m.Devices = append(m.Devices, id)
		}
	}
	if len(m.Devices) > 0 {
		l.send(wire.UrgentKeptWanted, m)
	}
}

// KeptCame takes urgent message 25: a call that did not reach us, while we were away or about to be.
func (l *Line) KeptCame(m wire.KeptCall, now time.Time) {
	s := l.stays[m.Device]
	if s == nil {
		return // what was to come has come
	}
	if m.Of > 0 && !s.came[m.Index] {
		if s.left == 0 {
			s.left = int(m.Of)
		}
		s.came[m.Index] = true
		s.left--
		l.missed(s, &m, now)
	}
	if s.left <= 0 && !s.own {
		delete(l.stays, m.Device)
		l.emit(KeptOver{m.Device})
	}
}

// missed tells the user of a call that was kept: of a stranger's only that there was one.
func (l *Line) missed(s *stay, m *wire.KeptCall, now time.Time) {
	o, err := s.Key.OpenKept(m.Key, l.config.Identity.Public(), m.Offer, now)
	if err != nil {
		l.refuse(err)
		return
	}
	person := o.Caller.Identity
	known := l.config.Known != nil && l.config.Known(person)
	path := [16]byte(wire.PathIDOf(m.Key))
	if l.seen.has(path) || l.seen.has([16]byte(o.Call)) || l.kept.has(o.Call) {
		l.refuse(ErrSeen)
		return
	}
	l.kept.add(o.Call)
	if known {
		l.emit(Missed{person, o.Caller.Name, o.Made})
	} else {
		l.emit(Stranger{person, o.Caller.Name, o.Made, 0})
	}
}

// keptCalls are the calls that were told of as missed, so that none is twice.
type keptCalls []wire.CallID

func (k keptCalls) has(id wire.CallID) bool { return slices.Contains(k, id) }

const maxKeptCalls = 1024

func (k *keptCalls) add(id wire.CallID) {
	*k = append(*k, id)
	if len(*k) > maxKeptCalls {
		*k = (*k)[1:]
	}
}
