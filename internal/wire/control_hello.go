package wire

import "github.com/wzp-voice/wzp/identity"

// ProtocolVersion is what a Hello says that it speaks.
const ProtocolVersion = 1

// ExporterSize is the length in bytes of the TLS exporter value that a Hello signs, of label
// [ExporterLabel] (RFC 8446, section 7.5) and no context.
const (
	ExporterSize  = 32
	ExporterLabel = "EXPORTER-wzp/1 hello"
)

// Hello is the client's first message on each connection:
//
//	{"Hello":{"protocol":1, "identity":hex (32), "name":text, "client":text, "session":hex (16),
//	 "connection_id":integer, "features":[text, ...], "signature":hex (64)}}
//
// Another protocol than 1 is a [*FormatError] with What "Hello.protocol".
type Hello struct {
	Identity  identity.PublicKey // of the client; [Hello.Sign] sets it
	Name      string             // see CheckName
	Client    string             // program and version, by the rules of Name
	Session   [16]byte           // random; names the session, secret between client and relay
	ConnID    ConnID             // of packets to the client
	Features  []string           // at most 32, of at most 32 bytes each
	Signature [64]byte           // Sign makes it; check it with Verify before anything else is used
}

func (m *Hello) fields(c *codec) {
	version := uint32(ProtocolVersion)
	c.integer("protocol", &version, ProtocolVersion, ProtocolVersion)
	c.hex("identity", m.Identity[:])
	c.text("name", &m.Name, MaxName)
	c.text("client", &m.Client, MaxName)
	c.hex("session", m.Session[:])
	c.integer("connection_id", (*uint32)(&m.ConnID), 1, uint32(MaxConnID))
	c.features(&m.Features)
	c.hex("signature", m.Signature[:])
}

// signed returns what the signature covers, beside its kind:
//
//	exporter value (32), relay's key (32), session (16), connection id (3), name, client, each feature
func (m *Hello) signed(exporter []byte, relay identity.PublicKey) [][]byte {
	connID := []byte{byte(m.ConnID >> 16), byte(m.ConnID >> 8), byte(m.ConnID)}
	fields := [][]byte{exporter, relay[:], m.Session[:], connID, []byte(m.Name), []byte(m.Client)}
	for _, f := range m.Features {
		fields = append(fields, []byte(f))
	}
	return fields
}

const helloKind = "hello" // of its signature

// Sign sets Identity and Signature: id says hello to the relay with that key, on the connection whose
// TLS exporter value (32 bytes) it is. Every other field has to be set before.
func (m *Hello) Sign(id *identity.Identity, exporter []byte, relay identity.PublicKey) {
	m.Identity = id.Public()
	copy(m.Signature[:], id.Sign(helloKind, m.signed(exporter, relay)...))
}

// Verify reports whether Identity signed m for this connection and this relay: not replayed from another
// connection, not passed on by another relay.
func (m *Hello) Verify(exporter []byte, relay identity.PublicKey) bool {
	return len(exporter) == ExporterSize &&
		identity.Verify(m.Identity, helloKind, m.Signature[:], m.signed(exporter, relay)...)
}
