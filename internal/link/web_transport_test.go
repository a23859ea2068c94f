package link

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// TestClientStreamsRefused opens a stream, of which there is one, which is the relay's.
func TestClientStreamsRefused(t *testing.T) {
	for name, open := range map[string]func(c *wtClient) (io.Writer, error){
		"both ways": func(c *wtClient) (io.Writer, error) { return c.session.OpenStream() },
		"one way":   func(c *wtClient) (io.Writer, error) { return c.session.OpenUniStream() },
	} {
		t.Run(name, func(t *testing.T) {
			l := newWebLab(t, Config{})
			b := l.browser()
			if err := b.openTransport(goodOrigin, l.transportURL()); err != nil {
				t.Fatal(err)
			}
			b.join()
			stream, err := open(b.control.(*wtClient))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = stream.Write([]byte("x"))
			<-b.gone
		})
	}
}

// TestOtherRequestsOnH3 asks for what is not there until the relay has enough.
func TestOtherRequestsOnH3(t *testing.T) {
	l := newWebLab(t, Config{})
	transport := &http3.Transport{TLSClientConfig: clientTLS("", nil)}
	transport.TLSClientConfig.VerifyConnection = nil
	transport.TLSClientConfig.NextProtos = nil
	defer transport.Close()
	url := strings.TrimSuffix(l.transportURL(), "wt")
	var conns []*quic.Conn
	transport.Dial = func(ctx context.Context, addr string, tlsConfig *tls.Config,
		config *quic.Config) (*quic.Conn, error) {
		conn, err := quic.DialAddrEarly(ctx, addr, tlsConfig, config)
		conns = append(conns, conn)
		return conn, err
	}
	for i := range maxWebRequests {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("request %d: %s", i, response.Status)
		}
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if response, err := transport.RoundTrip(request); err == nil && len(conns) == 1 {
		response.Body.Close()
		t.Error("one more was answered")
	}
}

// TestNativeDatagramsRefused has a client with ALPN wzp that sends what is for browsers.
func TestNativeDatagramsRefused(t *testing.T) {
	l := newWebLab(t, Config{})
	config := quicConfig()
	config.EnableDatagrams = true
	tlsConfig := clientTLS("", checkKey(l.key.Public()))
	conn, err := quic.DialAddr(t.Context(), l.relay.LocalAddr().String(), tlsConfig, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseWithError(0, "")
	if err := conn.SendDatagram([]byte("x")); err != nil {
		t.Fatal(err)
	}
	<-conn.Context().Done()
}
