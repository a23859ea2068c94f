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

// Key is one key generation: AES-128-GCM with a 12-byte tag, and the IV its nonces are made from. A fan-out
// copies the key that it sends with to where it finds it with few loads; the copy is good while Covers says
// so. It never prints.
type Key struct {
	number uint64
	aead   cipher.AEAD
	iv     [nonceSize]byte
}

// String hides the key.
func (Key) String() string { return "[redacted]" }

// GoString hides the key.
func (Key) GoString() string { return "[redacted]" }

// Covers reports whether packets with this counter are sealed with k.
func (k *Key) Covers(counter uint64) bool { return counter>>generationBits == k.number }

// Touch loads k's memory ahead of its use; the result means nothing.
func (k *Key) Touch() int { return k.aead.Overhead() }

// Seal appends to header the sealed plaintext and its tag, len(plaintext)+TagSize bytes, and returns the
// whole packet. The bytes of header are authenticated. A counter must never be used twice, and k must cover
// it.
func (k *Key) Seal(header, plaintext []byte, counter uint64, n *Nonce) []byte {
	return k.aead.Seal(header, k.nonce(n, counter), plaintext, header)
}

// nonce writes the nonce of counter to n: the IV, its last 8 bytes XOR the counter.
func (k *Key) nonce(n *Nonce, counter uint64) []byte {
	*n = k.iv
	tail := n[nonceSize-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^counter)
	return n[:]
}

// generation is a Key with the secret that the next generation's follows from.
type generation struct {
	Key
	secret Secret
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
	g := &generation{Key: Key{number: number, aead: aead}, secret: secret}
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

func expand(secret Secret, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, secret[:], info, size)
	if err != nil {
		panic(err) // only for absurd sizes
	}
	return out
}

// Sealer has the keys for the packets of one direction. It is safe for concurrent use.
type Sealer struct {
	mu        sync.Mutex  // guards what follows
	cur, prev *generation // the newest, and the one before it, which senders that were overtaken still need
}

// NewSealer returns a Sealer for packets whose counters are at or after first.
func NewSealer(secret Secret, first uint64) *Sealer {
	s := &Sealer{cur: newGeneration(0, secret)}
	if number := first >> generationBits; number > 0 {
		s.prev = s.cur.at(number - 1)
		s.cur = s.prev.next()
	}
	return s
}

// Key returns the key for a packet with this counter, making it when it is new. It reports false when it is
// long over: counters may come out of order by less than a generation.
func (s *Sealer) Key(counter uint64) (Key, bool) {
	want := counter >> generationBits
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.cur.number < want {
		s.prev, s.cur = s.cur, s.cur.next()
	}
	switch {
	case s.cur.number == want:
		return s.cur.Key, true
	case s.prev != nil && s.prev.number == want:
		return s.prev.Key, true
	}
	return Key{}, false
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
	plaintext, err := g.aead.Open(packet[header:header], g.nonce(n, counter), packet[header:],
		packet[:header])
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
