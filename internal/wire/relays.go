package wire

// UrgentRelays tells a client what relays are called whose members are in its room: AppendRelays.
const UrgentRelays UrgentKind = 13

// MaxLabel is the length limit of a relay's label in bytes of UTF-8.
const MaxLabel = MaxName

// RelayLabel says what an operator calls a relay. It is a help for people: nobody proves it.
type RelayLabel struct {
	Relay RelayID
	Label string // 0 to 64 bytes, as a member's name
}

var errRelaysShort = &FormatError{"relays", ErrTruncated, ""}

// AppendRelays appends one more label to a message of kind [UrgentRelays]. It does not check [MaxUrgent]: a message takes
// at least 14 of them.
//
//	relay id (8) || label length (1) || label, once for each
func AppendRelays(dst []byte, l RelayLabel) []byte {
	dst = append(dst, l.Relay[:]...)
	return append(append(dst, byte(len(l.Label))), l.Label...)
}

// ParseRelays reads such a message.
func ParseRelays(message []byte) (list []RelayLabel, err error) {
	r := reader{b: message}
	for {
		var l RelayLabel
		copy(l.Relay[:], r.take(len(l.Relay)))
		l.Label = string(r.take(int(r.uint8())))
		if r.short {
			return nil, errRelaysShort
		}
		if err := checkText("relay label", l.Label, MaxLabel); err != nil {
			return nil, err
		}
		list = append(list, l)
		if len(r.b) == 0 {
			return list, nil
		}
	}
}
