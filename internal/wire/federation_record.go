package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/wzp-voice/wzp/identity"
)

const recordKind = "federation room" // of its signature

// RoomRecord is what a relay says about its own members in a global room: how many there are, in which
// version, with a digest of their entries. Relays pass it on unchanged, so nobody on the way can add or
// remove a member.
//
// (Boot, Sequence) is the version. The record with the highest one is true, and one with no members ends the
// relay's part of the room.
//
//	home's identity key (32) || room length (1) || room || boot (8) || sequence (varint) || members (varint)
//	|| digest (32) || signature (64)
type RoomRecord struct {
	Home      identity.PublicKey // the relay that all these members are attached to
	Room      string             // the room's name
	Boot      uint64             // rises with every start of the home relay
	Sequence  uint64             // counts the changes of all its rooms in this boot, from 1; below 2^62
	Members   uint32             // how many there are
	Digest    [32]byte           // MemberDigest of their entries
	Signature []byte             // identity.SignatureSize bytes, of Home
}

// fields names the fields of r. A signature that is missing is written as zeros, which verify nowhere.
func (r *RoomRecord) fields(l *layout) {
	l.bytes(r.Home[:])
	l.text("room record", &r.Room, checkRoom)
	l.uint64(&r.Boot)
	l.varint(&r.Sequence)
	l.require(r.Sequence > 0, ErrInvalid, "the record's sequence is 0")
	l.varint32(&r.Members)
	l.bytes(r.Digest[:])
	if l.writing {
		var signature [identity.SignatureSize]byte
		copy(signature[:], r.Signature)
		l.put(signature[:]...)
	} else {
		r.Signature = bytes.Clone(l.in.take(identity.SignatureSize)) // it is kept, the message is not
	}
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
