package wire

var errEcho = &FormatError{"ping, pong, challenge or response", ErrInvalid, "has 8 bytes"}

// Ping, pong, challenge and response have the same body:
//
//	8 bytes: anything (ping), unpredictable (challenge), as received (pong, response)

// AppendEcho appends a frame of type [FramePing], [FramePong], [FrameChallenge] or [FrameResponse].
func AppendEcho(dst []byte, t FrameType, data [8]byte, last bool) []byte {
	return AppendFrame(dst, t, data[:], last)
}

// ParseEcho reads the body of such a frame.
func ParseEcho(body []byte) (data [8]byte, err error) {
	if len(body) != len(data) {
		return data, errEcho
	}
	return [8]byte(body), nil
}
