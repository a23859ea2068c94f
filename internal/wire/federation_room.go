package wire

// MaxHops is how many relays a path has at most, and so over how many peer links anything travels.
const MaxHops = 8

// FederationRoom says on a peer link: I reach the home relay's part of this room, in this version, by this path; and
// what turns version Base of the same boot into this one. With Base 0, the empty list, the entries are complete; if
// there are none though the record has members, the message is bare and tells path and version only.
type FederationRoom struct {
	Serial uint64     // one counter for each direction of a link; the higher one is true
	Record RoomRecord // of the home relay; its signature was not checked
	Path   []RelayID  // 1 to MaxHops relays: first the sender, last the home
	Label  string     // what the home's own peer on the path calls it; may be empty
	Base   uint64     // the sequence that Left and Joined start from
	Left   []MemberID // who was there in Base and is not any more
	Joined [][]byte   // entries of who was not; nothing of them was checked but their length: see ParseEntry
}

var (
	errRoomShort   = &FormatError{"federation room", ErrTruncated, ""}
	errRoomLimit   = &FormatError{"federation room", ErrLimit, "a message has at most 1024 bytes"}
	errRoomNoHops  = &FormatError{"federation room", ErrInvalid, "its path is empty"}
	errRoomHops    = &FormatError{"federation room", ErrLimit, "a path has at most 8 relays"}
	errRoomEntries = &FormatError{"federation room", ErrInvalid, "an entry has 1 to 400 bytes"}
	errRoomLeft    = &FormatError{"federation room", ErrTruncated, "fewer member ids than it says"}
)

// AppendFederationRoom appends the message. It checks no limits: ask [FederationRoom.Size], and
// [FederationRoom.FitsJoined] before another entry is added.
//
//	serial (varint) || record || hops (1) || relay ids (8 each) || label length (1) || label
//	|| base (varint) || left (varint) || member ids (6 each) || to the end: length (varint) || entry
func AppendFederationRoom(dst []byte, m *FederationRoom) []byte {
	dst = m.Record.append(appendVarint(dst, m.Serial))
	dst = append(dst, byte(len(m.Path)))
	for _, id := range m.Path {
		dst = append(dst, id[:]...)
	}
	dst = append(append(dst, byte(len(m.Label))), m.Label...)
	dst = appendVarint(dst, m.Base)
	dst = appendMemberIDs(appendVarint(dst, uint64(len(m.Left))), m.Left)
	return appendEntries(dst, m.Joined)
}

// Size is how many bytes [AppendFederationRoom] appends; a message takes [MaxUrgent].
func (m *FederationRoom) Size() int { return m.size(len(m.Left)) }

func (m *FederationRoom) size(left int) int {
	return varintLen(m.Serial) + m.Record.size() + 1 + len(m.Path)*len(RelayID{}) + 1 + len(m.Label) +
		varintLen(m.Base) + varintLen(uint64(left)) + left*len(MemberID{}) + entriesSize(m.Joined)
}

// FitsJoined reports whether the message takes one more entry.
func (m *FederationRoom) FitsJoined(entry []byte) bool {
	return m.Size()+entrySize(entry) <= MaxUrgent
}

// FitsLeft reports whether the message takes one more id of a member that left.
func (m *FederationRoom) FitsLeft() bool { return m.size(len(m.Left)+1) <= MaxUrgent }

// ParseFederationRoom reads the message. The result does not alias it. Layout and limits are checked, room name and
// label too, but neither signature ([RoomRecord.Verify]) nor path nor entries.
func ParseFederationRoom(message []byte) (*FederationRoom, error) {
	if len(message) > MaxUrgent {
		return nil, errRoomLimit
	}
	r := reader{b: append([]byte(nil), message...)}
	m := &FederationRoom{Serial: r.varint()}
	var err error
	if m.Record, err = r.roomRecord(); err != nil {
		return nil, err
	}
	if m.Path, err = r.path(); err != nil {
		return nil, err
	}
	m.Label = string(r.take(int(r.uint8())))
	m.Base = r.varint()
	left := r.varint()
	if r.short {
		return nil, errRoomShort
	}
	if err := checkText("federation room label", m.Label, MaxName); err != nil {
		return nil, err
	}
	if left > uint64(len(r.b)/len(MemberID{})) {
		return nil, errRoomLeft
	}
	m.Left, _ = parseMemberIDs(r.take(int(left) * len(MemberID{})))
	if m.Joined, err = r.entries(errRoomShort, errRoomEntries); err != nil {
		return nil, err
	}
	return m, nil
}

// path reads the number of relays and their ids.
func (r *reader) path() ([]RelayID, error) {
	hops := int(r.uint8())
	switch {
	case r.short:
		return nil, errRoomShort
	case hops == 0:
		return nil, errRoomNoHops
	case hops > MaxHops:
		return nil, errRoomHops
	}
	path := make([]RelayID, hops)
	for i := range path {
		copy(path[i][:], r.take(len(path[i])))
	}
	if r.short {
		return nil, errRoomShort
	}
	return path, nil
}

// appendEntries appends entries, each with its length.
func appendEntries(dst []byte, entries [][]byte) []byte {
	for _, entry := range entries {
		dst = AppendMembersJoined(dst, entry)
	}
	return dst
}

// entriesSize is how many bytes appendEntries appends.
func entriesSize(entries [][]byte) (n int) {
	for _, entry := range entries {
		n += entrySize(entry)
	}
	return n
}

func entrySize(entry []byte) int { return varintLen(uint64(len(entry))) + len(entry) }

// entries reads entries to the end, none at all being allowed. The result aliases what is read.
func (r *reader) entries(short, length error) (list [][]byte, err error) {
	for len(r.b) > 0 {
		n := r.varint()
		switch {
		case r.short || n > uint64(len(r.b)):
			return nil, short
		case n == 0 || n > MaxEntry:
			return nil, length
		}
		list = append(list, r.take(int(n)))
	}
	return list, nil
}
