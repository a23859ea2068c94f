package wire

import "strconv"

// MaxFrames is how many frames a sealed packet may hold; the caller of [NextFrame] counts.
const MaxFrames = 64

// Kind is what bits 6-5 of a frame's first byte say.
type Kind uint8

const (
	KindBase   Kind = 0 // media, base layer
	KindBetter Kind = 1 // media, better layer
	KindRepair Kind = 2 // reserved
	KindTyped  Kind = 3 // the low five bits are a FrameType
)

// FrameType is what the low five bits of a frame's first byte say: the type if the kind is
// [KindTyped], else the alias or one of the codes of section 4.1.
type FrameType uint8

const (
	FramePadding   FrameType = 0 // anything
	FramePing      FrameType = 1 // 8 bytes, anything
	FramePong      FrameType = 2 // the 8 bytes of the ping
	FrameReport    FrameType = 3 // Report
	FrameUrgent    FrameType = 4 // Urgent
	FrameUrgentAck FrameType = 5 // UrgentAck
	FrameAliasAck  FrameType = 6 // one or more AliasPair
	FrameChallenge FrameType = 7 // 8 bytes, unpredictable
	FrameResponse  FrameType = 8 // the 8 bytes of the challenge
	FrameClose     FrameType = 9 // CloseCode
)

var frameNames = [...]string{"padding", "ping", "pong", "report", "urgent", "urgent ack", "alias ack",
	"challenge", "response", "close"}

// String returns the name that docs/protocol.md gives the type.
func (t FrameType) String() string {
	if int(t) < len(frameNames) {
		return frameNames[t]
	}
	return "frame type " + strconv.Itoa(int(t))
}

// Frame is one frame of a sealed packet's plaintext. Body aliases the packet: copy what has to live longer.
type Frame struct {
	Kind Kind
	Type FrameType
	Body []byte
}

// IsMedia reports whether [ParseMedia] is the parser for f.
func (f Frame) IsMedia() bool { return f.Kind <= KindBetter }

const (
	frameMore     = 0x80 // N: a length follows, and perhaps another frame
	frameTypeMask = 0x1f
)

var (
	errFrameShort  = &FormatError{"frame", ErrTruncated, ""}
	errFrameLength = &FormatError{"frame", ErrTruncated, "its length is more than the packet holds"}
)

// NextFrame takes the first frame off p, the plaintext of a sealed packet or what is left of it, and
// returns the rest; the loop ends when that is empty. It knows nothing of kinds and types: those that
// the caller does not know it skips, and goes on with rest. After an error there is no rest.
//
//	 7   6 5  4 3 2 1 0
//	+-+-----+-----------+
//	|N|kind |  alias or |     N = 1: a varint follows, the length of the rest of the frame
//	| |     |  type     |     N = 0: the frame is the last and ends with the packet
//	+-+-----+-----------+
func NextFrame(p []byte) (f Frame, rest []byte, err error) {
	if len(p) == 0 {
		return Frame{}, nil, errFrameShort
	}
	f.Kind, f.Type = Kind(p[0]>>5&3), FrameType(p[0]&frameTypeMask)
	if p[0]&frameMore == 0 {
		f.Body = p[1:len(p):len(p)]
		return f, nil, nil
	}
	r := reader{b: p[1:]}
	n := r.varint()
	if r.short {
		return Frame{}, nil, errFrameShort
	}
	if n > uint64(len(r.b)) {
		return Frame{}, nil, errFrameLength
	}
	f.Body = r.take(int(n))
	return f, r.b, nil
}

// FrameSize is how many bytes a frame with a body of n bytes takes.
func FrameSize(n int, last bool) int {
	if last {
		return 1 + n
	}
	return 1 + varintLen(uint64(n)) + n
}

// AppendFrame appends a frame of a type, with its body. Nothing may follow a frame that is the last: it
// saves the length.
func AppendFrame(dst []byte, t FrameType, body []byte, last bool) []byte {
	return append(appendFrameStart(dst, KindTyped, t, len(body), last), body...)
}

// appendFrameStart appends all of a frame but its body of n bytes.
func appendFrameStart(dst []byte, k Kind, t FrameType, n int, last bool) []byte {
	first := byte(k&3)<<5 | byte(t&frameTypeMask)
	if last {
		return append(dst, first)
	}
	return appendVarint(append(dst, frameMore|first), uint64(n))
}
