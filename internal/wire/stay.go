package wire

import (
	"crypto/rand"
	"crypto/sha256"

	"github.com/wzp-voice/wzp/identity"
)

// StaySecret is drawn anew for each stay in a room. The entry carries its commitment, so whoever shows the
// secret shows that the stay is its own, to everybody who has the entry. It serves to end that stay and
// nothing else, so it is worth nothing once it was shown.
type StaySecret [32]byte

// NewStaySecret draws one.
func NewStaySecret() (s StaySecret) {
	rand.Read(s[:])
	return s
}

// String says that it is a secret, not which.
func (StaySecret) String() string { return "stay secret" }

// Commitment is SHA-256("wzp/1 stay" || stay secret).
type Commitment [32]byte

// Commitment returns the secret's.
func (s StaySecret) Commitment() (c Commitment) {
	h := sha256.New()
	h.Write([]byte("wzp/1 stay"))
	h.Write(s[:])
	h.Sum(c[:0])
	return c
}

// StayProof names a stay, and has its secret.
type StayProof struct {
	Entry  EntryHash
	Secret StaySecret
}

// Stay is what has to be equal of two entries of one room for one to replace the other: what the old one is,
// and what the new one names and proves. It can be a map's key.
type Stay struct {
	Entry      EntryHash
	Identity   identity.PublicKey
	Commitment Commitment
}

// Stay returns the stay whose entry e is; hash is its own.
func (e *MemberEntry) Stay(hash EntryHash) Stay { return Stay{hash, e.Identity, e.Commitment} }

// Replaced returns the stay that ends with e, which proves it if there is an entry that is of this stay; ok
// is false if e replaces none.
func (e *MemberEntry) Replaced() (old Stay, ok bool) {
	if e.Replaces == nil {
		return Stay{}, false
	}
	return Stay{e.Replaces.Entry, e.Identity, e.Replaces.Secret.Commitment()}, true
}

// StaysOf returns the stay of an entry for which [ParseEntry] has returned before, and the one that it
// replaces, which is zero if there is none. It checks no signature, and returns zeros for what is no entry.
func StaysOf(entry []byte, hash EntryHash) (own, replaced Stay) {
	e, l, _ := readEntry(entry, checkRoom)
	if l.end() != nil {
		return Stay{}, Stay{}
	}
	replaced, _ = e.Replaced()
	return e.Stay(hash), replaced
}
