package wire

import "encoding/binary"

// Sizes of wraps, docs/protocol.md, section 7.2.
const (
	WrapFresh     = 64 // bytes of a wrap of a fresh key, of 16 bytes
	WrapRatcheted = 80 // bytes of a wrap of a ratcheted key, of 32 bytes
)

// KeyWraps carry a key that was announced to some of its recipients.
type KeyWraps struct {
	Number uint32
	size   int
	wraps  []byte
}

var (
	errWrapSize = &FormatError{"key wraps", ErrInvalid, "a wrap has 64 or 80 bytes"}
	errWraps    = &FormatError{"key wraps", ErrTruncated, "at least one, and whole ones"}
)

// AppendKeyWraps begins a message of kind [UrgentKeyWraps]; AppendWrap adds to it. size: WrapFresh or
// WrapRatcheted.
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
