package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// netsimProcess is a running netsim command.
type netsimProcess struct {
	lines  *bufio.Scanner // its standard output
	cancel context.CancelFunc
	status chan int
}

// startNetsim runs the command in this process; interrupt ends it as SIGINT would.
func startNetsim(t *testing.T, args ...string) *netsimProcess {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	ctx, cancel := context.WithCancel(t.Context())
	p := &netsimProcess{lines: bufio.NewScanner(r), cancel: cancel, status: make(chan int, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.status <- run(ctx, append([]string{"netsim"}, args...))
		w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		os.Stdout = stdout
		r.Close()
		goleak.VerifyNone(t)
	})
	return p
}

// line returns the next line of output.
func (p *netsimProcess) line(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("no more output: %v", p.lines.Err())
	}
	return p.lines.Text()
}

// event reads the next line of JSON into v and checks its kind.
func (p *netsimProcess) event(t *testing.T, kind string, v any) {
	t.Helper()
	line := p.line(t)
	var head struct{ Event string }
	if err := json.Unmarshal([]byte(line), &head); err != nil || head.Event != kind {
		t.Fatalf("want event %s, got %s (%v)", kind, line, err)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(line), v); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *netsimProcess) ended(t *testing.T, wantStatus int) {
	t.Helper()
	if got := <-p.status; got != wantStatus {
		t.Errorf("exit status %d, want %d", got, wantStatus)
	}
}

type netsimSummary struct {
	Up, Down map[string]int
	Clients  int
	Seconds  float64
}

func netsimTarget(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(time.Minute))
	return c
}

func netsimDial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(time.Minute))
	return c
}

func netsimReceive(t *testing.T, c net.PacketConn) (string, net.Addr) {
	t.Helper()
	buf := make([]byte, 1500)
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), from
}

func TestNetsimForwardsAndSummarises(t *testing.T) {
	target := netsimTarget(t)
	p := startNetsim(t, "--listen", "127.0.0.1:0", "--to", target.LocalAddr().String(), "--json",
		"--duplicate", "1", "--delay", "10ms", "--up", "duplicate=0,delay=30ms")
	var listening struct{ Addr, To string }
	p.event(t, "listening", &listening)
	if listening.To != target.LocalAddr().String() {
		t.Errorf("forwards to %s", listening.To)
	}
	client := netsimDial(t, listening.Addr)
	start := time.Now()
	for range 5 {
		client.Write([]byte("hello"))
		got, from := netsimReceive(t, target)
		if got != "hello" {
			t.Errorf("got %q", got)
		}
		target.WriteTo([]byte("twice"), from)
		for range 2 {
			buf := make([]byte, 1500)
			if n, err := client.Read(buf); err != nil || string(buf[:n]) != "twice" {
				t.Fatalf("got %q, %v", buf[:n], err)
			}
		}
	}
	if d := time.Since(start); d < 200*time.Millisecond {
		t.Errorf("five round trips of 40 ms in %v", d)
	}
	p.cancel()
	var s netsimSummary
	p.event(t, "summary", &s)
	p.ended(t, 0)
	for name, want := range map[string]int{"packets_in": 5, "packets_lost": 0, "packets_queue_dropped": 0,
		"packets_out": 5, "bytes_in": 5 * 33, "bytes_out": 5 * 33} {
		if got, ok := s.Up[name]; !ok || got != want {
			t.Errorf("up %s: %d, want %d", name, got, want)
		}
	}
	if s.Down["packets_in"] != 5 || s.Down["packets_duplicated"] != 5 || s.Down["packets_out"] != 10 ||
		s.Clients != 1 {
		t.Errorf("summary %+v", s)
	}
}

func TestNetsimBlocks(t *testing.T) {
	target := netsimTarget(t)
	p := startNetsim(t, "--listen", "127.0.0.1:0", "--to", target.LocalAddr().String(), "--json",
		// so long that no machine is too busy to send something meanwhile
		"--block", "up@0s+4s", "--block", "up@2s+4s")
	var listening struct{ Addr string }
	p.event(t, "listening", &listening)
	client := netsimDial(t, listening.Addr)
	client.Write([]byte("blocked"))
	var block struct {
		Direction string
		On        bool
	}
	for _, on := range []bool{true, true, true, false} { // the first blackout ends inside the second
		p.event(t, "block", &block)
		if block.Direction != "up" || block.On != on {
			t.Fatalf("got %+v, want %v", block, on)
		}
	}
	client.Write([]byte("open"))
	if got, _ := netsimReceive(t, target); got != "open" {
		t.Errorf("got %q", got)
	}
	p.cancel()
	var s netsimSummary
	p.event(t, "summary", &s)
	p.ended(t, 0)
	if s.Up["packets_blocked"] != 1 || s.Up["packets_out"] != 1 {
		t.Errorf("summary %+v", s)
	}
}

func TestNetsimRebinds(t *testing.T) {
	target := netsimTarget(t)
	p := startNetsim(t, "--listen", "127.0.0.1:0", "--to", target.LocalAddr().String(), "--json",
		"--rebind-every", "200ms")
	var listening struct{ Addr string }
	p.event(t, "listening", &listening)
	client := netsimDial(t, listening.Addr)
	ports := map[string]bool{}
	for len(ports) < 3 { // ends at the target's read deadline
		client.Write([]byte("hello"))
		_, from := netsimReceive(t, target)
		ports[from.String()] = true
		time.Sleep(10 * time.Millisecond)
	}
	for range 2 {
		p.event(t, "rebind", nil)
	}
	p.cancel()
	p.ended(t, 0)
}

func TestNetsimEndsByItselfAndSpeaks(t *testing.T) {
	p := startNetsim(t, "--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--for", "50ms", "--loss", "0.3",
		"--rate", "32k")
	var all []string
	for p.lines.Scan() {
		all = append(all, p.lines.Text())
	}
	p.ended(t, 0)
	text := strings.Join(all, "\n")
	for _, want := range []string{"listening on 127.0.0.1:", ", forwarding to 127.0.0.1:9",
		"up:   loss=0.3,rate=32000,seed=1", "down: 0 packets in (0 bytes), 0 lost (0.0 %)", "0 clients in"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestNetsimErrors(t *testing.T) {
	busy := netsimTarget(t).LocalAddr().String()
	ok := []string{"--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--for", "1ms"}
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--listen", busy, "--to", "127.0.0.1:9"}, 1,
			"cannot listen on " + busy + ": the port is in use; choose another, or port 0 for any"},
		{[]string{"--listen", "127.0.0.1:0", "--to", "host.invalid:9"}, 1,
			`cannot forward to "host.invalid:9"`},
		{[]string{"--to", "127.0.0.1:9"}, 2, "--listen"},
		{append(ok, "--loss", "30"), 2, "--loss 30 is not between 0 and 1 (30 % is 0.3)"},
		{append(ok, "--loss", "30%"), 2, `--loss: "30%" is not a number`},
		{append(ok, "--loss", ""), 2, `--loss: "" is not a number`},
		{append(ok, "--delay", "150"), 2, `--delay: "150" is not a duration, as in 150ms`},
		{append(ok, "--rate", "fast"), 2, `--rate: "fast" is not a rate in bit/s, as in 32k`},
		{append(ok, "--reorder", "0.1"), 2, "--reorder needs a delay"},
		{append(ok, "--up", "loss=0.1,loss=0.2"), 2, "--up: loss is given twice"},
		{append(ok, "--down", "lost=1"), 2, `--down: unknown name "lost"`},
		{append(ok, "--down", "loss=7"), 2, "--down: loss 7 is not"},
		{append(ok, "--block", "both@10s"), 2, `--block: "both@10s" is not up|down|both@START+DURATION`},
		{append(slices.Clone(ok[:4]), "--for=-1s"), 2, "must not be negative"},
		{append(ok, "--seed", "x"), 2, `--seed: "x" is not a whole number`},
	} {
		status, stderr := netsimFailure(t, tc.args)
		if status != tc.status || !strings.Contains(stderr, tc.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, %q, want status %d, %q", tc.args, status, stderr, tc.status, tc.want)
		}
	}
}

// netsimFailure runs the command to its end and returns what it printed on standard error.
func netsimFailure(t *testing.T, args []string) (int, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	stderr := os.Stderr
	os.Stderr = w
	status := run(t.Context(), append([]string{"netsim"}, args...))
	os.Stderr = stderr
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text)
}
