package wire

// LeaveRequest asks a relay, by other means than the session, to have a member leave. Whoever has the secret
// of its stay may.
//
//	room length (1) || room || entry hash (32) || stay secret (32)
type LeaveRequest struct {
	Room string
	Stay StayProof
}

// MaxLeaveRequest is the length limit of one in bytes.
const MaxLeaveRequest = 1 + MaxRoomName + 32 + 32

func (q *LeaveRequest) fields(l *layout) {
	l.text("room name", &q.Room, checkRoom)
	l.bytes(q.Stay.Entry[:])
	l.bytes(q.Stay.Secret[:])
}

// AppendLeaveRequest appends a request. It checks no limits.
func AppendLeaveRequest(dst []byte, q *LeaveRequest) []byte {
	l := layout{out: dst, writing: true}
	q.fields(&l)
	return l.out
}

// ParseLeaveRequest reads a request, which does not alias b.
func ParseLeaveRequest(b []byte) (*LeaveRequest, error) {
	l, q := layout{what: "leave request", in: reader{b: b}}, new(LeaveRequest)
	q.fields(&l)
	if err := l.end(); err != nil {
		return nil, err
	}
	return q, nil
}
