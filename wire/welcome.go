package wire

// Welcome is the relay's answer to a Hello:
//
//	{"Welcome":{"connection_id":integer, "reset_token":hex (16), "incarnation":hex (8), "relay":text,
//	 "features":[text, ...]}}
type Welcome struct {
	ConnID      ConnID   // of packets to the relay
	ResetToken  [16]byte // what a reset of ConnID carries
	Incarnation [8]byte  // random, drawn when the relay made the session: another one means start from zero
	Relay       string   // its version, at most 64 bytes
	Features    []string // as in Hello
}

func (*Welcome) MessageName() string { return "Welcome" }

func (m *Welcome) fields(c *codec) {
	c.integer("connection_id", (*uint32)(&m.ConnID), 1, uint32(MaxConnID))
	c.hex("reset_token", m.ResetToken[:])
	c.hex("incarnation", m.Incarnation[:])
	c.text("relay", &m.Relay, MaxName)
	c.features(&m.Features)
}
