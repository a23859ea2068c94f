package wire

import (
	"encoding/base64"
	"strconv"
)

// Available opens a line: a session without a room, by which calls are made, and taken if there is a record:
//
//	{"Available":{"record":base64}}
type Available struct {
	Record []byte // of SignReach, or empty; when received, not verified: see ParseReach
}

func (m *Available) fields(c *codec) {
	s := base64.StdEncoding.EncodeToString(m.Record)
	c.str("record", &s, func(what, s string) (err error) {
		if c.decoding && s != "" && len(s) <= base64.StdEncoding.EncodedLen(ReachSize) {
			m.Record, err = strictBase64.DecodeString(s)
		}
		n := len(m.Record)
		if err != nil || n != 0 && n != ReachSize || len(s) != base64.StdEncoding.EncodedLen(n) {
			return &FormatError{what, ErrInvalid, "a record is base64 with padding, of " +
				strconv.Itoa(ReachSize) + " bytes or none"}
		}
		return nil
	})
}
