package link

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/wire"
)

// labelSealed is the exporter label of section 3.1.
const labelSealed = "EXPORTER-wzp/1 sealed"

// retireAfter is how long the keys of a superseded attachment still open packets.
const retireAfter = 10 * time.Second

// maxAttachments bounds what one session may hold; the oldest one not in use goes first.
const maxAttachments = 8

// connection is what an attachment came over: a *quic.Conn, or a *webConn.
type connection interface {
	CloseWithError(code quic.ApplicationErrorCode, reason string) error
}

// attachment is one QUIC connection of a session, with the keys that its TLS session gave, which outlive the
// connection; or one connection of a browser, which carries the packets itself and has neither ids nor keys.
type attachment struct {
	session *Session
	web     *webConn    // of a browser; nil: the packets are sealed
	local   wire.ConnID // in packets to us
	remote  wire.ConnID // in packets to the peer
	reset   seal.ResetToken
	sealer  *seal.Sealer

	// Guarded by session.mu:
	conn    connection // nil once it has ended
	opener  *seal.Opener
	retired time.Time // when it was superseded; zero: it was not
}

// exported is what both sides derive from one TLS session.
type exported struct {
	hello             []byte
	toRelay, toClient seal.Secret
}

func export(state tls.ConnectionState) (e exported, err error) {
	keys, err := state.ExportKeyingMaterial(labelSealed, nil, 2*seal.SecretSize)
	if err != nil {
		return e, fmt.Errorf("cannot export keys from TLS: %w", err)
	}
	e.toRelay, e.toClient = seal.Secret(keys[:seal.SecretSize]), seal.Secret(keys[seal.SecretSize:])
	e.hello, err = state.ExportKeyingMaterial(wire.ExporterLabel, nil, wire.ExporterSize)
	return e, err
}

// secrets returns those of our sending and receiving direction.
func (e *exported) secrets(client bool) (send, receive seal.Secret) {
	if client {
		return e.toRelay, e.toClient
	}
	return e.toClient, e.toRelay
}
