package wire

import (
	"encoding/binary"

	"github.com/wzp-voice/wzp/identity"
)

// Sizes of sender keys, docs/protocol.md, section 7.2.
const (
	WrapFresh     = 64 // bytes of a wrap of a fresh key, of 16 bytes
	WrapRatcheted = 80 // bytes of a wrap of a ratcheted key, of 32 bytes
	// MaxWanted is how many member ids a "keys wanted" message has at most.
	MaxWanted = 32
)

// KeyHeader is what a talker signs about a sender key.
//
//	suite (1) || key number (4) || epoch (1) || first CTR (varint) || SHA-256(wrapped key) (32) || member digest (32)
type KeyHeader struct {
	Suite    uint8    // SFrame cipher suite: 2 or 3
	Number   uint32   // counts the talker's headers from 1, always up
	Epoch    uint8    // the low byte of the KIDs that the key is for: generation and ratchet step, 4 bits each
	FirstCTR uint64   // no frame of the key has a lower CTR
	Hash     [32]byte // SHA-256 of the key that is wrapped
	Members  [32]byte // digest of the talker's view of who is in the room, itself included
}

// SignedKey is a header with its signature, as it travels.
type SignedKey struct {
	KeyHeader
	Signed    []byte // the header's bytes
	Signature []byte // identity.SignatureSize bytes, kind "sender key"; not checked here
}

var (
	errKeyShort   = &FormatError{"sender key", ErrTruncated, ""}
	errKeySuite   = &FormatError{"sender key", ErrUnknown, "its suite is neither 2 nor 3"}
	errKeyLong    = &FormatError{"sender key", ErrInvalid, "goes on after its signature"}
	errWrapSize   = &FormatError{"key wraps", ErrInvalid, "a wrap has 64 or 80 bytes"}
	errWraps      = &FormatError{"key wraps", ErrTruncated, "at least one, and whole ones"}
	errWanted     = &FormatError{"keys wanted", ErrInvalid, "1 to 32 member ids"}
	errDelivered  = &FormatError{"key delivered", ErrInvalid, "a key number"}
	errRecipients = &FormatError{"sender key", ErrLimit, "recipients must fit 32 bits"}
)

// AppendKeyHeader appends h as it is signed.
func AppendKeyHeader(dst []byte, h *KeyHeader) []byte {
	dst = append(dst, h.Suite)
	dst = binary.BigEndian.AppendUint32(dst, h.Number)
	dst = append(dst, h.Epoch)
	dst = appendVarint(dst, h.FirstCTR)
	dst = append(dst, h.Hash[:]...)
	return append(dst, h.Members[:]...)
}

// signedKey reads header and signature. The result aliases what is read.
func (r *reader) signedKey() (SignedKey, error) {
	start := r.b
	k := SignedKey{KeyHeader: KeyHeader{Suite: r.uint8(), Number: r.uint32(), Epoch: r.uint8(), FirstCTR: r.varint()}}
	copy(k.Hash[:], r.take(len(k.Hash)))
	copy(k.Members[:], r.take(len(k.Members)))
	k.Signed = start[:len(start)-len(r.b)]
	k.Signature = r.take(identity.SignatureSize)
	switch {
	case r.short:
		return SignedKey{}, errKeyShort
	case k.Suite != 2 && k.Suite != 3:
		return SignedKey{}, errKeySuite
	}
	return k, nil
}

// SenderKey announces a key to the relay, which passes it on to those whose wraps follow.
type SenderKey struct {
	Recipients uint32 // how many wraps follow
	Key        SignedKey
}

// AppendSenderKey appends the message.
//
//	recipients (varint) || header || signature (64)
func AppendSenderKey(dst []byte, k *SenderKey) []byte {
	dst = appendVarint(dst, uint64(k.Recipients))
	dst = append(dst, k.Key.Signed...)
	return append(dst, k.Key.Signature...)
}

// ParseSenderKey reads the message. The result aliases it.
func ParseSenderKey(message []byte) (SenderKey, error) {
	r := reader{b: message}
	recipients := r.varint()
	key, err := r.signedKey()
	switch {
	case err != nil:
		return SenderKey{}, err
	case len(r.b) > 0:
		return SenderKey{}, errKeyLong
	case recipients>>32 != 0:
		return SenderKey{}, errRecipients
	}
	return SenderKey{Recipients: uint32(recipients), Key: key}, nil
}

// KeyWraps carry a key that was announced to some of its recipients.
type KeyWraps struct {
	Number uint32
	size   int
	wraps  []byte
}

// AppendKeyWraps begins the message; AppendWrap adds to it. size: WrapFresh or WrapRatcheted.
//
//	key number (4) || size of a wrap (1) || one or more of: recipient (6) || wrap (size)
func AppendKeyWraps(dst []byte, number uint32, size int) []byte {
	return append(binary.BigEndian.AppendUint32(dst, number), byte(size))
}

// AppendWrap adds a recipient to a message that AppendKeyWraps began.
func AppendWrap(dst []byte, to MemberID, wrap []byte) []byte {
	return append(append(dst, to[:]...), wrap...)
}

// ParseKeyWraps reads the message. The result aliases it.
func ParseKeyWraps(message []byte) (KeyWraps, error) {
	r := reader{b: message}
	w := KeyWraps{Number: r.uint32(), size: int(r.uint8())}
	w.wraps = r.b
	switch {
	case r.short || len(r.b) == 0:
		return KeyWraps{}, errWraps
	case w.size != WrapFresh && w.size != WrapRatcheted:
		return KeyWraps{}, errWrapSize
	case len(r.b)%(len(MemberID{})+w.size) != 0:
		return KeyWraps{}, errWraps
	}
	return w, nil
}

// Len returns how many wraps there are.
func (w KeyWraps) Len() int { return len(w.wraps) / (len(MemberID{}) + w.size) }

// Wrap returns one of them.
func (w KeyWraps) Wrap(i int) (to MemberID, wrap []byte) {
	b := w.wraps[i*(len(to)+w.size):]
	return MemberID(b[:len(to)]), b[len(to) : len(to)+w.size]
}

// Key is a sender key for the member that gets it.
type Key struct {
	Sender MemberID
	Key    SignedKey
	Wrap   []byte
}

// AppendKey appends the message.
//
//	sender (6) || header || signature (64) || wrap (64 or 80)
func AppendKey(dst []byte, k *Key) []byte {
	dst = append(dst, k.Sender[:]...)
	dst = append(dst, k.Key.Signed...)
	dst = append(dst, k.Key.Signature...)
	return append(dst, k.Wrap...)
}

// ParseKey reads the message. The result aliases it.
func ParseKey(message []byte) (Key, error) {
	r := reader{b: message}
	k := Key{}
	copy(k.Sender[:], r.take(len(k.Sender)))
	var err error
	if k.Key, err = r.signedKey(); err != nil {
		return Key{}, err
	}
	if k.Wrap = r.b; len(k.Wrap) != WrapFresh && len(k.Wrap) != WrapRatcheted {
		return Key{}, errWrapSize
	}
	return k, nil
}

// AppendKeysWanted appends the message: from a client the ids of talkers whose key it lacks, from a relay those
// of members who lack the client's.
func AppendKeysWanted(dst []byte, ids ...MemberID) []byte {
	return appendMemberIDs(dst, ids)
}

// ParseKeysWanted reads the message.
func ParseKeysWanted(message []byte) ([]MemberID, error) {
	if len(message) > MaxWanted*len(MemberID{}) {
		return nil, errWanted
	}
	ids, ok := parseMemberIDs(message)
	if !ok {
		return nil, errWanted
	}
	return ids, nil
}

// AppendKeyDelivered appends the message: all recipients of a key that are there have it.
func AppendKeyDelivered(dst []byte, number uint32) []byte {
	return binary.BigEndian.AppendUint32(dst, number)
}

// ParseKeyDelivered reads the message.
func ParseKeyDelivered(message []byte) (number uint32, err error) {
	if len(message) != 4 {
		return 0, errDelivered
	}
	return binary.BigEndian.Uint32(message), nil
}
