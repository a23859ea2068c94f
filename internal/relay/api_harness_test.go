package relay

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// operator asks a relay's admin port: real HTTP, over pipes, so that it works in virtual time and from any
// address.
//
//	http.Client ── net.Pipe ── http.Server ── localNames, adminHandler
type operator struct {
	t      testing.TB
	client *http.Client
	host   string // asked for; "": 127.0.0.1
	token  string // shown; "": none
}

const testToken = "a token of some length"

// operator returns somebody at an address; token: what the relay takes, "" none.
func (n *node) operator(from, token string) *operator {
	n.t.Helper()
	var wanted *apiToken
	if token != "" {
		wanted = newToken(token)
	}
	ln := &pipes{from: netip.AddrPortFrom(netip.MustParseAddr(from), 50000), conns: make(chan net.Conn),
		done: make(chan struct{})}
	server := &http.Server{Handler: localNames(n.relay.adminHandler(wanted)), ReadHeaderTimeout: time.Minute}
	transport := &http.Transport{DialContext: ln.dial}
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(ln) })
	n.t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		wg.Wait()
	})
	return &operator{t: n.t, client: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request.
func (o *operator) ask(method, path string) reply {
	o.t.Helper()
	q, err := http.NewRequestWithContext(context.Background(), method, "http://127.0.0.1"+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	q.Host = o.host
	if o.token != "" {
		q.Header.Set("Authorization", o.token)
	}
	answer, err := o.client.Do(q)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(body)}
}

// get reads JSON.
func (o *operator) get(path string, into any) reply {
	o.t.Helper()
	r := o.ask(http.MethodGet, path)
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		o.t.Errorf("%s: %v in %q", path, err, r.body)
	}
	return r
}

// refused wants an error of the API, in whose text some words are.
func (r reply) refused(t testing.TB, what string, status int, words string) {
	t.Helper()
	var said map[string]string
	if err := json.Unmarshal([]byte(r.body), &said); err != nil || len(said) != 1 || r.status != status ||
		!strings.Contains(said["error"], words) || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %d %q, %v; want %d with %q", what, r.status, r.body, err, status, words)
	}
}

// pipes is a listener for connections that are dialled in the same process.
type pipes struct {
	from  netip.AddrPort
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- pipeEnd{there, net.TCPAddrFromAddrPort(p.from), p.Addr()}:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr is a loopback address if who dials has one, too.
func (p *pipes) Addr() net.Addr {
	if p.from.Addr().IsLoopback() {
		return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9090}
	}
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9090}
}

type pipeEnd struct {
	net.Conn
	remote, local net.Addr
}

func (c pipeEnd) RemoteAddr() net.Addr { return c.remote }
func (c pipeEnd) LocalAddr() net.Addr  { return c.local }
