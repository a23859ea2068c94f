package wire

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/wzp-voice/wzp/identity"
)

const callRooms = "_call/" // how the rooms of calls begin, which nobody can join

// CallNonce is what the caller draws for one call.
type CallNonce [32]byte

// NewCallNonce draws one.
func NewCallNonce() (n CallNonce) {
	rand.Read(n[:])
	return n
}

// CallID names a call between two identities:
// SHA-256("wzp/1 call" || caller's identity key || called's identity key || nonce)[:16].
type CallID [16]byte

// CallIDOf returns the id of a call. Only the two ends can compute it.
func CallIDOf(caller, called identity.PublicKey, nonce CallNonce) CallID {
	h := sha256.New()
	h.Write([]byte("wzp/1 call"))
	h.Write(caller[:])
	h.Write(called[:])
	h.Write(nonce[:])
	return CallID(h.Sum(nil)[:len(CallID{})])
}

// Room returns the name of the room that the ends of the call are in. There is none at relays.
func (c CallID) Room() string { return callRooms + c.String() }

// String returns 32 lower-case hexadecimal digits.
func (c CallID) String() string { return hex.EncodeToString(c[:]) }

// SignCallEntry is [SignEntry] for a call's room: e.Room is that of a [CallID].
func SignCallEntry(id *identity.Identity, e MemberEntry) ([]byte, error) {
	return signEntry(id, e, checkCallRoom)
}

// ParseCallEntry is [ParseEntry] for entries of calls, and of calls alone: so no entry is good for a call and
// for a room that relays know.
func ParseCallEntry(b []byte) (*MemberEntry, error) { return parseEntry(b, checkCallRoom) }

func checkCallRoom(what, name string) error {
	id, ok := strings.CutPrefix(name, callRooms)
	if !ok || !decodeHex(new(CallID)[:], id) {
		return &FormatError{what, ErrInvalid, "the room of a call is _call/ and 32 hexadecimal digits"}
	}
	return nil
}
