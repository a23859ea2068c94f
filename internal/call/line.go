package call

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	renewEvery  = 2 * time.Minute  // a reach record is good for 5
	renewSoon   = 10 * time.Second // when too many came
	closingTime = 3 * time.Second  // for the last words of calls, when a line is closed
)

// What a user cannot do with a line, or not now.
var (
	ErrSelf      = signalling.ErrSelf
	ErrTalking   = signalling.ErrTalking
	ErrAlready   = signalling.ErrAlready
	ErrRate      = signalling.ErrRate
	ErrCallState = signalling.ErrState
)

// LineConfig is described in the package at the root.
type LineConfig struct {
	Available    bool
	Refresh      func()                        // called before Known is asked, with no lock held; or nil
	Known        func(identity.PublicKey) bool // reports who may ring; it waits for nothing
	DoNotDisturb bool
	KeepMissed   bool               // our relay is to keep the calls that do not reach us, for a day
	StayKeys     *identity.StayKeys // where the keys are by which those are read; nil: none are
	EventLog     *eventlog.Writer
}

// Line is how a client calls and is called: a session without a room, by which all its calls go.
//
//	user: Call, Answer, HangUp ... ──+                        +──> urgent messages ──> relay
//	                                 v                        |
//	relay ── lineInbox ── run ──> tell: signalling.Line ── effects ── run ──> rooms of calls that are up
//	                                 ^                        |
//	rooms: frames came, went ────────+                        +──> eventQueue
type Line struct {
	client   *Client
	config   LineConfig
	link     *link.Client
	relay    identity.PublicKey
	stayKey  *e2ee.StayKey
	stays    *stayKeys
	sequence atomic.Uint64 // of the newest reach record
	events   *eventQueue[LineEvent]
	inbox    lineInbox
	wake     chan struct{}

	ctx    context.Context // done when the line is over
	cancel context.CancelFunc
	wg     sync.WaitGroup // run

	// Owned by run:
	out   []signalling.Send // that the session had no room for yet, the oldest first
	renew time.Time         // when the next reach record is due

	mu        sync.Mutex // guards what follows
	available bool
	machine   *signalling.Line
	effects   []signalling.Effect // to be carried out by run
	next      time.Time           // when the machine wants its Tick
	calls     map[signalling.ID]*Call
	over      bool
}

// OpenLine opens a line. It returns once the relay has accepted, or with the reason why it did not; failures
// that may pass are tried again until ctx is done. The line lives until Close or a refusal.
func (c *Client) OpenLine(ctx context.Context, config LineConfig) (*Line, error) {
	key, err := e2ee.NewStayKey()
	if err != nil {
		return nil, err
	}
	stays, err := newStayKeys(c.config.Identity.Public(), key, &config)
	if err != nil {
		return nil, err
	}
	l := &Line{
		client: c, config: config, stayKey: key, stays: stays, available: config.Available,
		events: newEventQueue[LineEvent](nil),
		wake:   make(chan struct{}, 1), calls: make(map[signalling.ID]*Call),
		machine: signalling.New(signalling.Config{
			Identity: c.config.Identity, Name: c.config.Name, Known: config.Known, StayKey: key,
			Keep: config.KeepMissed, Earlier: stays.earlier(),
		}),
	}
	l.machine.DoNotDisturb(config.DoNotDisturb)
	conn, err := c.dial(ctx, link.ClientConfig{Line: l.request})
	if err != nil {
		stays.erase()
		return nil, err
	}
	l.link, l.relay, l.renew = conn, conn.Handshake().Relay, time.Now().Add(renewEvery)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	conn.Start((*lineHandler)(l))
	c.addLine(l) // before run can remove it
	l.wg.Go(l.run)
	return l, nil
}

// request is what a relay is asked, whose key is proved.
func (l *Line) request(relay identity.PublicKey) (*wire.Available, error) {
	if err := l.client.rememberRelay(relay); err != nil {
		return nil, err
	}
	if err := l.stays.used(relay); err != nil { // before the relay can keep anything
		return nil, err
	}
	return &wire.Available{Record: l.record(relay)}, nil
}

// record returns a new reach record; nil: we take no calls.
func (l *Line) record(relay identity.PublicKey) []byte {
	l.mu.Lock()
	available := l.available
	l.mu.Unlock()
	if !available {
		return nil
	}
	now := time.Now()
	sequence := uint64(now.UnixMilli())
	for {
		last := l.sequence.Load()
		sequence = max(sequence, last+1)
		if l.sequence.CompareAndSwap(last, sequence) {
			break
		}
	}
	return wire.SignReach(l.client.config.Identity, wire.Reach{
		StayKey: l.stayKey.Public(), HomeRelay: relay, Sequence: sequence,
		Expiry: now.Add(wire.MaxReach).Unix(), Keep: l.config.KeepMissed,
	})
}

// SetAvailable says whether others may call.
func (l *Line) SetAvailable(on bool) {
	l.mu.Lock()
	l.available = on
	l.mu.Unlock()
	l.inbox.renew()
	signal(l.wake)
}

// SetDoNotDisturb says that calls of contacts do not ring. To them it looks as if nobody answered.
func (l *Line) SetDoNotDisturb(on bool) {
	l.tell(func(m *signalling.Line, _ time.Time) { m.DoNotDisturb(on) })
}

// Events returns what happens on the line, in order. The channel is closed after LineEnded.
func (l *Line) Events() <-chan LineEvent { return l.events.out }

// Call calls somebody. What becomes of it the events tell. The key may be zero, if it is not known.
func (l *Line) Call(f identity.Fingerprint, key identity.PublicKey) (*Call, error) {
	var call *Call
	var err error
	l.tell(func(m *signalling.Line, now time.Time) {
		if l.over {
			err = ErrClosed
			return
		}
		var id signalling.ID
		if id, err = m.Dial(signalling.Callee{Fingerprint: f, Key: key}, now); err == nil {
			call = l.newCallLocked(id, key, "", false)
		}
	})
	return call, err
}

// tell tells the machine something, and has run carry out what follows. f is called with l.mu held.
func (l *Line) tell(f func(m *signalling.Line, now time.Time)) {
	l.decide(f)
	signal(l.wake)
}

// decide is tell for run itself.
func (l *Line) decide(f func(m *signalling.Line, now time.Time)) {
	now := time.Now()
	l.mu.Lock()
	for _, c := range l.calls {
		c.noteMediaLocked(l.machine)
	}
	f(l.machine, now)
	l.next = l.machine.Tick(now)
	l.effects = append(l.effects, l.machine.Drain()...)
	l.mu.Unlock()
}

// Close hangs up, leaves, and waits for all of that.
func (l *Line) Close() error {
	l.mu.Lock()
	first := !l.over
	l.over = true
	l.mu.Unlock()
	if !first {
		l.wg.Wait()
		return nil
	}
	l.tell(func(m *signalling.Line, now time.Time) {
		for id := range l.calls {
			_ = m.HangUp(id, now) // it may have ended
		}
	})
	l.settle()
	err := l.link.Close()
	l.cancel()
	l.wg.Wait()
	return err
}

// settle waits until the other ends have our last words, for at most closingTime.
func (l *Line) settle() {
	for end := time.Now().Add(closingTime); time.Now().Before(end); {
		l.mu.Lock()
		settled := l.machine.Settled() && len(l.effects) == 0
		l.mu.Unlock()
		if settled {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-l.link.Done():
			return
		}
	}
}

// Done is closed when the line is over.
func (l *Line) Done() <-chan struct{} { return l.ctx.Done() }
