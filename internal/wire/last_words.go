package wire

// LastWords are what a client has its relay take in the place of its session, a line, which may get nothing
// out any more: it takes no calls from then on, and says by the paths of its calls that it hangs up.
//
//	0 (1) || session (16) || 0 to 8 times: length (2) || call message
type LastWords struct {
	Session  [16]byte // the secret by which client and relay name the session
	Messages [][]byte // of CallMessage; only their lengths were checked; they alias what was parsed
}

const (
	maxLastMessages = 8
	maxLastMessage  = 16 + MaxCallMessage
)

// MaxLastWords is the length limit of them in bytes.
const MaxLastWords = 1 + 16 + maxLastMessages*(2+maxLastMessage)

// IsLastWords reports whether a request to leave is of a line: that of a room begins with the length of a
// name.
func IsLastWords(b []byte) bool { return len(b) > 0 && b[0] == 0 }

func (w *LastWords) fields(l *layout) {
	var mark uint8
	l.uint8(&mark)
	l.require(mark == 0, ErrInvalid, "they begin with 0")
	l.bytes(w.Session[:])
	for i := 0; i < len(w.Messages) || !l.writing && l.err == nil && len(l.in.b) > 0; i++ {
		l.require(i < maxLastMessages, ErrLimit, "at most 8 messages")
		if !l.writing {
			w.Messages = append(w.Messages, nil)
		}
		n := l.uint(uint64(len(w.Messages[i])), 2)
		l.require(0 < n && n <= maxLastMessage, ErrInvalid, "a message has 1 to 916 bytes")
		l.slice(&w.Messages[i], int(n))
		l.require(true, nil, "") // it is there
	}
}

// AppendLastWords appends w. It checks no limits.
func AppendLastWords(dst []byte, w *LastWords) []byte {
	l := layout{out: dst, writing: true}
	w.fields(&l)
	return l.out
}

// ParseLastWords reads them.
func ParseLastWords(b []byte) (*LastWords, error) {
	l, w := layout{what: "last words", in: reader{b: b}}, new(LastWords)
	w.fields(&l)
	if err := l.end(); err != nil {
		return nil, err
	}
	return w, nil
}
