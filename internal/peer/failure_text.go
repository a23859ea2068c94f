package peer

import (
	"context"
	"errors"
	"net"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// What went wrong with a dial or a link, for operators, whom the codes of QUIC and TLS would tell nothing.
const (
	wordsSilent    = "the relay does not answer"
	wordsUnwelcome = "the relay refuses this relay's key"
	wordsForeign   = "what answers is not a wzp relay, or one of another version"
	wordsCut       = "the connection broke off"
)

// inWords says for people why a dial failed, or why the client of a link ended.
func inWords(err error) string {
	var (
		timeout   interface{ Timeout() bool }
		handshake *quic.TransportError
		versions  *quic.VersionNegotiationError
		ended     *quic.ApplicationError
		reset     *quic.StatelessResetError
	)
	switch {
	case errors.As(err, new(*wrongKeyError)), errors.As(err, new(*net.DNSError)),
		errors.As(err, new(*wire.Refused)), errors.As(err, new(*wire.Goodbye)):
		return err.Error() // words already
	case errors.Is(err, link.ErrPeerRefused):
		return wordsUnwelcome
	case errors.As(err, &handshake) && handshake.ErrorCode.IsCryptoError(), errors.As(err, &versions):
		return wordsForeign
	case errors.As(err, &handshake), errors.As(err, &ended), errors.As(err, &reset):
		return wordsCut
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return wordsSilent
	}
	return err.Error()
}

// advice is what to do about a failed dial.
func (d *dialer) advice(err error) string {
	switch refused := new(wire.Refused); {
	case errors.As(err, new(*wrongKeyError)):
		return "check the peer's url and fingerprint; " +
			"change the fingerprint only if its operator confirms the new one"
	case errors.Is(err, link.ErrPeerRefused):
		return "ask its operator to add this relay to [[peers]] or [[trusted]], with the fingerprint " +
			d.links.self.Fingerprint().String() + "; if it is there, the fingerprint there may be wrong"
	case errors.As(err, &refused):
		return "ask its operator why it refuses this relay"
	case errors.As(err, new(*net.DNSError)):
		return "check the name in the peer's url, and that this machine can look names up"
	case inWords(err) == wordsForeign:
		return "check that the peer's url is the address of a relay (its listen_addr, UDP), " +
			"and that both run the same version"
	}
	return "check that the relay runs, that the peer's url is right, and that UDP gets through"
}
