package wire

// Names of before, while callers change over to [Append], [Parse] and [Size].

func value[T any](m *T, err error) (T, error) {
	if err != nil {
		return *new(T), err
	}
	return *m, nil
}

func ParseSenderKey(b []byte) (SenderKey, error)                    { return value(Parse[SenderKey](b)) }
func ParseKey(b []byte) (Key, error)                                { return value(Parse[Key](b)) }
func ParseMediaDropped(b []byte) (MediaDropped, error)              { return value(Parse[MediaDropped](b)) }
func ParseKeyReceived(b []byte) (*KeyReceived, error)               { return Parse[KeyReceived](b) }
func ParseFederationRoom(b []byte) (*FederationRoom, error)         { return Parse[FederationRoom](b) }
func ParseFederationLeave(b []byte) (*FederationLeave, error)       { return Parse[FederationLeave](b) }
func ParseFederationWant(b []byte) (*FederationWant, error)         { return Parse[FederationWant](b) }
func ParseFederationFetch(b []byte) (*FederationFetch, error)       { return Parse[FederationFetch](b) }
func ParseFederationMembers(b []byte) (*FederationMembers, error)   { return Parse[FederationMembers](b) }
func ParseFederationMessage(b []byte) (*FederationMessage, error)   { return Parse[FederationMessage](b) }
func AppendSenderKey(dst []byte, m *SenderKey) []byte               { return Append(dst, m) }
func AppendKey(dst []byte, m *Key) []byte                           { return Append(dst, m) }
func AppendMediaDropped(dst []byte, m MediaDropped) []byte          { return Append(dst, &m) }
func AppendKeyReceived(dst []byte, m *KeyReceived) []byte           { return Append(dst, m) }
func AppendFederationRoom(dst []byte, m *FederationRoom) []byte     { return Append(dst, m) }
func AppendFederationLeave(dst []byte, m *FederationLeave) []byte   { return Append(dst, m) }
func AppendFederationWant(dst []byte, m *FederationWant) []byte     { return Append(dst, m) }
func AppendFederationFetch(dst []byte, m *FederationFetch) []byte   { return Append(dst, m) }
func AppendFederationMembers(d []byte, m *FederationMembers) []byte { return Append(d, m) }
func AppendFederationMessage(d []byte, m *FederationMessage) []byte { return Append(d, m) }
func AppendKeyDelivered(dst []byte, number uint32) []byte           { return Append(dst, &KeyDelivered{number}) }
func (m *FederationRoom) Size() int                                 { return Size(m) }

func ParseKeyDelivered(b []byte) (uint32, error) {
	m, err := value(Parse[KeyDelivered](b))
	return m.Number, err
}
