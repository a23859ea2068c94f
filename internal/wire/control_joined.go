package wire

import "math"

// Joined is the relay's answer to a Join:
//
//	{"Joined":{"room":text, "member":hex (6), "members":integer}}
type Joined struct {
	Room    string
	Member  MemberID // of the entry in the Join
	Members uint32   // how many are in the room, this one included: 1 or more
}

func (m *Joined) fields(c *codec) {
	c.str("room", &m.Room, checkRoom)
	c.hex("member", m.Member[:])
	c.integer("members", &m.Members, 1, math.MaxUint32)
}
