package wire

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/wzp-voice/wzp/identity"
)

// What browsers have in the place of sealed packets and TLS exporters: docs/protocol.md, section 8.

// WebHeaderSize is what stands before the frames of a browser's packet, in bytes.
const WebHeaderSize = 4

var (
	errWebPacketShort = &FormatError{"web packet", ErrTruncated, "has a counter of 4 bytes"}
	errWebPacketSize  = &FormatError{"web packet", ErrLimit, "at most 1200 bytes"}
)

// AppendWebPacket appends a packet of frames as browsers and relays exchange it:
//
//	counter (4, the low 32 bits) || frames
func AppendWebPacket(dst []byte, counter uint64, frames []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(counter)), frames...)
}

// ParseWebPacket returns the low 32 bits of a packet's counter, for [DecodeCounter], and its frames, which
// alias p.
func ParseWebPacket(p []byte) (counter uint32, frames []byte, err error) {
	if len(p) < WebHeaderSize {
		return 0, nil, errWebPacketShort
	}
	if len(p) > MaxPacketSize {
		return 0, nil, errWebPacketSize
	}
	return binary.BigEndian.Uint32(p), p[WebHeaderSize:], nil
}

// ParseMessage reads the JSON of a control message that came without its length: a text message of a
// WebSocket. Its errors are those of [ReadMessage] that are a [*FormatError].
func ParseMessage(json []byte) (Message, error) {
	switch {
	case len(json) == 0:
		return nil, errMessageEmpty
	case len(json) > MaxMessage:
		return nil, errMessageLimit
	}
	return parseMessage(json)
}

// WebHelloValue is what a browser's Hello signs in the place of the TLS exporter value; [Hello.Sign] and
// [Hello.Verify] take it as such:
//
//	SHA-256("wzp/1 web" || 0x00 || challenge || binding)
//
// The binding ties it to the connection: the SHA-256 of the relay's certificate (32 bytes) with WebTransport,
// the text host:port of the URL in lower case with WebSocket.
func WebHelloValue(challenge [ChallengeSize]byte, binding []byte) [ExporterSize]byte {
	b := append([]byte("wzp/1 web\x00"), challenge[:]...)
	return sha256.Sum256(append(b, binding...))
}

const webCertificateKind = "web certificate" // of the signature over hashes of certificates

// SignWebCertificates returns the relay's signature (64 bytes) over the SHA-256 hashes of the certificates
// that it shows to browsers, in the order in which it lists them.
func SignWebCertificates(relay *identity.Identity, hashes [][32]byte) []byte {
	return relay.Sign(webCertificateKind, hashFields(hashes)...)
}

// VerifyWebCertificates reports whether the relay with that key signed these hashes, in this order.
func VerifyWebCertificates(relay identity.PublicKey, hashes [][32]byte, signature []byte) bool {
	return identity.Verify(relay, webCertificateKind, signature, hashFields(hashes)...)
}

func hashFields(hashes [][32]byte) (fields [][]byte) {
	for i := range hashes {
		fields = append(fields, hashes[i][:])
	}
	return fields
}
