package call

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// ghost is a member of the relay's own making: it has an entry and its join key, and no client.
type ghost struct {
	entry []byte
	hash  wire.EntryHash
	join  *ecdh.PrivateKey
}

// ghost makes one, which nobody was told of yet. proof may be nil.
func (l *lab) ghost(id *identity.Identity, name, room string, proof *[32]byte) *ghost {
	l.t.Helper()
	join, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	e := wire.MemberEntry{Room: room, Name: name, HomeRelay: l.key.Public(),
		JoinKey: [32]byte(join.PublicKey().Bytes()), Proof: proof}
	rand.Read(e.Commitment[:])
	entry, err := wire.SignEntry(id, e)
	if err != nil {
		l.t.Fatal(err)
	}
	return &ghost{entry: entry, hash: wire.HashEntry(entry), join: join}
}

// haunt shows a ghost to some members from now on, in lists too, as far as hooks.shows lets it.
func (s *spy) haunt(g *ghost, to ...*tapped) {
	s.mu.Lock()
	s.ghosts = append(s.ghosts, g)
	s.mu.Unlock()
	for _, p := range to {
		p.tell(wire.UrgentMembersJoined, wire.AppendMembersJoined(nil, g.entry))
	}
}

// lay ends that.
func (s *spy) lay(g *ghost, to ...*tapped) {
	s.mu.Lock()
	s.ghosts = slices.DeleteFunc(s.ghosts, func(o *ghost) bool { return o == g })
	s.mu.Unlock()
	for _, p := range to {
		p.tell(wire.UrgentMembersLeft, wire.AppendMembersLeft(nil, g.hash.Member()))
	}
}

// wrapsFor returns what came in wraps for a member, from a time on.
func (n *notes) wrapsFor(id wire.MemberID, from time.Time) (wraps [][]byte) {
	for _, m := range n.sent(wire.UrgentKeyWraps, true, nil, from) {
		list, err := wire.ParseKeyWraps(m.body)
		if err != nil {
			n.t.Error(err)
			continue
		}
		for i := range list.Len() {
			if to, wrap := list.Wrap(i); to == id {
				wraps = append(wraps, wrap)
			}
		}
	}
	return wraps
}

// unwrap opens a wrap as docs/protocol.md, section 7.2, says, with a private key of any kind.
func unwrap(private *ecdh.PrivateKey, sender wire.EntryHash, header []byte, recipient wire.EntryHash,
	wrap []byte) ([]byte, error) {
	key, err := hpke.NewDHKEMPrivateKey(private)
	if err != nil {
		return nil, err
	}
	return hpke.Open(key, hpke.HKDFSHA256(), hpke.AES128GCM(), wrapInfo(sender, header, recipient), wrap)
}

// wrapUp is what unwrap opens.
func wrapUp(t testing.TB, to [32]byte, sender wire.EntryHash, header []byte, recipient wire.EntryHash,
	w []byte) []byte {
	t.Helper()
	key, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(to[:])
	if err != nil {
		t.Fatal(err)
	}
	wrap, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES128GCM(), wrapInfo(sender, header, recipient), w)
	if err != nil {
		t.Fatal(err)
	}
	return wrap
}

func wrapInfo(sender wire.EntryHash, header []byte, recipient wire.EntryHash) []byte {
	return slices.Concat([]byte("wzp/1 wrap"), sender[:], header, recipient[:])
}

// hoard is a member's client that never erases a key and cares for no first CTR.
type hoard struct {
	keys []hoarded
}

type hoarded struct {
	wire.Key
	listener *e2ee.Listener // has this key alone
}

// hoard takes all keys that the spy sent to a person, who must still be in the room.
func (n *notes) hoard(p *person) *hoard {
	n.t.Helper()
	h := &hoard{}
	id := p.room.ID()
	for _, m := range n.sent(wire.UrgentKey, false, &id, time.Time{}) {
		key, err := wire.Parse[wire.Key](m.body)
		if err != nil {
			n.t.Fatal(err)
		}
		key.Key.FirstCTR = 0 // the signature is over the bytes
		entry := n.entry(key.Sender)
		e, err := wire.ParseEntry(entry)
		if err != nil {
			n.t.Fatal(err)
		}
		listener := e2ee.NewListener(p.room.keeper.self, p.room.keeper.joinKey, p.room.name, p.config.Secret)
		if _, err := listener.Accept(wire.HashEntry(entry), e.Identity, &key, time.Now()); err != nil {
			n.t.Errorf("key %d of %v: %v", key.Key.Number, key.Sender, err)
		}
		h.keys = append(h.keys, hoarded{key, listener})
	}
	return h
}

// opens returns how many of some frames any of the keys opens.
func (h *hoard) opens(frames []notedFrame) (opened int) {
	for _, f := range frames {
		if slices.ContainsFunc(h.keys, func(k hoarded) bool {
			_, err := k.listener.Open(f.KID, nil, f.CTR, f.Ciphertext, time.Now())
			return err == nil
		}) {
			opened++
		}
	}
	return opened
}

// device returns somebody with a client at a host of their own, with a given identity.
func (l *lab) device(name string, id *identity.Identity) *person {
	l.t.Helper()
	p := l.person(name) // for its host
	addr := p.addr
	if err := p.client.Close(); err != nil {
		l.t.Fatal(err)
	}
	config := Config{Identity: id, Name: name, RelayKey: l.key.Fingerprint()}
	var err error
	if p.client, err = newClient(relayAddr.String(), relayAddr.Addr().String(), l.mux(addr),
		config); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// joinedWith is joined with an invite secret.
func (l *lab) joinedWith(secret *e2ee.Secret, name, room string) *person {
	l.t.Helper()
	p := l.person(name)
	p.config.Secret = secret
	if err := p.join(room); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// warned returns the warnings of some codes, in words, that a person got.
func (p *person) warned(codes ...WarningCode) (words []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if w, ok := e.(Warning); ok && slices.Contains(codes, w.Code) {
			words = append(words, word(e))
		}
	}
	return words
}

// differing are the warnings that tell people that the relay does not show everybody the same room.
var differing = []WarningCode{WarnMembers, WarnUnknownMember, WarnNoKey}

// drone is a Source that sounds for as long as it is read: a tone, or what tune says at a time since the
// start.
type drone struct {
	hz   float64
	tune func(at time.Duration) (hz float64) // 0: silence

	mu    sync.Mutex // guards start
	start time.Time
	read  int
	phase float64
}

func (d *drone) ReadFrame(ctx context.Context, dst []float32) (int, error) {
	d.mu.Lock()
	if d.start.IsZero() {
		d.start = time.Now()
	}
	start := d.start
	d.mu.Unlock()
	for i := range dst {
		hz := d.hz
		if d.tune != nil {
			hz = d.tune(time.Duration(d.read+i) * time.Second / audio.SampleRate)
		}
		d.phase += 2 * math.Pi * hz / audio.SampleRate
		dst[i] = 0
		if hz != 0 {
			dst[i] = float32(0.2 * math.Sin(d.phase))
		}
	}
	d.read += len(dst)
	select {
	case <-time.After(time.Until(start.Add(time.Duration(d.read) * time.Second / audio.SampleRate))):
		return len(dst), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (d *drone) Start() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.start
}

func (d *drone) Close() error { return nil }

// hum has a person say a tone without end.
func (p *person) hum(hz float64) *Publication {
	p.lab.t.Helper()
	return p.say(&drone{hz: hz}, PublishConfig{})
}

// muted keeps some people's microphones armed but closed for some time: encoding is what these tests take
// long for.
func muted(d time.Duration, people ...*person) {
	for _, on := range []bool{false, true} {
		for _, p := range people {
			p.room.mu.Lock()
			p.room.publication.SetTalking(on)
			p.room.mu.Unlock()
		}
		if !on {
			time.Sleep(d)
		}
	}
	time.Sleep(300 * time.Millisecond) // until they are heard again
}

// humming returns how many milliseconds of pcm, in steps of 20, a tone sounds in; first: where in pcm,
// negative if nowhere.
func humming(pcm []float32, hz float64) (ms int, first time.Duration) {
	const step = audio.SampleRate / 50
	first = -1
	for i := 0; i+step <= len(pcm); i += step {
		if amplitude(pcm[i:i+step], hz) < 0.04 {
			continue
		}
		if ms += 20; first < 0 {
			first = time.Duration(i) * time.Second / audio.SampleRate
		}
	}
	return ms, first
}

// amplitude is that of the part of pcm that has a frequency.
func amplitude(pcm []float32, hz float64) float64 {
	var re, im float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / audio.SampleRate)
		re, im = re+float64(v)*cos, im+float64(v)*sin
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm))
}

// hears waits and returns for how many milliseconds of that time a person heard a tone.
func (p *person) hears(hz float64, d time.Duration) int {
	p.mix.take()
	time.Sleep(d)
	ms, _ := humming(p.mix.take(), hz)
	return ms
}

// mustHear wants a tone to sound for nearly all of some time.
func (p *person) mustHear(what string, hz float64, d time.Duration) {
	p.lab.t.Helper()
	if ms := p.hears(hz, d); ms < int(d.Milliseconds())*9/10 {
		p.lab.t.Errorf("%s: %s was heard for %d of %d ms", what, nameOfTone[hz], ms, d.Milliseconds())
	}
}

// The tones that people hum: no two of them have a harmonic in common below 3 kHz, and 20 ms tell them apart.
const (
	annas = 450.0
	berts = 750.0
	carls = 1150.0
	forge = 1900.0 // what a relay says in another's name
)

var nameOfTone = map[float64]string{annas: "anna", berts: "bert", carls: "carl", forge: "a forgery"}
