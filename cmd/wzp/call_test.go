package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
)

// TestKeysWithoutCall: keys are for the call that there is; without one they do nothing.
func TestKeysWithoutCall(t *testing.T) {
	p := newTestPhone(t)
	for _, key := range []byte("adhmADHM \x00\x1b\xff") {
		p.press(key)
	}
	p.shut("without a call")
}

// TestMicrophoneInCallsOnly: what is said is open from when a call is answered to its end, and else never:
// not while it rings, nor by a key that comes too late, nor after a call that was over before it was up.
func TestMicrophoneInCallsOnly(t *testing.T) {
	p := newTestPhone(t)
	r := newTestRelay(t)
	p.line = r.line(t, p.identity, wzp.LineConfig{Available: true, Anybody: true})
	p.follows(p.line)
	caller := r.line(t, identity.NewSeed().Identity(), wzp.LineConfig{})
	rings := func() *wzp.Call {
		t.Helper()
		call, err := caller.CallKey(p.identity.Public())
		if err != nil {
			t.Fatal(err)
		}
		p.happens(until[wzp.IncomingCall](p))
		p.shut("while it rings")
		return call
	}
	hangsUp := func(call *wzp.Call) (told wzp.LineEvent) {
		t.Helper()
		if err := call.HangUp(); err != nil {
			t.Fatal(err)
		}
		return until[wzp.CallEnded](p)
	}

	told := hangsUp(rings())
	p.press('a') // we are about to be told that it is over
	p.shut("after a missed call")
	p.happens(told)
	p.press('a')
	p.shut("without a call")

	call := rings()
	p.press('a')
	said := p.source
	if p.press('a'); said == nil || p.source != said {
		t.Fatal("who answers twice says something else")
	}
	p.happens(wzp.CallEnded{Call: *p.current, Outcome: wzp.Failed})
	p.shut("after a call that was not up")
	p.closed(said)
	p.happens(hangsUp(call))

	call = rings()
	p.press('a')
	said = p.source
	p.happens(until[wzp.CallUp](p))
	p.happens(hangsUp(call))
	p.talks.Wait()
	p.shut("after a call")
	p.closed(said)
}

// TestCallerOpensMicrophoneWhenUp: who calls opens what is said when it is answered, and a call that is lost
// is no failure of what was said in it.
func TestCallerOpensMicrophoneWhenUp(t *testing.T) {
	p := newTestPhone(t)
	r := newTestRelay(t)
	called := identity.NewSeed().Identity()
	line := r.line(t, called, wzp.LineConfig{Available: true, Anybody: true})
	p.line = r.line(t, p.identity, wzp.LineConfig{})
	p.follows(p.line)
	p.calling = &identity.Contact{Fingerprint: called.Public().Fingerprint()}
	call, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	p.begin(*call)
	p.happens(until[wzp.CallRings](p))
	p.shut("while it rings")
	for e := range line.Events() {
		if e, ok := e.(wzp.IncomingCall); ok {
			if err := e.Call.Answer(); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	up := until[wzp.CallUp](p)
	p.happens(up)
	saying := p.saying
	if err := up.Call.HangUp(); err != nil {
		t.Fatal(err)
	}
	if over, err := p.happened(t.Context(), until[wzp.CallEnded](p)); !over || err != nil {
		t.Errorf("after the call: %v, %v", over, err)
	}
	p.talks.Wait()
	p.shut("after the call")
	if said := saying.Load(); said != nil && said.Err() != nil {
		t.Error(said.Err())
	}
	select {
	case err := <-p.failed:
		t.Error(err)
	default:
	}
}

// testPhone is a phone that is told of events by a test.
type testPhone struct {
	*phone
	t        *testing.T
	identity *identity.Identity
	events   chan wzp.LineEvent
}

func newTestPhone(t *testing.T) *testPhone {
	t.Helper()
	contacts, err := identity.OpenContacts(filepath.Join(t.TempDir(), "contacts"))
	if err != nil {
		t.Fatal(err)
	}
	flags := &talkFlags{In: "tone", Out: "none", Bitrate: 24_000, Frame: 20 * time.Millisecond}
	out := &joinOutput{w: io.Discard, gone: make(chan error, 1), call: true}
	return &testPhone{
		phone: &phone{stay: &stay{talkFlags: flags, out: out, stays: true}, contacts: contacts,
			failed: make(chan error, 1)},
		t: t, identity: identity.NewSeed().Identity(), events: make(chan wzp.LineEvent, 64),
	}
}

func (p *testPhone) follows(line *wzp.Line) {
	go func() { // until the line is closed
		for e := range line.Events() {
			p.events <- e
		}
	}()
}

// until returns the next event of a kind; those before happen.
func until[E wzp.LineEvent](p *testPhone) E {
	p.t.Helper()
	for {
		select {
		case e := <-p.events:
			if e, ok := e.(E); ok {
				return e
			}
			p.happens(e)
		case <-time.After(scriptPatience):
			p.t.Fatalf("%T does not come", *new(E))
		}
	}
}

func (p *testPhone) happens(e wzp.LineEvent) {
	p.t.Helper()
	if over, err := p.happened(p.t.Context(), e); over || err != nil {
		p.t.Fatalf("after %+v it is over: %v", e, err)
	}
}

// shut wants nothing to be open that is not a call's.
func (p *testPhone) shut(when string) {
	p.t.Helper()
	if p.source != nil {
		p.t.Fatalf("%s a microphone is open", when)
	}
}

func (p *testPhone) closed(source wzp.Source) {
	p.t.Helper()
	if _, err := source.ReadFrame(p.t.Context(), make([]float32, 960)); !errors.Is(err, io.ErrClosedPipe) {
		p.t.Errorf("the microphone is open: %v", err)
	}
}

// testRelay is a relay that runs until the test ends.
type testRelay struct {
	addr string
	key  identity.Fingerprint
}

func newTestRelay(t *testing.T) testRelay {
	t.Helper()
	id := identity.NewSeed().Identity()
	r, err := relay.New(relay.Config{Identity: id, Version: "wzp test", Log: slog.New(slog.DiscardHandler),
		Listen: "127.0.0.1:0", Sockets: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return testRelay{r.Addr().String(), id.Public().Fingerprint()}
}

// line opens a line, until the test ends.
func (r testRelay) line(t *testing.T, id *identity.Identity, config wzp.LineConfig) *wzp.Line {
	t.Helper()
	client, err := wzp.NewClient(r.addr, wzp.Config{Identity: id, RelayKey: r.key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), scriptPatience)
	defer cancel()
	line, err := client.OpenLine(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	return line
}
