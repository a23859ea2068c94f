package wire

// Goodbye ends the session from the relay's side:
//
//	{"Goodbye":{"code":text, "reason":text}}
//
// It is an error; [errors.Is] with &Goodbye{Code: c} asks for the code alone.
type Goodbye struct {
	Code   Code   // CodeShuttingDown or CodeReplaced; others may come
	Reason string // for people, at most 256 bytes; may be empty
}

func (m *Goodbye) fields(c *codec) {
	c.code(&m.Code)
	c.text("reason", &m.Reason, maxReason)
}

func (m *Goodbye) Error() string { return m.Code.sentence("the relay ended the session", m.Reason) }

// Is reports whether target is a Goodbye with the same code.
func (m *Goodbye) Is(target error) bool {
	t, ok := target.(*Goodbye)
	return ok && t.Code == m.Code
}
