package wire

// MaxHops is how many relays a path has at most, and so over how many peer links anything travels.
const MaxHops = 8

// FederationRoom says on a peer link: I reach the home relay's part of this room, in this version, by this
// path; and what turns version Base of the same boot into this one. With Base 0, the empty list, the entries
// are complete; if there are none though the record has members, the message is bare and tells path and
// version only.
//
//	serial (varint) || record || hops (1) || relay ids (8 each) || label length (1) || label
//	|| base (varint) || left (varint) || member ids (6 each) || to the end: length (varint) || entry
type FederationRoom struct {
	Serial uint64     // one counter for each direction of a link; the higher one is true
	Record RoomRecord // of the home relay; its signature was not checked
	Path   []RelayID  // 1 to MaxHops relays: first the sender, last the home
	Label  string     // what the home's own peer on the path calls it; may be empty
	Base   uint64     // the sequence that Left and Joined start from
	Left   []MemberID // who was there in Base and is not any more
	Joined [][]byte   // entries of who was not; nothing of them was checked but their length: see ParseEntry
}

func (*FederationRoom) kind() UrgentKind { return UrgentFederationRoom }

func (m *FederationRoom) fields(l *layout) {
	l.own()
	l.varint(&m.Serial)
	m.Record.fields(l)

	hops := uint8(len(m.Path))
	l.uint8(&hops)
	l.require(hops > 0, ErrInvalid, "its path is empty")
	l.require(hops <= MaxHops, ErrLimit, "a path has at most 8 relays")
	list(l, &m.Path, uint64(hops), func(id *RelayID) { l.bytes(id[:]) })

	l.text("federation room label", &m.Label, checkName)
	l.varint(&m.Base)

	left := uint64(len(m.Left))
	l.varint(&left)
	l.require(left <= uint64(len(l.in.b)/len(MemberID{})), ErrTruncated, "fewer member ids than it says")
	list(l, &m.Left, left, func(id *MemberID) { l.bytes(id[:]) })
	l.entries(&m.Joined)
}
