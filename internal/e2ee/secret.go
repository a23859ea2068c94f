package e2ee

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Layout of an invite secret as text (docs/protocol.md, section 7.3):
//
//	"wzp-" || base64url of: secret (32) || SHA-256("wzp/1 secret" || secret)[:4]
const (
	secretSize   = 32
	secretSum    = 4 // bytes of checksum: against slips of the hand, not against attackers
	secretPrefix = "wzp-"
	secretText   = (secretSize + secretSum) / 3 * 4 // characters after the prefix; no bits are left over
)

// What [ParseSecret] says. Neither shows any of the text: it may be a secret that is nearly right.
var (
	errSecretForm = errors.New("an invite secret is wzp- and 48 more characters, made by `wzp secret new`; " +
		"passwords are not accepted")
	errSecretSum = errors.New("the invite secret has a typing error or belongs to another version: " +
		"copy it anew, whole; `wzp secret new` makes secrets, passwords are not accepted")
)

// Secret is an invite secret: 32 random bytes that the members of a room share and relays never see
// (docs/protocol.md, section 7.3). It is immutable and safe for concurrent use; [NewSecret] and [ParseSecret]
// make it, the zero Secret is none. It never prints; only [Secret.Text] gives it away.
type Secret struct {
	redacted
	reveal func() *[secretSize]byte
}

// NewSecret returns a random secret.
func NewSecret() *Secret {
	var b [secretSize]byte
	rand.Read(b[:]) // never fails, says its documentation
	return secretFromBytes(b)
}

func secretFromBytes(b [secretSize]byte) *Secret {
	return &Secret{reveal: func() *[secretSize]byte { return &b }}
}

// ParseSecret reads what [Secret.Text] returns and nothing else: no white space, no padding, no passwords.
// Its errors say what to do, and do not repeat the text.
func ParseSecret(text string) (*Secret, error) {
	text, ok := strings.CutPrefix(text, secretPrefix)
	if !ok || len(text) != secretText {
		return nil, errSecretForm
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != secretSize+secretSum { // shorter: the decoder skips line ends
		return nil, errSecretForm
	}
	b := [secretSize]byte(raw)
	sum := checksum(&b)
	if subtle.ConstantTimeCompare(sum[:], raw[secretSize:]) != 1 {
		return nil, errSecretSum
	}
	return secretFromBytes(b), nil
}

// Text returns the secret as people pass it on: "wzp-" and 48 characters. It is the one method that shows it.
func (s *Secret) Text() string {
	b := s.reveal()
	sum := checksum(b)
	return secretPrefix + base64.RawURLEncoding.EncodeToString(append(b[:len(b):len(b)], sum[:]...))
}

func checksum(secret *[secretSize]byte) [secretSum]byte {
	sum := sha256.Sum256(append([]byte("wzp/1 secret"), secret[:]...))
	return [secretSum]byte(sum[:])
}

// Proof returns the room proof of a member entry, proved being the entry's bytes before its proof: only who
// has the secret can make it.
func (s *Secret) Proof(room string, proved []byte) (proof [32]byte) {
	mac := hmac.New(sha256.New, s.memberKey(room))
	mac.Write(proved)
	mac.Sum(proof[:0])
	return proof
}

// Check reports, in constant time, whether proof is the room proof over proved. A nil one is not.
func (s *Secret) Check(room string, proved []byte, proof *[32]byte) bool {
	if proof == nil {
		return false
	}
	want := s.Proof(room, proved)
	return hmac.Equal(want[:], proof[:])
}

// mediaKey returns what a room's base keys are salted with, 32 bytes.
func (s *Secret) mediaKey(room string) []byte { return s.derive("wzp/1 media" + room) }

// memberKey returns the key of a room's proofs, 32 bytes.
func (s *Secret) memberKey(room string) []byte { return s.derive("wzp/1 member" + room) }

func (s *Secret) derive(info string) []byte {
	return mustDerive(hkdf.Key(sha256.New, s.reveal()[:], nil, info, sha256.Size))
}

// mustDerive is for HKDF and PBKDF2, whose only error is a length that no caller asks for.
func mustDerive(key []byte, err error) []byte {
	if err != nil {
		panic(fmt.Sprintf("e2ee: derive key: %v", err))
	}
	return key
}

// redacted, embedded in a type, keeps it out of what is printed, logged or serialised. Its secret is behind a
// function as well, for fmt calls no methods on unexported fields of other structs but walks into them; of a
// function it shows an address at most.
type redacted struct{}

const redactedText = "secret"

// Format prints that there is something, not what, whatever the verb.
func (redacted) Format(f fmt.State, _ rune) { io.WriteString(f, redactedText) }

// LogValue is for log/slog.
func (redacted) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText is for encoding/json.
func (redacted) MarshalText() ([]byte, error) { return []byte(redactedText), nil }
