package e2ee

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

const testRoom = "room"

// epoch0 is when tests begin.
var epoch0 = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// at returns a time after the test's beginning.
func at(seconds float64) time.Time {
	return epoch0.Add(time.Duration(seconds * float64(time.Second)))
}

// party is one member: what it says and what it hears.
type party struct {
	id       *identity.Identity
	hash     wire.EntryHash
	join     *JoinKey
	talker   *Talker
	listener *Listener
}

func newParty(t testing.TB, name string) *party { return newSecretParty(t, name, nil) }

func newSecretParty(t testing.TB, name string, secret *Secret) *party {
	p := &party{id: testIdentity(t, name), hash: wire.HashEntry([]byte(name)), join: mustJoinKey(t)}
	p.talker = NewTalker(p.id, p.hash, testRoom, secret)
	p.listener = NewListener(p.hash, p.join, testRoom, secret)
	return p
}

func (p *party) recipient() Recipient { return Recipient{p.hash, p.join.Public()} }

func (p *party) sees(others ...*party) {
	list := make([]Recipient, len(others))
	for i, o := range others {
		list[i] = o.recipient()
	}
	p.talker.SetMembers(list)
}

func (p *party) stream(t testing.TB, number uint8) *Sealer {
	t.Helper()
	s, err := p.talker.Stream(number)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// messages returns what a relay makes of d: a message "key" for each recipient.
func messages(t testing.TB, from *party, d *Distribution) map[wire.MemberID][]byte {
	t.Helper()
	if d == nil {
		t.Fatal("nothing was distributed")
	}
	announced, err := wire.Parse[wire.SenderKey](d.Announce())
	if err != nil || announced.Key.Number != d.Number() {
		t.Fatalf("announced %d in %x: %v", d.Number(), d.Announce(), err)
	}
	keys := map[wire.MemberID][]byte{}
	for message := range d.Wraps() {
		wraps, err := wire.ParseKeyWraps(message)
		if err != nil || len(message) > wire.MaxUrgent || wraps.Number != d.Number() {
			t.Fatalf("wraps for %d, %d bytes: %v", wraps.Number, len(message), err)
		}
		for i := range wraps.Len() {
			to, wrap := wraps.Wrap(i)
			keys[to] = wire.Append(nil, &wire.Key{Sender: from.hash.Member(), Key: announced.Key, Wrap: wrap})
		}
	}
	if len(keys) != int(announced.Recipients) {
		t.Fatalf("%d recipients announced, %d wraps came", announced.Recipients, len(keys))
	}
	return keys
}

// header returns what d says.
func header(t testing.TB, d *Distribution) wire.KeyHeader {
	t.Helper()
	announced, err := wire.Parse[wire.SenderKey](d.Announce())
	if err != nil {
		t.Fatal(err)
	}
	return announced.Key.KeyHeader
}

// accept gives p a message "key".
func (p *party) accept(t testing.TB, from *party, message []byte, now time.Time) error {
	t.Helper()
	key, err := wire.Parse[wire.Key](message)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.listener.Accept(from.hash, from.id.Public(), &key, now)
	return err
}

// deliver gives d to those of the parties that are recipients.
func deliver(t testing.TB, from *party, d *Distribution, now time.Time, to ...*party) {
	t.Helper()
	keys := messages(t, from, d)
	for _, p := range to {
		if message := keys[p.hash.Member()]; message != nil {
			if err := p.accept(t, from, message, now); err != nil {
				t.Fatalf("key %d: %v", d.Number(), err)
			}
		}
	}
}

// sealed is a frame on its way.
type sealed struct {
	kid        wire.KID
	ctr        uint64
	ciphertext []byte
}

func (s *Sealer) frame(t testing.TB, plaintext string) sealed {
	t.Helper()
	kid, ctr, ciphertext, err := s.Seal(nil, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return sealed{kid, ctr, ciphertext}
}

// opens returns the plaintext of f.
func (p *party) opens(f sealed, now time.Time) (string, error) {
	plaintext, err := p.listener.Open(f.kid, nil, f.ctr, f.ciphertext, now)
	return string(plaintext), err
}

// wantHeard fails unless every party opens f.
func wantHeard(t testing.TB, f sealed, plaintext string, now time.Time, parties ...*party) {
	t.Helper()
	for i, p := range parties {
		if got, err := p.opens(f, now); err != nil || got != plaintext {
			t.Fatalf("listener %d: frame %v, %d: %q, %v, want %q", i, f.kid, f.ctr, got, err, plaintext)
		}
	}
}

// wantUnheard fails unless no party opens f, with this error.
func wantUnheard(t testing.TB, f sealed, want error, now time.Time, parties ...*party) {
	t.Helper()
	for i, p := range parties {
		if got, err := p.opens(f, now); err != want || got != "" {
			t.Fatalf("listener %d: frame %v, %d: %q, %v, want %v", i, f.kid, f.ctr, got, err, want)
		}
	}
}

// step is Step, and fails if it does not distribute as is said.
func (p *party) step(t testing.TB, now time.Time, distributes bool, next time.Time) *Distribution {
	t.Helper()
	d, gotNext := p.talker.Step(now)
	if (d != nil) != distributes || !gotNext.Equal(next) {
		t.Fatalf("Step after %v: distribution %v, next %v; want %v, %v", now.Sub(epoch0), d != nil,
			gotNext.Sub(epoch0), distributes, next.Sub(epoch0))
	}
	return d
}
