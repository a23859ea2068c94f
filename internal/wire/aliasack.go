package wire

import "encoding/binary"

// AliasPair is what a receiver acknowledges: alias stands for KID, on the direction that the
// acknowledgement's receiver sends.
type AliasPair struct {
	Alias uint16
	KID   KID
}

var (
	errAliasAckShort = &FormatError{"alias ack", ErrTruncated, ""}
	errAliasAckAlias = &FormatError{"alias ack", ErrLimit, "an alias is below 4096"}
)

// AppendAliasAck appends an alias ack of one or more pairs.
//
//	alias (varint) || KID (8), once for each pair
func AppendAliasAck(dst []byte, pairs []AliasPair, last bool) []byte {
	n := 0
	for _, p := range pairs {
		n += varintLen(uint64(p.Alias)) + 8
	}
	dst = appendFrameStart(dst, KindTyped, FrameAliasAck, n, last)
	for _, p := range pairs {
		dst = binary.BigEndian.AppendUint64(appendVarint(dst, uint64(p.Alias)), uint64(p.KID))
	}
	return dst
}

// ParseAliasAck reads the body of an alias ack and appends its pairs to dst. On an error it
// returns dst as it was: nothing of a damaged acknowledgement counts.
func ParseAliasAck(dst []AliasPair, body []byte) ([]AliasPair, error) {
	r, n := reader{b: body}, len(dst)
	for {
		alias, kid := r.varint(), KID(r.uint64())
		switch {
		case r.short:
			return dst[:n], errAliasAckShort
		case alias >= MaxAliases:
			return dst[:n], errAliasAckAlias
		}
		dst = append(dst, AliasPair{uint16(alias), kid})
		if len(r.b) == 0 {
			return dst, nil
		}
	}
}
