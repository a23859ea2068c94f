package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Sizes in bytes.
const (
	SecretSize = 32
	TagSize    = 12
	keySize    = 16
	nonceSize  = 12
)

// generationBits is the number of low bits of the counter within one key generation.
const generationBits = 24

// maxSkip is how many generations ahead of the newest authentic one a packet may claim to be. Each
// costs a key derivation before it can be checked, and 2^24 packets are minutes even on a trunk.
const maxSkip = 2

// ErrOpen is returned for a packet that does not authenticate.
var ErrOpen = errors.New("seal: packet does not authenticate")

// Secret is what the keys of one direction are derived from. It never prints.
type Secret [SecretSize]byte

// String hides the secret.
func (Secret) String() string { return "[redacted]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[redacted]" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Nonce is scratch memory for one call of Seal or Open. Callers keep one for each goroutine, so
// that the hot path allocates nothing.
type Nonce [nonceSize]byte

// generation is one key: AES-128-GCM with a 12-byte tag, and the IV its nonces are made from.
type generation struct {
	number uint64
	aead   cipher.AEAD
	iv     [nonceSize]byte
	secret Secret // of this generation; the next one's follows from it
}

func newGeneration(number uint64, secret Secret) *generation {
	block, err := aes.NewCipher(expand(secret, "wzp/1 key", keySize))
	if err != nil {
		panic(err) // the key has a fixed, valid size
	}
	aead, err := cipher.NewGCMWithTagSize(block, TagSize)
	if err != nil {
		panic(err)
	}
	g := &generation{number: number, secret: secret, aead: aead}
	copy(g.iv[:], expand(secret, "wzp/1 iv", nonceSize))
	return g
}

// next returns the generation after g.
func (g *generation) next() *generation {
	return newGeneration(g.number+1, Secret(expand(g.secret, "wzp/1 next", SecretSize)))
}

// at returns generation number, which is not before g.
func (g *generation) at(number uint64) *generation {
	for g.number < number {
		g = g.next()
	}
	return g
}

// nonce writes the nonce of counter to n: the IV, its last 8 bytes XOR the counter.
func (g *generation) nonce(n *Nonce, counter uint64) []byte {
	*n = g.iv
	tail := n[nonceSize-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^counter)
	return n[:]
}

func expand(secret Secret, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, secret[:], info, size)
	if err != nil {
		panic(err) // only for absurd sizes
	}
	return out
}

// Sealer seals the packets of one direction. It is safe for concurrent use.
type Sealer struct {
	cur atomic.Pointer[sealing]
	mu  sync.Mutex // held while a new generation is made
}

// sealing is the newest generation and the one before it, which senders that were overtaken at a
// boundary still need. Both are in it by value: a fan-out that goes through thousands of sealers is
// bound by how many pointers it has to follow for each.
type sealing struct{ cur, prev generation }

// NewSealer returns a Sealer for packets whose counters are at or after first.
func NewSealer(secret Secret, first uint64) *Sealer {
	g, s := newGeneration(0, secret), &Sealer{}
	now := &sealing{cur: *g}
	if number := first >> generationBits; number > 0 {
		now.prev = *g.at(number - 1)
		now.cur = *now.prev.next()
	}
	s.cur.Store(now)
	return s
}

// Seal appends to header the sealed plaintext and its tag, len(plaintext)+TagSize bytes, and returns
// the whole packet. The bytes of header are authenticated. A counter must never be used twice; those
// of one Sealer may come out of order by less than a generation. For an older one it returns nil.
func (s *Sealer) Seal(header, plaintext []byte, counter uint64, n *Nonce) []byte {
	want := counter >> generationBits
	g := &s.cur.Load().cur
	if g.number != want {
		if g = s.generation(want); g == nil {
			return nil
		}
	}
	return g.aead.Seal(header, g.nonce(n, counter), plaintext, header)
}

// generation returns the one numbered want, making it when it is new; nil when it is long over.
func (s *Sealer) generation(want uint64) *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cur.Load()
	for now.cur.number < want {
		now = &sealing{prev: now.cur, cur: *now.cur.next()}
		s.cur.Store(now)
	}
	switch {
	case now.cur.number == want:
		return &now.cur
	case now.prev.aead != nil && now.prev.number == want:
		return &now.prev
	}
	return nil
}

// Opener opens the packets of one direction. It is not safe for concurrent use.
type Opener struct {
	prev, cur *generation // of the newest authentic packet, and the one before it
	ahead     *generation // candidate after cur, kept so that forgeries cost no derivation each
}

// NewOpener returns an Opener for packets whose counters are at or after first.
func NewOpener(secret Secret, first uint64) *Opener {
	return &Opener{cur: newGeneration(0, secret).at(first >> generationBits)}
}

// Open decrypts packet[header:] in place and returns the plaintext. After an error the packet's bytes
// are undefined and the Opener is as before.
func (o *Opener) Open(packet []byte, header int, counter uint64, n *Nonce) ([]byte, error) {
	if len(packet) < header+TagSize {
		return nil, ErrOpen
	}
	g := o.generation(counter >> generationBits)
	if g == nil {
		return nil, ErrOpen
	}
	plaintext, err := g.aead.Open(packet[header:header], g.nonce(n, counter), packet[header:], packet[:header])
	if err != nil {
		return nil, ErrOpen
	}
	if g.number > o.cur.number {
		o.prev, o.cur, o.ahead = o.cur, g, nil
	}
	return plaintext, nil
}

// generation returns the key to try for a packet that claims to be of generation want, or nil.
func (o *Opener) generation(want uint64) *generation {
	switch {
	case want == o.cur.number:
		return o.cur
	case o.prev != nil && want == o.prev.number:
		return o.prev
	case want > o.cur.number && want-o.cur.number <= maxSkip:
		if o.ahead == nil || o.ahead.number != want {
			o.ahead = o.cur.at(want)
		}
		return o.ahead
	}
	return nil
}
