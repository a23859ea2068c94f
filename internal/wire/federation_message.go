package wire

import "encoding/binary"

// FederationMessage carries an urgent message to a member of another relay: from peer link to peer link, to the
// member's home.
type FederationMessage struct {
	Hops uint8      // over how many more links it may go, this one included: 1 to MaxHops
	Room RoomHash   // the room of talker and listener
	To   MemberID   // who gets it
	Kind UrgentKind // UrgentKey, UrgentKeysWanted or UrgentKeyReceived
	Body []byte     // the message of that kind, not checked but for its length; aliases what was parsed
}

// KeyReceived says that the recipient has a talker's sender key. It travels inside a [FederationMessage] to the talker,
// whose relay cannot see for itself what another relay's member acknowledged.
type KeyReceived struct {
	From   MemberID // the recipient, who has the key
	Number uint32   // of the key
}

// federationMessageStart is how many bytes go before the body.
const federationMessageStart = 1 + len(RoomHash{}) + len(MemberID{}) + 1

// MaxFederationBody is how many bytes the body of a [FederationMessage] has at most; every legal key fits.
const MaxFederationBody = MaxUrgent - federationMessageStart

var (
	errRoutedShort  = &FormatError{"federation message", ErrTruncated, ""}
	errRoutedLimit  = &FormatError{"federation message", ErrLimit, "a message has at most 1024 bytes"}
	errRoutedNoHops = &FormatError{"federation message", ErrInvalid, "no hops are left"}
	errRoutedHops   = &FormatError{"federation message", ErrLimit, "at most 8 hops"}
	errRoutedKind   = &FormatError{"federation message", ErrUnknown, "of a kind that is not for members of other relays"}
	errReceived     = &FormatError{"key received", ErrInvalid, "a member id and a key number"}
)

// AppendFederationMessage appends the message. It does not check [MaxFederationBody].
//
//	hops left (1) || room hash (8) || recipient (6) || kind (1) || body
func AppendFederationMessage(dst []byte, m *FederationMessage) []byte {
	dst = append(append(dst, m.Hops), m.Room[:]...)
	dst = append(append(dst, m.To[:]...), byte(m.Kind))
	return append(dst, m.Body...)
}

// ParseFederationMessage reads the message. Body aliases it.
func ParseFederationMessage(message []byte) (*FederationMessage, error) {
	if len(message) > MaxUrgent {
		return nil, errRoutedLimit
	}
	r := reader{b: message}
	m := &FederationMessage{Hops: r.uint8()}
	copy(m.Room[:], r.take(len(m.Room)))
	copy(m.To[:], r.take(len(m.To)))
	m.Kind = UrgentKind(r.uint8())
	switch {
	case r.short:
		return nil, errRoutedShort
	case m.Hops == 0:
		return nil, errRoutedNoHops
	case m.Hops > MaxHops:
		return nil, errRoutedHops
	}
	switch m.Kind {
	case UrgentKey, UrgentKeysWanted, UrgentKeyReceived:
	default:
		return nil, errRoutedKind
	}
	m.Body = r.b
	return m, nil
}

// AppendKeyReceived appends the message.
//
//	recipient (6) || key number (4)
func AppendKeyReceived(dst []byte, m *KeyReceived) []byte {
	return binary.BigEndian.AppendUint32(append(dst, m.From[:]...), m.Number)
}

// ParseKeyReceived reads the message.
func ParseKeyReceived(message []byte) (*KeyReceived, error) {
	r := reader{b: message}
	m := &KeyReceived{}
	copy(m.From[:], r.take(len(m.From)))
	m.Number = r.uint32()
	if r.short || len(r.b) > 0 {
		return nil, errReceived
	}
	return m, nil
}
