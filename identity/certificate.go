package identity

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// TLSCertificate returns a self-signed X.509 certificate for the identity's Ed25519 key, for TLS 1.3
// with pinning by PublicKeyFromCertificate, as server or client. Nothing in it but the key means
// anything: the subject is "wzp", it is valid from 2020 to 2120 and has no extensions, so it is small
// (a handshake in few packets survives loss) and the same bytes after every restart. Its PrivateKey signs
// TLS 1.3 handshakes and nothing else: with TLS 1.2 or older it fails.
func (id *Identity) TLSCertificate() (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), // unique per issuer, and each key is its own issuer
		Subject:      pkix.Name{CommonName: "wzp"},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	key := id.secret().ed25519
	var leaf *x509.Certificate
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err == nil {
		leaf, err = x509.ParseCertificate(der)
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make the TLS certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: tlsSigner{id: id}, Leaf: leaf}, nil
}

// PublicKeyFromCertificate returns the Ed25519 key of a certificate, to be compared with a pinned one.
// It checks nothing else of the certificate: that the other side holds the key is what the TLS handshake
// proves. Certificates with other kinds of keys, and keys that anybody can sign for, are refused.
func PublicKeyFromCertificate(cert *x509.Certificate) (PublicKey, error) {
	if cert == nil {
		return PublicKey{}, errors.New("the other side sent no certificate")
	}
	key, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PublicKeySize {
		return PublicKey{}, fmt.Errorf("the certificate's key is %s, not Ed25519: this is not a wzp identity",
			cert.PublicKeyAlgorithm)
	}
	if PublicKey(key).smallOrder() {
		return PublicKey{}, errSmallOrder
	}
	return PublicKey(key), nil
}

// tlsSigner is the private key as crypto/tls sees it. It signs only what TLS 1.3 asks for: in TLS 1.2 the
// other side chooses the first 32 bytes of what is signed, and could choose them to look like one of our
// own signatures (see AppendSigned).
type tlsSigner struct {
	redacted
	id *Identity
}

// tls13Prefix starts every signed message of TLS 1.3 (RFC 8446, section 4.4.3).
var tls13Prefix = append(bytes.Repeat([]byte{' '}, 64), "TLS 1.3, "...)

// Public implements crypto.Signer.
func (s tlsSigner) Public() crypto.PublicKey { return s.id.secret().ed25519.Public() }

// Sign implements crypto.Signer for Ed25519, which signs messages and not digests.
func (s tlsSigner) Sign(rand io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != 0 || !bytes.HasPrefix(message, tls13Prefix) {
		return nil, errors.New(
			"an identity key signs only TLS 1.3 handshakes: set the minimum version to TLS 1.3")
	}
	return s.id.secret().ed25519.Sign(rand, message, opts)
}
