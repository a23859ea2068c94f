package e2ee

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/wzp-voice/wzp/identity"
)

// A safety number is short enough to be read out, 133 bits; the rounds make it dear to search for identities
// that give the same one.
const (
	safetyRounds = 100_000
	safetyGroups = 8 // of five digits
	safetyGroup  = 5 // bytes that a group is made of
)

// SafetyNumber returns what people compare to know that all of them see the same people in the room
// (docs/protocol.md, section 7.4): eight groups of five digits, "12345 67890 ...". people are the identities
// of all members inside, one's own too; their order and repetitions do not matter, and stay. room has 1 to 64
// bytes, secret is nil where the room has none. It takes 50 ms and more: keep the result.
func SafetyNumber(room string, people []identity.PublicKey, secret *Secret) string {
	people = slices.Clone(people)
	slices.SortFunc(people, func(a, b identity.PublicKey) int { return bytes.Compare(a[:], b[:]) })
	people = slices.Compact(people)

	password := append([]byte{byte(len(room))}, room...)
	// With their number, for a secret might be one more identity otherwise.
	password = binary.BigEndian.AppendUint32(password, uint32(len(people)))
	for i := range people {
		password = append(password, people[i][:]...)
	}
	if secret != nil {
		password = append(password, secret.reveal()[:]...)
	}
	salt := []byte("wzp/1 safety number")
	b := mustDerive(pbkdf2.Key(sha256.New, string(password), salt, safetyRounds, safetyGroups*safetyGroup))

	var text strings.Builder
	for group := range slices.Chunk(b, safetyGroup) {
		var n uint64
		for _, digit := range group {
			n = n<<8 | uint64(digit)
		}
		fmt.Fprintf(&text, " %05d", n%100_000)
	}
	return text.String()[1:]
}
