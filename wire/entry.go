package wire

import (
	"crypto/sha256"

	"github.com/wzp-voice/wzp/identity"
)

// MaxEntry is the length limit of a member entry in bytes. Version 1 makes at most 340 of them.
const MaxEntry = 400

const (
	entryVersion   = 1
	entryFlagProof = 0x01
	entryKind      = "member" // of its signature
)

// MemberEntry is what a client says about itself for one stay in one room. Whatever [ParseEntry]
// returned is signed by Identity; there is no way to read an entry without checking that.
type MemberEntry struct {
	Room      string
	Name      string             // may be empty
	Identity  identity.PublicKey // who it is
	HomeRelay identity.PublicKey // the relay that the client is attached to
	Nonce     [16]byte           // random, new for every join
	JoinKey   [32]byte           // X25519 public key, made for this join
	Proof     *[32]byte          // room proof, nil if the room has no invite secret
}

var (
	errEntryShort   = &FormatError{"entry", ErrTruncated, ""}
	errEntryLimit   = &FormatError{"entry", ErrLimit, "at most 400 bytes"}
	errEntryVersion = &FormatError{"entry", ErrUnknown, "its version is not 1"}
	errEntryFlags   = &FormatError{"entry", ErrInvalid, "unknown flags are set"}
	errEntryLong    = &FormatError{"entry", ErrInvalid, "goes on after its signature"}
	errEntrySign    = &FormatError{"entry signature", ErrInvalid, ""}
)

// EntryID returns the member id of an entry: SHA-256("wzp/1 member" || entry)[:6].
func EntryID(entry []byte) (m MemberID) {
	h := sha256.New()
	h.Write([]byte("wzp/1 member"))
	h.Write(entry)
	copy(m[:], h.Sum(nil))
	return m
}

// SignEntry returns the bytes of e, signed by id, whose public key stands in for e.Identity. It fails
// with a [*FormatError] if the room or name breaks its rules.
//
//	version (1) = 1 || flags (1) || room length (1) || room || name length (1) || name
//	|| identity key, Ed25519 (32) || home relay's key, Ed25519 (32) || nonce (16) || join key, X25519 (32)
//	|| room proof (32), if flag 0x01 is set || signature (64)
func SignEntry(id *identity.Identity, e MemberEntry) ([]byte, error) {
	if err := checkRoom("entry room", e.Room); err != nil {
		return nil, err
	}
	if err := checkText("entry name", e.Name, MaxName); err != nil {
		return nil, err
	}
	var flags byte
	if e.Proof != nil {
		flags = entryFlagProof
	}
	key := id.Public()
	b := append(make([]byte, 0, MaxEntry), entryVersion, flags)
	b = append(append(b, byte(len(e.Room))), e.Room...)
	b = append(append(b, byte(len(e.Name))), e.Name...)
	b = append(b, key[:]...)
	b = append(b, e.HomeRelay[:]...)
	b = append(b, e.Nonce[:]...)
	b = append(b, e.JoinKey[:]...)
	if e.Proof != nil {
		b = append(b, e.Proof[:]...)
	}
	return append(b, id.Sign(entryKind, b)...), nil
}

// ParseEntry reads an entry and checks all that can be checked of it alone: layout, limits, names and
// signature. It does not say that the entry is fresh, nor that room and home relay are those that the
// caller expects. The result does not alias b.
func ParseEntry(b []byte) (*MemberEntry, error) {
	if len(b) > MaxEntry {
		return nil, errEntryLimit
	}
	r := reader{b: b}
	version, flags := r.uint8(), r.uint8()
	switch {
	case r.short:
		return nil, errEntryShort
	case version != entryVersion:
		return nil, errEntryVersion
	case flags&^entryFlagProof != 0:
		return nil, errEntryFlags
	}
	e := &MemberEntry{
		Room: string(r.take(int(r.uint8()))),
		Name: string(r.take(int(r.uint8()))),
	}
	copy(e.Identity[:], r.take(len(e.Identity)))
	copy(e.HomeRelay[:], r.take(len(e.HomeRelay)))
	copy(e.Nonce[:], r.take(len(e.Nonce)))
	copy(e.JoinKey[:], r.take(len(e.JoinKey)))
	if flags&entryFlagProof != 0 {
		e.Proof = new([32]byte)
		copy(e.Proof[:], r.take(len(e.Proof)))
	}
	signed := b[:len(b)-len(r.b)]
	sig := r.take(identity.SignatureSize)
	switch {
	case r.short:
		return nil, errEntryShort
	case len(r.b) > 0:
		return nil, errEntryLong
	}
	if err := checkRoom("entry room", e.Room); err != nil {
		return nil, err
	}
	if err := checkText("entry name", e.Name, MaxName); err != nil {
		return nil, err
	}
	if !identity.Verify(e.Identity, entryKind, sig, signed) {
		return nil, errEntrySign
	}
	return e, nil
}
