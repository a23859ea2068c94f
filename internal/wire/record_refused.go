package wire

// RecordReason is why a relay does not take a reach record. One that is not known here is as RecordInvalid.
type RecordReason uint8

// Why a relay does not take a reach record.
const (
	RecordInvalid  RecordReason = 1 // another identity's or relay's, not signed, or the clocks do not agree
	RecordTooOften RecordReason = 2 // the next one may come in some seconds
)

// RecordRefused says that a record of [UrgentAvailable] counts for nothing: the session takes calls no longer
// than by its record before.
//
//	reason (1)
type RecordRefused struct{ Reason RecordReason }

func (*RecordRefused) kind() UrgentKind { return UrgentRecordRefused }

func (m *RecordRefused) fields(l *layout) {
	l.uint8((*uint8)(&m.Reason))
	l.require(m.Reason != 0, ErrInvalid, "no reason")
}
