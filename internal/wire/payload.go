package wire

import (
	"encoding/binary"
	"time"
)

// PayloadUnit is the unit of a payload's timestamp.
const PayloadUnit = 2500 * time.Microsecond

const (
	payloadEscape  = 0xff // no mono Opus packet begins so: its TOC byte would say stereo
	payloadSilence = 0x00
)

// Payload is what is inside a media frame's ciphertext.
type Payload struct {
	Timestamp uint16 // PayloadUnits, wraps
	Silence   bool   // from Timestamp on the talker is silent; there is no codec packet
	Mic       Mic    // of a silence: how the microphone is
	Hand      Hand   // of a silence: whether the talker raises a hand
	Codec     []byte // an Opus packet, RFC 6716 section 3, at least its TOC byte; aliases the input
}

// Mic is how the microphone of a talker is that is silent.
type Mic uint8

// The states of a microphone.
const (
	MicUnknown  Mic = 0 // it is not said
	MicOpen     Mic = 1
	MicMuted    Mic = 2
	MicReleased Mic = 3 // the button to talk is up
	MicNone     Mic = 4 // there is none any more
)

func (m Mic) String() string {
	if m > MicNone {
		m = MicUnknown
	}
	return [...]string{"unknown", "open", "muted", "released", "none"}[m]
}

// Hand is whether a member raises a hand, as silence payloads say, and frames of the view stream.
type Hand uint8

// What can be said of a hand.
const (
	HandUnknown Hand = 0 // it is not said
	HandDown    Hand = 1
	HandUp      Hand = 2
)

// The byte of a silence payload that tells of the member: what it says of a microphone, and of a hand.
const (
	micMask = 0x0f
	handBit = 0x80
)

var (
	errPayloadShort   = &FormatError{"payload", ErrTruncated, ""}
	errPayloadUnknown = &FormatError{"payload", ErrUnknown, ""}
)

// AppendPayload appends a codec packet with its timestamp. It must be a mono Opus packet: those
// never begin with the escape 0xff.
//
//	timestamp (2) || codec packet
func AppendPayload(dst []byte, timestamp uint16, codec []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, timestamp), codec...)
}

// AppendSilence appends a silence payload. Size is the length in bytes of the stream's Opus packets,
// to which it is padded so that its length tells nothing. One of less than 3 says neither how the
// microphone is nor whether the hand is up.
//
//	timestamp (2) || 0xff 0x00 || hand (1 bit) 0 (3) microphone (4) || zeros
func AppendSilence(dst []byte, timestamp uint16, size int, mic Mic, hand bool) []byte {
	dst = append(binary.BigEndian.AppendUint16(dst, timestamp), payloadEscape, payloadSilence)
	told := byte(mic)
	if hand {
		told |= handBit
	}
	for range size - 2 {
		dst, told = append(dst, told), 0
	}
	return dst
}

// parseTold reads the byte that tells of the member: 0 says nothing, nor does a microphone that only later
// versions know, and the bits in between are theirs.
func parseTold(told byte) (mic Mic, hand Hand) {
	if m := Mic(told & micMask); m <= MicNone {
		mic = m
	}
	switch {
	case told&handBit != 0:
		hand = HandUp
	case told != 0:
		hand = HandDown
	}
	return mic, hand
}

// ParsePayload reads a decrypted payload. An unknown kind is [ErrUnknown]: ignore it. Padding is
// not looked at.
func ParsePayload(p []byte) (Payload, error) {
	if len(p) < 3 {
		return Payload{}, errPayloadShort
	}
	t, codec := binary.BigEndian.Uint16(p), p[2:]
	switch {
	case codec[0] != payloadEscape:
		return Payload{Timestamp: t, Codec: codec}, nil
	case len(codec) < 2:
		return Payload{}, errPayloadShort
	case codec[1] != payloadSilence:
		return Payload{}, errPayloadUnknown
	default:
		p := Payload{Timestamp: t, Silence: true}
		if len(codec) > 2 {
			p.Mic, p.Hand = parseTold(codec[2])
		}
		return p, nil
	}
}
