package signalling

import (
	"errors"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	maxCalls    = 8           // that are not over
	maxClosing  = 64          // paths of calls that are over
	dialsPer    = time.Minute // we call at most maxDials times in this time
	maxDials    = 10
	maxOfDevice = wire.MaxDevices
)

// What is refused of what comes, beside the errors of e2ee and wire.
var (
	ErrRole    = errors.New("signalling: the other end of a call said what is not its to say")
	ErrRecord  = errors.New("signalling: a reach record is another's, or not fresh")
	ErrAnswer  = errors.New("signalling: an answer is not the called's, or of another call")
	ErrForward = errors.New("signalling: an offer's forward is not signed, expired, or for another device")
	ErrSeen    = errors.New("signalling: an offer came before")
	ErrFlood   = errors.New("signalling: too many offers come")
	ErrConsent = errors.New("signalling: a transfer without the third's consent")
	ErrAsked   = errors.New("signalling: another question before the last one is answered, or too soon")
	ErrChosen  = errors.New("signalling: the caller confirms an answer that is not ours")
)

// What a user cannot do, or not now.
var (
	ErrSelf    = errors.New("that is your own fingerprint: call somebody else")
	ErrTalking = errors.New("there is a call already: hang up or hold it first")
	ErrAlready = errors.New("you are calling them already")
	ErrRate    = errors.New("too many calls in a minute: wait a little")
	ErrState   = errors.New("the call is not in a state for that")
	ErrWho     = errors.New("the key is not that of the fingerprint")
)

// ID is a Line's own number of a call.
type ID uint64

// Config is what a Line needs. All but Known and StayKey are needed.
type Config struct {
	Identity *identity.Identity
	Name     string                        // what we call ourselves, in entries; may be empty
	Known    func(identity.PublicKey) bool // reports who may ring; nil: nobody
	StayKey  *e2ee.StayKey                 // of our reach records; nil: we take no calls
	Keep     bool                          // our relay keeps calls that do not reach this stay
	Earlier  []EarlierStay                 // for which relays may have kept calls
}

// Line is all calls of one client: those that it makes and those that it takes. It is not safe for concurrent
// use.
type Line struct {
	config  Config
	relay   identity.PublicKey // ours
	up      bool               // there is a session
	disturb bool               // contacts may ring; false: do not disturb

	fingerprint identity.Fingerprint // ours
	device      wire.DeviceID        // of our stay key

	last    ID
	calls   []*call // that are not over, oldest first
	closing []*path // of those that are, oldest first
	paths   map[wire.PathID]*path
	media   *path // whose frames go; nil: nobody's
	again   bool  // the relay has to be told once more
	effects []Effect

	dials     []time.Time // of the last minute
	seen      seenOffers
	stays     map[wire.DeviceID]*stay // this one and earlier ones, for which calls may be kept
	kept      keptCalls
	consents  []consent // that we gave
	transfer  *transfer // that we want; nil: none
	strangers strangers
	clockTold time.Time // when it was said last that a clock is off
}

// New returns a Line without a session: say SessionFresh.
func New(config Config) *Line {
	l := &Line{config: config, disturb: true, paths: make(map[wire.PathID]*path), seen: newSeenOffers(),
		stays: make(map[wire.DeviceID]*stay), fingerprint: config.Identity.Fingerprint()}
	for _, s := range config.Earlier {
		l.addStay(s, false)
	}
	if config.StayKey != nil {
		l.device = (&wire.Reach{StayKey: config.StayKey.Public()}).Device()
		if config.Keep {
			l.addStay(EarlierStay{Key: config.StayKey}, true)
		}
	}
	return l
}

// DoNotDisturb says whether calls of contacts do not ring. To them it looks as if nobody answered. Consents
// that we gave are good no longer.
func (l *Line) DoNotDisturb(on bool) {
	l.disturb = !on
	if on {
		l.consents = nil
	}
}

// Drain returns what is to be done since it was called last.
func (l *Line) Drain() []Effect {
	effects := l.effects
	l.effects = nil
	return effects
}

func (l *Line) emit(e Effect) { l.effects = append(l.effects, e) }

func (l *Line) refuse(why error) { l.emit(Refused{why}) }

// send sends an urgent message, if there is a session: with a new one all is said again that matters.
func (l *Line) send(kind wire.UrgentKind, m wire.UrgentMessage) {
	if l.up {
		l.emit(Send{kind, wire.Append(nil, m)})
	}
}

// SessionFresh says that there is a new session, at the relay with this key: the one before is over, if there
// was one, and the relay knows nothing of our paths. A session that goes on over another network is no new
// one.
func (l *Line) SessionFresh(relay identity.PublicKey, now time.Time) {
	again := l.relay != identity.PublicKey{}
	l.relay, l.up, l.again = relay, true, true
	l.wantKept(again)
	for _, c := range slices.Clone(l.calls) {
		c.sessionFresh(now)
	}
	for _, p := range l.closing {
		p.sayLastAgain(now)
	}
	l.direct(now)
}

// SessionLost says that the session is over, and no new one there yet.
func (l *Line) SessionLost(now time.Time) {
	l.up = false
	l.direct(now)
}

// RouteCame takes urgent message 17.
func (l *Line) RouteCame(m wire.Route, now time.Time) {
	for _, c := range l.calls {
		if c.caller && c.target == m.Target && c.state <= Ringing {
			c.routeCame(m, now)
			return
		}
	}
}

// StateCame takes urgent message 21.
func (l *Line) StateCame(m wire.CallState, now time.Time) {
	if p := l.paths[m.Path]; p != nil {
		p.stateCame(m, now)
	}
}

// EndCame takes urgent message 22. It is the relay's word, so it can part the ends, and no more: what the
// other end wants is in call messages.
func (l *Line) EndCame(m wire.CallEnd, now time.Time) {
	if p := l.paths[m.Path]; p != nil {
		p.endCame(m, now)
	}
}

// MessageCame takes urgent message 20.
func (l *Line) MessageCame(m wire.CallMessage, now time.Time) {
	p := l.paths[m.Path]
	if p == nil {
		return // of a call that is long over, or a stranger's
	}
	plaintext, counter, err := p.channel.Open(m.Body)
	if err != nil {
		l.refuse(err)
		return
	}
	p.heardAt(now)
	s, err := wire.ParseSignal(plaintext)
	switch {
	case errors.Is(err, wire.ErrUnknown): // of a later version
	case err != nil:
		l.refuse(err)
	case !maySay(s.Type, !p.call.caller):
		l.refuse(ErrRole)
	case p.state == pathClosing || p.state == pathGone:
		p.heardLate(s, now)
	default:
		p.call.signalCame(p, s, counter, now)
	}
}

// MediaHeard says that a frame of the other's was decrypted that came by this path.
func (l *Line) MediaHeard(id wire.PathID, now time.Time) {
	if p := l.paths[id]; p != nil {
		p.heardAt(now)
		p.media = now
	}
}

// MediaSent says that a frame went to the relay by this path.
func (l *Line) MediaSent(id wire.PathID, now time.Time) {
	if p := l.paths[id]; p != nil {
		p.said = now
	}
}

// Tick does what is due at now, and returns when to call it again if nothing comes; zero: ever.
func (l *Line) Tick(now time.Time) (next time.Time) {
	for _, c := range slices.Clone(l.calls) {
		if c.state != Over {
			next = e2ee.Soonest(next, c.tick(now))
		}
	}
	next = e2ee.Soonest(next, l.tickTransfer(now))
	for _, p := range slices.Clone(l.closing) {
		next = e2ee.Soonest(next, p.tickClosing(now))
	}
	l.direct(now)
	return next
}

// State returns the state of a call, Over if it is over or was never there.
func (l *Line) State(id ID) State {
	if c := l.call(id); c != nil {
		return c.state
	}
	return Over
}

// call returns the call with this ID, nil if it is over or nobody's.
func (l *Line) call(id ID) *call {
	i := slices.IndexFunc(l.calls, func(c *call) bool { return c.id == id && c.state != Yielding })
	if i < 0 {
		return nil
	}
	return l.calls[i]
}

// with returns the call in one of these states, or an error.
func (l *Line) with(id ID, states ...State) (*call, error) {
	c := l.call(id)
	if c == nil || !slices.Contains(states, c.state) {
		return nil, ErrState
	}
	return c, nil
}

// maySay reports whether a signal is of those that the caller says, or the called.
func maySay(t wire.SignalType, caller bool) bool {
	switch t {
	case wire.SignalRinging, wire.SignalAnswer, wire.SignalDecline, wire.SignalBusy:
		return !caller
	case wire.SignalConfirm, wire.SignalCancel, wire.SignalElsewhere:
		return caller
	}
	return true
}

// Settled reports whether there is no call, and no last word on its way.
func (l *Line) Settled() bool {
	return len(l.calls) == 0 &&
		!slices.ContainsFunc(l.closing, func(p *path) bool { return p.state == pathClosing })
}
