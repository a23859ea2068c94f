package wzp

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/call"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/wire"
)

// startRelay runs a relay in this process.
func startRelay(t *testing.T, config relay.Config) (addr string) {
	t.Helper()
	config.Identity, config.Listen, config.Sockets = simtest.Identity(1), "127.0.0.1:0", 1
	r, err := relay.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(simtest.Start(t, r.Run))
	return r.Addr().String()
}

func newClient(t *testing.T, addr string, config Config) *Client {
	t.Helper()
	if config.KnownRelays == nil && config.RelayKey == (identity.Fingerprint{}) {
		config.RelayKey = simtest.Identity(1).Fingerprint()
	}
	c, err := NewClient(addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func join(t *testing.T, c *Client) (*Room, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.Join(ctx, "kitchen", JoinConfig{})
}

func mustJoin(t *testing.T, c *Client) *Room {
	t.Helper()
	room, err := join(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return room
}

func TestErrName(t *testing.T) {
	long := strings.Repeat("n", 65)
	config := Config{Name: long, RelayKey: simtest.Identity(1).Fingerprint()}
	if _, err := NewClient("relay:4433", config); !errors.Is(err, ErrName) {
		t.Errorf("a client's name: %v", err)
	}
	c := newClient(t, "127.0.0.1:9", Config{})
	if _, err := c.Join(t.Context(), long, JoinConfig{}); !errors.Is(err, ErrName) {
		t.Errorf("a room's name: %v", err)
	}
}

// TestRelayKeyChanged has relays with another key than was given, or is known of them.
func TestRelayKeyChanged(t *testing.T) {
	addr := startRelay(t, relay.Config{})
	got, other := simtest.Identity(1).Fingerprint(), simtest.Identity(2)
	file := filepath.Join(t.TempDir(), "known_relays")
	if err := os.WriteFile(file, []byte(addr+" "+other.Public().String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := identity.OpenKnownRelays(file)
	if err != nil {
		t.Fatal(err)
	}
	for file, config := range map[string]Config{
		"":   {RelayKey: other.Fingerprint()},
		file: {KnownRelays: known},
	} {
		_, err := join(t, newClient(t, addr, config))
		want := identity.RelayKeyChangedError{Addr: addr, File: file, Known: other.Fingerprint(), Got: got}
		if changed := new(identity.RelayKeyChangedError); !errors.As(err, &changed) || *changed != want {
			t.Errorf("%v, want %+v", err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	addr := startRelay(t, relay.Config{MaxMembers: 1})
	anna := mustJoin(t, newClient(t, addr, Config{}))
	_, err := join(t, newClient(t, addr, Config{}))
	refused := new(RefusedError)
	if !errors.As(err, &refused) || refused.Code != "room_full" || refused.Text != err.Error() ||
		!strings.Contains(refused.Text, "the room is full") {
		t.Errorf("%v: %+v", err, refused)
	}
	if errors.Is(err, ErrUnreachable) {
		t.Error("who refuses can be reached")
	}
	anna.Leave()
}

func TestErrUnreachable(t *testing.T) {
	c := newClient(t, "127.0.0.1:9", Config{}) // the port "discard"
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Join(ctx, "kitchen", JoinConfig{}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nothing answers: %v", err)
	}
	err := public(&call.UnreachableError{Err: errors.New("no such host")})
	if !errors.Is(err, ErrUnreachable) || err.Error() != "no such host" {
		t.Error(err)
	}
}

func TestErrClosed(t *testing.T) {
	c := newClient(t, startRelay(t, relay.Config{}), Config{})
	c.Close()
	if _, err := join(t, c); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestPublishErrors(t *testing.T) {
	room := mustJoin(t, newClient(t, startRelay(t, relay.Config{}), Config{}))
	tone := func() Source {
		s, err := NewTone(440)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if _, err := room.Publish(tone(), PublishConfig{}); err != nil {
		t.Fatal(err)
	}
	if _, err := room.Publish(tone(), PublishConfig{}); !errors.Is(err, ErrPublished) {
		t.Errorf("twice: %v", err)
	}
	if err := room.Leave(); err != nil {
		t.Error(err)
	}
	if _, err := room.Publish(tone(), PublishConfig{}); !errors.Is(err, ErrRoomOver) {
		t.Errorf("after Leave: %v", err)
	}
	if err := room.Play(t.Context(), PlayConfig{}); err != nil {
		t.Errorf("Play after Leave: %v", err)
	}
}

// failing is a Source and a Sink that does not work.
type failing struct{ err error }

func (f failing) ReadFrame(context.Context, []float32) (int, error) { return 0, f.err }
func (f failing) Start() time.Time                                  { return time.Time{} }
func (f failing) WriteFrame([]float32) error                        { return f.err }
func (f failing) Close() error                                      { return nil }

// TestOwnErrors wants what a Source or a Sink returns to come back.
func TestOwnErrors(t *testing.T) {
	room := mustJoin(t, newClient(t, startRelay(t, relay.Config{}), Config{}))
	broken := failing{errors.New("broken")}
	p, err := room.Publish(broken, PublishConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Err(); !errors.Is(err, broken.err) {
		t.Errorf("a source: %v", err)
	}
	if err := room.Play(t.Context(), PlayConfig{Mix: broken}); !errors.Is(err, broken.err) {
		t.Errorf("a sink: %v", err)
	}
	room.Leave()
}

func TestErrNoDevice(t *testing.T) {
	t.Setenv("PULSE_SERVER", "unix:/nowhere")
	_, err := OpenMicrophone(SoundConfig{})
	_, err2 := OpenSpeaker(SoundConfig{Name: "usb"})
	_, _, err3 := SoundDevices()
	for _, err := range []error{err, err2, err3} {
		if !errors.Is(err, ErrNoDevice) {
			t.Error(err)
		}
	}
}

// TestEnded wants why a room is over as Join says it.
func TestEnded(t *testing.T) {
	room := mustJoin(t, newClient(t, startRelay(t, relay.Config{}), Config{}))
	room.Leave()
	var last Event
	for last = range room.Events() {
	}
	if last != (Ended{}) {
		t.Errorf("after Leave: %+v", last)
	}
	ended := event(call.Ended{Err: &wire.Goodbye{Code: wire.CodeReplaced}}).(Ended)
	if refused := new(RefusedError); !errors.As(ended.Err, &refused) || refused.Code != "replaced" {
		t.Errorf("replaced: %v", ended.Err)
	}
}
