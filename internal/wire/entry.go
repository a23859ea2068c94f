package wire

import (
	"crypto/sha256"

	"github.com/wzp-voice/wzp/identity"
)

// MaxEntry is the length limit of a member entry in bytes, which version 1 reaches.
const MaxEntry = 420

const (
	entryVersion      = 1
	entryFlagProof    = 0x01
	entryFlagReplaces = 0x02
	entryFlags        = entryFlagProof | entryFlagReplaces
	entryKind         = "member" // of its signature
)

// MemberEntry is what a client says about itself for one stay in one room. Whatever [ParseEntry]
// returned is signed by Identity; there is no way to read an entry without checking that.
type MemberEntry struct {
	Room       string
	Name       string             // may be empty
	Identity   identity.PublicKey // who it is
	HomeRelay  identity.PublicKey // the relay that the client is attached to
	Commitment Commitment         // of a secret that is drawn for this join
	JoinKey    [32]byte           // X25519 public key, made for this join
	Replaces   *StayProof         // an earlier stay in the room, which ends with this entry; nil: none
	Proof      *[32]byte          // room proof, nil if the room has no invite secret
}

var errEntrySign = &FormatError{"entry signature", ErrInvalid, ""}

// EntryID returns the member id of an entry: SHA-256("wzp/1 member" || entry)[:6].
func EntryID(entry []byte) MemberID { return HashEntry(entry).Member() }

// EntryHash is SHA-256("wzp/1 member" || entry). Its first 6 bytes are the member id; what must not be taken
// for another's is bound to all of it, for an id can be searched for.
type EntryHash [32]byte

// HashEntry returns the hash of an entry.
func HashEntry(entry []byte) (hash EntryHash) {
	h := sha256.New()
	h.Write([]byte("wzp/1 member"))
	h.Write(entry)
	h.Sum(hash[:0])
	return hash
}

// Member returns the member id of the entry.
func (h EntryHash) Member() MemberID { return MemberID(h[:len(MemberID{})]) }

// fields names all of e before its proof, which the caller adds, and signature. room checks the room's name.
//
//	version (1) = 1 || flags (1) || room length (1) || room || name length (1) || name
//	|| identity key, Ed25519 (32) || home relay's key, Ed25519 (32) || stay commitment (32)
//	|| join key, X25519 (32) || hash of the replaced entry (32) || its stay secret (32), if flag 0x02 is set
//	|| room proof (32), if flag 0x01 is set || signature (64)
func (e *MemberEntry) fields(l *layout, flags *uint8, room func(what, s string) error) {
	version := uint8(entryVersion)
	l.uint8(&version)
	l.uint8(flags)
	l.require(version == entryVersion, ErrUnknown, "its version is not 1")
	l.require(*flags&^entryFlags == 0, ErrInvalid, "unknown flags are set")
	l.text("entry room", &e.Room, room)
	l.text("entry name", &e.Name, checkName)
	l.bytes(e.Identity[:])
	l.bytes(e.HomeRelay[:])
	l.bytes(e.Commitment[:])
	l.bytes(e.JoinKey[:])
	if *flags&entryFlagReplaces == 0 {
		return
	}
	if !l.writing {
		e.Replaces = new(StayProof)
	}
	l.bytes(e.Replaces.Entry[:])
	l.bytes(e.Replaces.Secret[:])
}

// SignEntry returns the bytes of e, signed by id, whose public key stands in for e.Identity. It fails
// with a [*FormatError] if the room or name breaks its rules.
func SignEntry(id *identity.Identity, e MemberEntry) ([]byte, error) {
	return signEntry(id, e, checkRoom)
}

func signEntry(id *identity.Identity, e MemberEntry, room func(what, s string) error) ([]byte, error) {
	if err := room("entry room", e.Room); err != nil {
		return nil, err
	}
	if err := checkName("entry name", e.Name); err != nil {
		return nil, err
	}
	e.Identity = id.Public()
	b := e.body(e.Proof != nil)
	if e.Proof != nil {
		b = append(b, e.Proof[:]...)
	}
	return append(b, id.Sign(entryKind, b)...), nil
}

// Proved returns the bytes that the room proof of e covers: those before it.
func (e *MemberEntry) Proved() []byte { return e.body(true) }

// body returns all bytes of e before its proof and signature.
func (e *MemberEntry) body(proof bool) []byte {
	flags := uint8(0)
	if proof {
		flags |= entryFlagProof
	}
	if e.Replaces != nil {
		flags |= entryFlagReplaces
	}
	l := layout{out: make([]byte, 0, MaxEntry), writing: true}
	e.fields(&l, &flags, nil)
	return l.out
}

// ParseEntry reads an entry and checks all that can be checked of it alone: layout, limits, names and
// signature. It does not say that the entry is fresh, nor that room and home relay are those that the
// caller expects, nor that it may replace another. The result does not alias b.
func ParseEntry(b []byte) (*MemberEntry, error) { return parseEntry(b, checkRoom) }

func parseEntry(b []byte, room func(what, s string) error) (*MemberEntry, error) {
	e, l, signed := readEntry(b, room)
	var signature [identity.SignatureSize]byte
	copy(signature[:], b[len(signed):])
	if err := l.end(); err != nil {
		return nil, err
	}
	if !identity.Verify(e.Identity, entryKind, signature[:], signed) {
		return nil, errEntrySign
	}
	return e, nil
}

// readEntry reads an entry, as far as l.end says that it is one, and returns its bytes before the signature.
func readEntry(b []byte, room func(what, s string) error) (e *MemberEntry, l layout, signed []byte) {
	l = layout{what: "entry", in: reader{b: b}}
	l.require(len(b) <= MaxEntry, ErrLimit, "at most 420 bytes")
	e, flags := new(MemberEntry), uint8(0)
	e.fields(&l, &flags, room)
	if flags&entryFlagProof != 0 {
		e.Proof = new([32]byte)
		l.bytes(e.Proof[:])
	}
	signed = b[:len(b)-len(l.in.b)]
	l.in.take(identity.SignatureSize)
	return e, l, signed
}
