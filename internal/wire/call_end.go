package wire

// EndReason says why a path ends.
type EndReason uint8

// Why a path ends. Only an end says that it hung up: a relay cannot tell whether it is true, and the ends say
// it to each other by a call message.
const (
	EndHungUp   EndReason = 0
	EndFailed   EndReason = 1 // a link or session on the way ended
	EndIdle     EndReason = 2 // nothing went over it for 60 s, or it was not set up in 35 s
	EndReplaced EndReason = 3 // a higher generation goes another way
	EndTooMany  EndReason = 4 // a relay has no space for it any more
)

var endReasons = [...]string{"hung up", "failed", "idle", "replaced", "too many"}

func (r EndReason) String() string {
	if int(r) < len(endReasons) {
		return endReasons[r]
	}
	return "unknown"
}

// CallEnd ends a path: [UrgentSessionEnd] between relays, [UrgentCallEnd] with clients.
//
//	path id (16) || generation (varint) || reason (1)
type CallEnd struct {
	Path       PathID
	Generation uint64 // of the path at who sends it: another one's end counts for nothing
	Reason     EndReason
}

func (*CallEnd) kind() UrgentKind { return UrgentSessionEnd }

func (m *CallEnd) fields(l *layout) {
	l.bytes(m.Path[:])
	l.generation(&m.Generation)
	l.uint8((*uint8)(&m.Reason))
}
