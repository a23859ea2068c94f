package call

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// party is somebody with a line.
type party struct {
	*person
	line   *Line
	known  map[identity.PublicKey]bool // who may ring
	auto   bool                        // answers whatever rings
	stays  *identity.StayKeys          // missed calls are kept with them; nil: none are
	follow sync.WaitGroup

	pmu   sync.Mutex // guards what follows
	seen  []LineEvent
	calls []*Call
}

// inTelephone is inUnion, of relays that tell each other who can be called.
func inTelephone(t *testing.T, n int, pairs [][2]int, paths simnet.Profile, f func(u *union)) {
	t.Helper()
	inUnionOf(t, n, pairs, paths, presence.Mesh, f)
}

// party returns somebody with a line at a relay, who takes calls of those who are known.
func (l *lab) party(name string, available bool) *party {
	l.t.Helper()
	p := l.stranger(name)
	if err := p.open(available); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// stranger is party without a line yet.
func (l *lab) stranger(name string) *party {
	l.t.Helper()
	return l.strangerOf(name, newIdentity(byte(l.hosts+1)))
}

// strangerOf is stranger with an identity.
func (l *lab) strangerOf(name string, id *identity.Identity) *party {
	l.t.Helper()
	return &party{person: l.personOf(name, id), known: make(map[identity.PublicKey]bool)}
}

// open opens the line.
func (p *party) open(available bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	p.line, err = p.client.OpenLine(ctx, LineConfig{Available: available, KeepMissed: p.stays != nil,
		StayKeys: p.stays,
		Known:    func(key identity.PublicKey) bool { return p.known[key] }})
	if err != nil {
		return err
	}
	p.follow.Go(func() {
		for e := range p.line.Events() {
			p.note(e)
		}
	})
	p.lab.t.Cleanup(p.follow.Wait)
	p.lab.t.Cleanup(func() { p.client.Close() })
	return nil
}

func (p *party) note(e LineEvent) {
	p.pmu.Lock()
	p.seen = append(p.seen, e)
	incoming, rings := e.(IncomingCall)
	if rings {
		p.calls = append(p.calls, incoming.Call)
	}
	p.pmu.Unlock()
	if rings && p.auto {
		if err := incoming.Call.Answer(); err != nil {
			p.lab.t.Errorf("%s cannot answer: %v", p.client.config.Name, err)
		}
	}
}

// saw reports whether an event came that is so.
func (p *party) saw(is func(e LineEvent) bool) bool {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	for _, e := range p.seen {
		if is(e) {
			return true
		}
	}
	return false
}

// words are the events so far, for failures.
func (p *party) words() (list []string) {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	for _, e := range p.seen {
		list = append(list, fmt.Sprintf("%T", e))
	}
	return list
}

// isRinging reports whether an event says that it rings at the other's.
func isRinging(e LineEvent) bool { _, ok := e.(CallRings); return ok }

// newest returns the call that rang last here, nil before.
func (p *party) newest() *Call {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	if len(p.calls) == 0 {
		return nil
	}
	return p.calls[len(p.calls)-1]
}

// incoming waits for a call that rings, and returns it.
func (p *party) incoming(limit time.Duration) *Call {
	p.lab.t.Helper()
	var call *Call
	p.until("it rings", limit, func() bool {
		p.pmu.Lock()
		defer p.pmu.Unlock()
		if len(p.calls) > 0 {
			call, p.calls = p.calls[0], p.calls[1:]
		}
		return call != nil
	})
	return call
}

// until waits for something.
func (p *party) until(what string, limit time.Duration, ok func() bool) time.Duration {
	p.lab.t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			p.lab.t.Fatalf("%s: %s: not within %v; events %v", p.client.config.Name, what, limit, p.words())
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

// calls calls somebody.
func (p *party) dial(o *party) *Call {
	p.lab.t.Helper()
	key := o.client.Identity().Public()
	call, err := p.line.Call(key.Fingerprint(), key)
	if err != nil {
		p.lab.t.Fatal(err)
	}
	return call
}

// up waits until a call has a room, which it then says is p's, and plays it.
func (p *party) up(c *Call, limit time.Duration) *Room {
	p.lab.t.Helper()
	p.until("the call is up", limit, func() bool { return c.Room() != nil })
	p.room, p.mix = c.Room(), &recording{}
	room, mix := p.room, p.mix
	p.wg.Go(func() {
		for e := range room.Events() {
			p.mu.Lock()
			p.events = append(p.events, e)
			p.mu.Unlock()
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	if p.deaf {
		return room
	}
	p.wg.Go(func() {
		if err := room.Play(ctx, PlayConfig{Mix: mix}); err != nil {
			p.lab.t.Error(err)
		}
	})
	return room
}

// says has them say something to its end.
func (p *party) says(pcm []float32) {
	p.lab.t.Helper()
	pcm = append(pcm[:len(pcm):len(pcm)], silence(100*time.Millisecond)...)
	pub := p.say(&samples{pcm: pcm}, PublishConfig{})
	if err := pub.Err(); err != nil {
		p.lab.t.Error(err)
	}
}

// ended waits until a call is over, and wants an outcome.
func (p *party) ended(c *Call, want signalling.Outcome, limit time.Duration) {
	p.lab.t.Helper()
	select {
	case <-c.Done():
		if got := c.Outcome(); got != want {
			p.lab.t.Errorf("%s: the call ended: %v, want %v", p.client.config.Name, got, want)
		}
	case <-time.After(limit):
		p.lab.t.Fatalf("%s: the call is not over within %v; events %v", p.client.config.Name, limit,
			p.words())
	}
}

var _ = audio.SampleRate
