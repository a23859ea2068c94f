package simnet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
)

// TestQUICThroughLoss is what the network is for: two QUIC stacks over two Conns, in virtual time,
// through 20 % loss and 100 ms each way, with the client changing its address on the way.
func TestQUICThroughLoss(t *testing.T) {
	for _, loss := range []float64{0, 0.2} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t, Profile{Loss: loss, Delay: 100 * time.Millisecond, Seed: 1})
			start := time.Now()
			echo(t, listen(t, n, alice), listen(t, n, bob))
			took := time.Since(start)
			t.Logf("loss %v: echoed after %v", loss, took)
			// Handshake and echo take a round trip of 200 ms each; the path is used at all only
			// if it takes that.
			if took < 400*time.Millisecond {
				t.Errorf("took only %v", took)
			}
			s := n.Stats(alice.Addr(), bob.Addr())
			if loss > 0 && s.Lost == 0 || s.Arrived == 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func echo(t *testing.T, clientConn, serverConn *Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	config := &quic.Config{HandshakeIdleTimeout: 20 * time.Second, MaxIdleTimeout: time.Minute}
	server := &quic.Transport{Conn: serverConn}
	defer server.Close()
	listener, err := server.Listen(&tls.Config{Certificates: []tls.Certificate{certificate(t)},
		NextProtos: []string{"echo"}}, config)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serveEcho(ctx, listener) }()

	client := &quic.Transport{Conn: clientConn}
	defer client.Close()
	conn, err := client.Dial(ctx, serverConn.LocalAddr(),
		&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"echo"}}, config)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, 20_000)
	rand.Read(sent)
	got := make([]byte, len(sent))
	half := len(sent) / 2
	for _, part := range [][2]int{{0, half}, {half, len(sent)}} {
		if _, err := stream.Write(sent[part[0]:part[1]]); err != nil {
			t.Fatal(err)
		}
		if n, err := io.ReadFull(stream, got[part[0]:part[1]]); err != nil {
			t.Fatalf("echoed %d bytes and %v", n, err)
		}
		if part[0] == 0 {
			if err := clientConn.Rebind(netip.MustParseAddrPort("10.0.0.99:1")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if string(got) != string(sent) {
		t.Fatal("echoed something else")
	}
	stream.Close()
	if rest, err := io.ReadAll(stream); len(rest) > 0 || err != nil {
		t.Errorf("%d bytes too many, %v", len(rest), err)
	}
	conn.CloseWithError(0, "")
	if err := <-served; err != nil {
		t.Error("server:", err)
	}
}

func serveEcho(ctx context.Context, listener *quic.Listener) error {
	conn, err := listener.Accept(ctx)
	if err != nil {
		return err
	}
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return err
	}
	if _, err := io.Copy(stream, stream); err != nil {
		return err
	}
	if err := stream.Close(); err != nil {
		return err
	}
	<-conn.Context().Done()
	return nil
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}
