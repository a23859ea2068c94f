package call

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/udp"
)

func TestMain(m *testing.M) {
	// The real one takes most of the tests' time under the race detector; internal/e2ee and test/ have it.
	safetyNumber = func(room string, people []identity.PublicKey, secret *e2ee.Secret) string {
		slices.SortFunc(people, func(a, b identity.PublicKey) int { return slices.Compare(a[:], b[:]) })
		text := room
		for _, key := range slices.Compact(people) {
			text += key.String()
		}
		if secret != nil {
			text += secret.Text()
		}
		return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:40]
	}
	goleak.VerifyTestMain(m)
}

var relayAddr = simtest.Relay(1)

// lab is a relay and its clients on a simulated network, in virtual time.
//
//	person (Client, Room, Play) ── simnet ── relay.Relay
type lab struct {
	t      testing.TB
	net    *simnet.Network
	key    *identity.Identity // the relay's
	addr   netip.AddrPort     // the relay's
	config relay.Config       // of the relay, without identity
	relay  *relay.Relay
	stop   func() // ends the relay; may be called again
	kill   func() // ends it without a word to anyone
	hosts  int
	meddle func(*simnet.Conn) packetConn // unless nil, what stands before the sockets of relay and people
}

// inLab runs f in virtual time, with a relay up.
func inLab(t *testing.T, f func(l *lab)) {
	t.Helper()
	inNetwork(t, func(l *lab) {
		l.startRelay()
		l.t.Cleanup(func() { l.stop() })
		f(l)
	})
}

// inNetwork runs f in virtual time, without a relay.
func inNetwork(t *testing.T, f func(l *lab)) {
	t.Helper()
	simtest.Run(t, simnet.Profile{Delay: 20 * time.Millisecond}, func(t *testing.T, n *simnet.Network) {
		f(&lab{t: t, net: n, key: newIdentity(200), addr: relayAddr})
	})
}

// newIdentity returns one of 256 identities.
func newIdentity(n byte) *identity.Identity { return simtest.Identity(n) }

func (l *lab) mux(addr netip.AddrPort) *udp.Mux {
	l.t.Helper()
	return udp.New(l.conn(addr))
}

// before returns what stands before a socket.
func (l *lab) before(conn *simnet.Conn) packetConn {
	if l.meddle == nil {
		return conn
	}
	return l.meddle(conn)
}

func (l *lab) conn(addr netip.AddrPort) *simnet.Conn {
	l.t.Helper()
	return simtest.Listen(l.t, l.net, addr)
}

// startRelay starts a relay that knows nothing, at the address of the one before it.
func (l *lab) startRelay() {
	l.t.Helper()
	mouth := &mortal{packetConn: l.before(l.conn(l.addr))}
	config := l.config
	config.Identity, config.Version = l.key, "test relay"
	r, err := relay.NewOn(udp.New(mouth), config)
	if err != nil {
		l.t.Fatal(err)
	}
	l.relay, l.stop = r, simtest.Start(l.t, r.Run)
	l.kill = func() {
		mouth.dead.Store(true)
		l.stop()
	}
}

// mortal is a socket that sends nothing any more once its owner is dead.
type mortal struct {
	packetConn
	dead atomic.Bool
}

// packetConn is what sockets of simnet have, and those that stand before them.
type packetConn interface {
	net.PacketConn
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

func (m *mortal) WriteTo(b []byte, to net.Addr) (int, error) {
	if m.dead.Load() {
		return len(b), nil
	}
	return m.packetConn.WriteTo(b, to)
}

func (m *mortal) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if m.dead.Load() {
		return len(b), nil
	}
	return m.packetConn.WriteToUDPAddrPort(b, to)
}

// person is somebody with a client.
type person struct {
	lab    *lab
	client *Client
	addr   netip.AddrPort
	conn   *simnet.Conn
	room   *Room
	config JoinConfig                        // of join
	each   func(*Stream) (audio.Sink, error) // of the Play of join
	deaf   bool                              // join does not Play, which takes most of a test's time

	wg     sync.WaitGroup
	cancel context.CancelFunc
	mix    *recording

	mu     sync.Mutex // guards events
	events []Event
}

// person returns somebody with a client at a host of their own, who has not joined yet.
func (l *lab) person(name string) *person {
	l.t.Helper()
	return l.personOf(name, newIdentity(byte(l.hosts+1)))
}

// personOf is person with an identity.
func (l *lab) personOf(name string, id *identity.Identity) *person {
	l.t.Helper()
	l.hosts++
	p := &person{lab: l, addr: simtest.Host(l.hosts)}
	p.conn = l.conn(p.addr)
	config := Config{Identity: id, Name: name, RelayKey: l.key.Fingerprint()}
	var err error
	if p.client, err = newClient(l.addr.String(), l.addr.Addr().String(), udp.New(l.before(p.conn)),
		config); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		p.client.Close()
		p.end()
	})
	return p
}

// join joins a room, notes its events and plays it.
func (p *person) join(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	room, err := p.client.Join(ctx, name, p.config)
	if err != nil {
		return err
	}
	p.room, p.mix = room, &recording{}
	p.wg.Go(func() {
		for e := range room.Events() {
			p.mu.Lock()
			p.events = append(p.events, e)
			p.mu.Unlock()
		}
	})
	ctx, p.cancel = context.WithCancel(context.Background())
	if p.deaf {
		return nil
	}
	p.wg.Go(func() {
		if err := room.Play(ctx, PlayConfig{Mix: p.mix, Each: p.each}); err != nil {
			p.lab.t.Error(err)
		}
	})
	return nil
}

// end waits for what join started.
func (p *person) end() {
	if p.cancel != nil {
		p.cancel()
	}
	p.wg.Wait()
}

// leave leaves the room.
func (p *person) leave() {
	p.lab.t.Helper()
	if err := p.room.Leave(); err != nil {
		p.lab.t.Error(err)
	}
	p.end()
}

// joined returns somebody who is in a room.
func (l *lab) joined(name, room string) *person {
	l.t.Helper()
	p := l.person(name)
	if err := p.join(room); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// say publishes a source.
func (p *person) say(source audio.Source, config PublishConfig) *Publication {
	p.lab.t.Helper()
	pub, err := p.room.Publish(source, config)
	if err != nil {
		p.lab.t.Fatal(err)
	}
	return pub
}

// log returns the events so far, in words.
func (p *person) log() (words []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		switch e.(type) {
		case MicrophoneChanged, HandChanged: // whose tests ask for them
		default:
			words = append(words, word(e))
		}
	}
	return words
}

// news is log since the last call, without safety numbers.
func (p *person) news() (words []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		switch e.(type) {
		case SafetyNumber, MicrophoneChanged, HandChanged:
		default:
			words = append(words, word(e))
		}
	}
	p.events = nil
	return words
}

func word(e Event) string {
	switch e := e.(type) {
	case MemberJoined:
		return "+" + e.Member.Name
	case MemberLeft:
		return "-" + e.Member.Name
	case StreamStarted:
		return fmt.Sprintf("hear %s %d", e.Stream.Member().Name, e.Stream.Number())
	case Attached:
		return fmt.Sprintf("attached restarted=%v", e.Restarted)
	case Detached:
		return "detached"
	case SafetyNumber:
		return "safety number"
	case Warning:
		return fmt.Sprintf("warning %s %s", e.Code, e.Member.Name)
	case Ended:
		return fmt.Sprintf("ended %v", e.Err)
	}
	return fmt.Sprintf("%T", e)
}

// eventually waits until ok, for at most limit of virtual time.
func (l *lab) eventually(what string, limit time.Duration, ok func() bool) {
	l.t.Helper()
	simtest.Eventually(l.t, what, limit, ok)
}

// recording is a Sink that keeps what it is given.
type recording struct {
	mu     sync.Mutex // guards what follows
	from   time.Time  // when it began
	pcm    []float32
	closed bool
}

func (s *recording) WriteFrame(pcm []float32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from.IsZero() {
		s.from = time.Now()
	}
	s.pcm = append(s.pcm, pcm...)
	return nil
}

func (s *recording) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *recording) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// take returns what was recorded since the last call.
func (s *recording) take() []float32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	pcm := s.pcm
	s.pcm = nil
	return pcm
}

// sounding returns how many milliseconds of pcm, in steps of 10, are louder than -40 dBFS.
func sounding(pcm []float32) (ms int) {
	const step = audio.SampleRate / 100
	for ; len(pcm) >= step; pcm = pcm[step:] {
		sum := 0.0
		for _, v := range pcm[:step] {
			sum += float64(v) * float64(v)
		}
		if sum/step > 1e-4 {
			ms += 10
		}
	}
	return ms
}

// samples is a Source that captures given sound in real time, from the first ReadFrame on, and then fails.
type samples struct {
	pcm   []float32
	err   error // at the end; nil: io.EOF
	start time.Time
	read  int

	mu     sync.Mutex // guards closed
	closed int
}

func (s *samples) ReadFrame(ctx context.Context, dst []float32) (int, error) {
	if s.start.IsZero() {
		s.start = time.Now()
	}
	n := copy(dst, s.pcm[s.read:])
	if n == 0 && s.err != nil {
		return 0, s.err
	}
	if n == 0 {
		return 0, io.EOF
	}
	s.read += n
	due := s.start.Add(time.Duration(s.read) * time.Second / audio.SampleRate)
	select {
	case <-time.After(time.Until(due)):
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *samples) Start() time.Time { return s.start }

func (s *samples) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

// tone is a sine of d.
func tone(d time.Duration) []float32 {
	pcm := make([]float32, d*audio.SampleRate/time.Second)
	for i := range pcm {
		pcm[i] = float32(0.25 * math.Sin(2*math.Pi*440*float64(i)/audio.SampleRate))
	}
	return pcm
}

// silence is nothing for d.
func silence(d time.Duration) []float32 { return make([]float32, d*audio.SampleRate/time.Second) }
