package test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/quic-go/quic-go"
)

// orders are what a terminal would obey: a title, a cleared screen, a line of its own, text that turns
// around, a C1 control.
const orders = "\x1b]0;owned\a\x1b[2J\r\nwzp: all is well\u202e\u009b2J"

// hostileCertificate is for names that are orders.
func hostileCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: orders},
		NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"\x1b]0;owned\a\x1b[2J"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// wantPlain fails unless a program said one line, in which nothing is hidden.
func wantPlain(t *testing.T, p *process, part string) {
	t.Helper()
	p.ends(1, time.Minute)
	for _, text := range []string{strings.Join(p.stdout.lines(), ""), strings.Join(p.stderr.lines(), "")} {
		if i := strings.IndexFunc(text, func(r rune) bool {
			return unicode.IsControl(r) ||
				unicode.Is(unicode.Cf, r)
		}); i >= 0 {
			t.Errorf("a terminal would obey %q", text[i:])
		}
	}
	if lines := p.stderr.lines(); len(lines) != 1 || !strings.Contains(lines[0], part) {
		t.Errorf("it says %q, want one line with %q", lines, part)
	}
}

// TestHostileReason: whoever answers in place of a relay has no power over the terminal.
func TestHostileReason(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{hostileCertificate(t)}, NextProtos: []string{"wzp"}}
	ln, err := quic.ListenAddr("127.0.0.1:0", config, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			conn.CloseWithError(7, orders)
		}
	}()
	cmd := command(t, "", "join", "room", "--relay", ln.Addr().String(), "--in", "none", "--out", "none",
		"--timeout", "5s")
	wantPlain(t, launch(t, cmd), `owned`)
}

// TestHostileStatus: nor has a web server.
func TestHostileStatus(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 4096))
			conn.Write([]byte("HTTP/1.1 404 " + strings.ReplaceAll(orders, "\r\n", "") +
				"\r\nContent-Length: 0\r\n\r\n"))
			conn.Close()
		}
	}()
	wantPlain(t, launch(t, command(t, "", "page", "--relay", "http://"+ln.Addr().String(), "--listen",
		"127.0.0.1:0")), `\x1b]0;owned\a`)
}

// TestHostileCertificate: nor has a certificate.
func TestHostileCertificate(t *testing.T) {
	t.Parallel()
	ln, err := tls.Listen("tcp", "127.0.0.1:0",
		&tls.Config{Certificates: []tls.Certificate{hostileCertificate(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	wantPlain(t, launch(t, command(t, "", "page", "--relay", "localhost:"+port, "--listen", "127.0.0.1:0")),
		`\x1b]0;owned\a`)
}
