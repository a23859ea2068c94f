package wire

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/wzp-voice/wzp/identity"
)

const recordKind = "federation room" // of its signature

// RoomRecord is what a relay says about its own members in a global room: how many there are, in which version, with
// a digest of their entries. Relays pass it on unchanged, so nobody on the way can add or remove a member.
//
// (Boot, Sequence) is the version. The record with the highest one is true, and one with no members ends the
// relay's part of the room.
type RoomRecord struct {
	Home      identity.PublicKey // the relay that all these members are attached to
	Room      string             // the room's name
	Boot      uint64             // rises with every start of the home relay
	Sequence  uint64             // counts the changes of all its rooms in this boot, from 1; below 2^62
	Members   uint32             // how many there are
	Digest    [32]byte           // MemberDigest of their entries
	Signature []byte             // identity.SignatureSize bytes, of Home
}

// MemberDigest is SHA-256 over entry hashes, which must be sorted by their bytes.
func MemberDigest(sorted []EntryHash) (digest [32]byte) {
	h := sha256.New()
	for i := range sorted {
		h.Write(sorted[i][:])
	}
	h.Sum(digest[:0])
	return digest
}

// Sign signs r as the home relay whose identity id is, and sets Home and Signature.
func (r *RoomRecord) Sign(id *identity.Identity) {
	r.Home = id.Public()
	r.Signature = id.Sign(recordKind, r.signed()...)
}

// Verify reports whether Home signed r.
func (r *RoomRecord) Verify() bool {
	return identity.Verify(r.Home, recordKind, r.Signature, r.signed()...)
}

// signed returns the fields that the signature covers.
func (r *RoomRecord) signed() [][]byte {
	return [][]byte{
		[]byte(r.Room),
		binary.BigEndian.AppendUint64(nil, r.Boot),
		binary.BigEndian.AppendUint64(nil, r.Sequence),
		binary.BigEndian.AppendUint32(nil, r.Members),
		r.Digest[:],
	}
}

var (
	errRecordShort    = &FormatError{"room record", ErrTruncated, ""}
	errRecordSequence = &FormatError{"room record", ErrInvalid, "its sequence is 0"}
	errRecordMembers  = &FormatError{"room record", ErrLimit, "members must fit 32 bits"}
)

// append appends r. A signature that is missing is written as zeros, which verify nowhere.
//
//	home's identity key (32) || room length (1) || room || boot (8) || sequence (varint) || members (varint)
//	|| digest (32) || signature (64)
func (r *RoomRecord) append(dst []byte) []byte {
	dst = append(dst, r.Home[:]...)
	dst = append(append(dst, byte(len(r.Room))), r.Room...)
	dst = binary.BigEndian.AppendUint64(dst, r.Boot)
	dst = appendVarint(dst, r.Sequence)
	dst = appendVarint(dst, uint64(r.Members))
	dst = append(dst, r.Digest[:]...)
	var signature [identity.SignatureSize]byte
	copy(signature[:], r.Signature)
	return append(dst, signature[:]...)
}

// size is how many bytes append appends.
func (r *RoomRecord) size() int {
	return len(r.Home) + 1 + len(r.Room) + 8 + varintLen(r.Sequence) + varintLen(uint64(r.Members)) +
		len(r.Digest) + identity.SignatureSize
}

// roomRecord reads a record. The result does not alias what is read; its signature was not checked.
func (r *reader) roomRecord() (RoomRecord, error) {
	rec := RoomRecord{}
	copy(rec.Home[:], r.take(len(rec.Home)))
	rec.Room = string(r.take(int(r.uint8())))
	rec.Boot, rec.Sequence = r.uint64(), r.varint()
	members := r.varint()
	copy(rec.Digest[:], r.take(len(rec.Digest)))
	rec.Signature = append([]byte(nil), r.take(identity.SignatureSize)...)
	switch {
	case r.short:
		return RoomRecord{}, errRecordShort
	case rec.Sequence == 0:
		return RoomRecord{}, errRecordSequence
	case members>>32 != 0:
		return RoomRecord{}, errRecordMembers
	}
	rec.Members = uint32(members)
	if err := checkRoom("room record", rec.Room); err != nil {
		return RoomRecord{}, err
	}
	return rec, nil
}
