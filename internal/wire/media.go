package wire

import "encoding/binary"

// Limits of media frames, docs/protocol.md sections 4.1 and 10.
const (
	MaxAliases    = 4096 // for each direction of a session; the largest alias is one less
	MaxCiphertext = 1100 // bytes
)

// What the low five bits of a media frame say, if they are no alias.
const (
	aliasInline = 27 // the largest alias that they can hold
	codeShort   = 28 // an alias follows
	codeLong    = 29 // an alias, a KID and a full CTR follow
	codeTagged  = 30 // an alias, a room hash, a KID and a full CTR follow: peer links only
)

// Media is a media frame. Nothing of it is authentic end to end but what the SFrame tag, inside
// Ciphertext, covers: KID and CTR as rebuilt by the receiver.
type Media struct {
	Layer      uint8    // 0 base, 1 better
	Long       bool     // KID and the full CTR travel too
	Tagged     bool     // Long, and Room travels too: always and only on peer links, which carry many rooms
	Alias      uint16   // below MaxAliases; stands for one KID (if Tagged: in one room) in this direction
	Room       RoomHash // zero if not Tagged
	KID        KID      // 0 if not Long
	CTR        uint64   // the low 16 bits if not Long: see DecodeCounter
	Ciphertext []byte   // SFrame ciphertext and tag, 1 to MaxCiphertext bytes; aliases the packet
}

var (
	errMediaShort   = &FormatError{"media frame", ErrTruncated, ""}
	errMediaUnknown = &FormatError{"media frame", ErrUnknown, ""}
	errMediaAlias   = &FormatError{"media frame", ErrLimit, "an alias is below 4096"}
	errMediaLength  = &FormatError{"media frame", ErrLimit, "a ciphertext has at most 1100 bytes"}
)

// ParseMedia reads a frame of [KindBase] or [KindBetter]. Another kind or an unknown alias code is
// [ErrUnknown]: skip the frame and go on.
//
//	short: first byte, alias 0-27  || CTR low 16 bits (2)                   || ciphertext
//	       first byte, code 28     || alias (varint) || CTR low 16 bits (2) || ciphertext
//	long:  first byte, code 29     || alias (varint) || KID (8) || CTR (varint) || ciphertext
//	       first byte, code 30     || alias (varint) || room hash (8) || KID (8) || CTR (varint) || ciphertext
//
// (The first byte, and the length if there is one, are not in f.Body any more.)
func ParseMedia(f Frame) (Media, error) {
	if !f.IsMedia() || f.Type > codeTagged {
		return Media{}, errMediaUnknown
	}
	m := Media{Layer: uint8(f.Kind), Long: f.Type >= codeLong, Tagged: f.Type == codeTagged}
	r := reader{b: f.Body}
	alias := uint64(f.Type)
	if f.Type > aliasInline {
		alias = r.varint()
	}
	if m.Tagged {
		copy(m.Room[:], r.take(len(m.Room)))
	}
	if m.Long {
		m.KID = KID(r.uint64())
		m.CTR = r.varint()
	} else {
		m.CTR = uint64(r.uint16())
	}
	switch {
	case r.short || len(r.b) == 0:
		return Media{}, errMediaShort
	case alias >= MaxAliases:
		return Media{}, errMediaAlias
	case len(r.b) > MaxCiphertext:
		return Media{}, errMediaLength
	}
	m.Alias, m.Ciphertext = uint16(alias), r.b
	return m, nil
}

// AppendMedia appends m as a frame, long if m.Long or m.Tagged, else with the low 16 bits of m.CTR. It checks
// no limits: alias and ciphertext are the caller's. A CTR that no varint can hold (2^62 or more) is sent as
// the largest one, and fails to authenticate.
func AppendMedia(dst []byte, m *Media, last bool) []byte {
	t := mediaType(m)
	dst = appendFrameStart(dst, Kind(m.Layer&1), t, m.bodySize(), last)
	if t > aliasInline {
		dst = appendVarint(dst, uint64(m.Alias))
	}
	if m.Tagged {
		dst = append(dst, m.Room[:]...)
	}
	if m.Long || m.Tagged {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.KID))
		dst = appendVarint(dst, m.CTR)
	} else {
		dst = binary.BigEndian.AppendUint16(dst, uint16(m.CTR))
	}
	return append(dst, m.Ciphertext...)
}

// Size is how many bytes [AppendMedia] appends.
func (m *Media) Size(last bool) int { return FrameSize(m.bodySize(), last) }

func mediaType(m *Media) FrameType {
	switch {
	case m.Tagged:
		return codeTagged
	case m.Long:
		return codeLong
	case m.Alias > aliasInline:
		return codeShort
	default:
		return FrameType(m.Alias)
	}
}

func (m *Media) bodySize() int {
	n := len(m.Ciphertext)
	if m.Tagged {
		n += len(m.Room)
	}
	if m.Long || m.Tagged {
		return n + varintLen(uint64(m.Alias)) + 8 + varintLen(m.CTR)
	}
	if m.Alias > aliasInline {
		n += varintLen(uint64(m.Alias))
	}
	return n + 2
}
