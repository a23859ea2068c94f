package wire

// Join asks for membership in a room:
//
//	{"Join":{"room":text, "entry":base64}}
type Join struct {
	Room  string // see RoomName
	Entry []byte // of SignEntry; when received, not verified: see ParseEntry
}

func (m *Join) fields(c *codec) {
	c.str("room", &m.Room, checkRoom)
	c.entry("entry", &m.Entry)
}
