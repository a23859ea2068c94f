package wire

// RelayLabel says what an operator calls a relay. It is a help for people: nobody proves it.
type RelayLabel struct {
	Relay RelayID
	Label string // 0 to 64 bytes, as a member's name
}

// AppendRelays appends one more label to a message of kind [UrgentRelays]. It does not check [MaxUrgent]: a
// message takes at least 14 of them.
//
//	relay id (8) || label length (1) || label, once for each
func AppendRelays(dst []byte, l RelayLabel) []byte {
	dst = append(dst, l.Relay[:]...)
	return append(append(dst, byte(len(l.Label))), l.Label...)
}

// ParseRelays reads such a message.
func ParseRelays(message []byte) (labels []RelayLabel, _ error) {
	l := layout{what: "relays", in: reader{b: message}}
	for more := true; more && l.err == nil; more = len(l.in.b) > 0 {
		var label RelayLabel
		l.bytes(label.Relay[:])
		l.text("relay label", &label.Label, checkName)
		labels = append(labels, label)
	}
	if err := l.end(); err != nil {
		return nil, err
	}
	return labels, nil
}
