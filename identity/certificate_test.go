package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

func TestTLSCertificateIsStable(t *testing.T) {
	one, err := repeated(0x2a).Identity().TLSCertificate()
	if err != nil {
		t.Fatal(err)
	}
	two, err := repeated(0x2a).Identity().TLSCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Certificate[0], two.Certificate[0]) {
		t.Error("the same identity makes different certificates")
	}
	if got, err := PublicKeyFromCertificate(one.Leaf); err != nil || got.String() != vectors[0].public {
		t.Errorf("the certificate's key is %v, %v", got, err)
	}
	if err := one.Leaf.CheckSignature(one.Leaf.SignatureAlgorithm, one.Leaf.RawTBSCertificate,
		one.Leaf.Signature); err != nil {
		t.Errorf("the certificate is not signed with its key: %v", err)
	}
	const limit = 256
	if n := len(one.Certificate[0]); n > limit {
		t.Errorf("the certificate has %d bytes, more than %d", n, limit)
	}
	if valid := one.Leaf; valid.NotBefore.Year() != 2020 || valid.NotAfter.Year() != 2120 {
		t.Errorf("the certificate is valid from %v to %v", valid.NotBefore, valid.NotAfter)
	}
}

// handshake runs TLS between two identities that pin each other, and returns both sides' errors.
func handshake(t *testing.T, maxVersion uint16) (client, server error) {
	t.Helper()
	relay, person := repeated(1).Identity(), repeated(2).Identity()
	config := func(self, other *Identity) *tls.Config {
		cert, err := self.TLSCertificate()
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{
			Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert,
			InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, MaxVersion: maxVersion,
			VerifyConnection: func(state tls.ConnectionState) error {
				got, err := PublicKeyFromCertificate(state.PeerCertificates[0])
				if err == nil && got != other.Public() {
					err = errors.New("another key")
				}
				return err
			},
		}
	}
	a, b := net.Pipe()
	for _, c := range []net.Conn{a, b} {
		c.SetDeadline(time.Now().Add(time.Minute))
		defer c.Close()
	}
	done := make(chan error)
	go func() {
		err := tls.Server(b, config(relay, person)).Handshake()
		b.Close()
		done <- err
	}()
	conn := tls.Client(a, config(person, relay))
	client = conn.Handshake()
	if client == nil {
		// In TLS 1.3 the client is done before the server has seen its certificate, and the server
		// sends tickets when it is.
		conn.Read(make([]byte, 1))
	}
	a.Close()
	return client, <-done
}

func TestTLSHandshake(t *testing.T) {
	if client, server := handshake(t, tls.VersionTLS13); client != nil || server != nil {
		t.Errorf("client %v, server %v", client, server)
	}
	if client, server := handshake(t, tls.VersionTLS12); client == nil || server == nil ||
		!strings.Contains(server.Error(), "TLS 1.3") {
		t.Errorf("TLS 1.2: client %v, server %v", client, server)
	}
}

func TestTLSKeySignsNothingElse(t *testing.T) {
	cert, err := repeated(1).Identity().TLSCertificate()
	if err != nil {
		t.Fatal(err)
	}
	forgery := AppendSigned(nil, "hello", []byte("field"))
	if sig, err := cert.PrivateKey.(tlsSigner).Sign(nil, forgery, crypto.Hash(0)); err == nil || sig != nil {
		t.Error("the TLS key signs one of our messages")
	}
}

func TestForeignCertificates(t *testing.T) {
	if _, err := PublicKeyFromCertificate(nil); err == nil {
		t.Error("no certificate gives a key")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := PublicKeyFromCertificate(cert); err == nil ||
		!strings.Contains(err.Error(), "ECDSA, not Ed25519") {
		t.Errorf("an ECDSA certificate gives %v", err)
	}
	own, err := repeated(1).Identity().TLSCertificate()
	if err != nil {
		t.Fatal(err)
	}
	own.Leaf.PublicKey = make(ed25519.PublicKey, ed25519.PublicKeySize)
	if _, err := PublicKeyFromCertificate(own.Leaf); !errors.Is(err, errSmallOrder) {
		t.Errorf("a certificate of the zero key gives %v", err)
	}
}
