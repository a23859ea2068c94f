package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// relay is a running `wzp relay`.
type relay struct {
	*process
	addr        string // UDP
	admin       string // TCP
	page        string // address of its page
	fingerprint string
	data        string // its directory
	args        []string
}

// startRelay starts a relay on free ports of the loopback.
func startRelay(t *testing.T, args ...string) *relay {
	t.Helper()
	data := filepath.Join(t.TempDir(), "relay")
	return startRelayAt(t, "127.0.0.1:0", data, args...)
}

// startRelayAt starts a relay on an address, with the identity in data.
func startRelayAt(t *testing.T, listen, data string, args ...string) *relay {
	t.Helper()
	all := append([]string{"relay", "--listen", listen, "--admin", "127.0.0.1:0", "--data", data,
		"--log-json"}, args...)
	if !slices.Contains(args, "--http") {
		all = append(all, "--http", "127.0.0.1:0")
	}
	r := &relay{process: launch(t, command(t, "", all...)), data: data, args: args}
	n, ok := r.stderr.after(0, func(line string) bool { return strings.Contains(line, `"msg":"listening"`) },
		r.done, soon)
	if !ok {
		t.Fatalf("the relay does not start:\n%s", r.stderr.tail(30))
	}
	var log struct {
		UDP         string
		HTTP        string
		Admin       json.RawMessage
		Fingerprint string
	}
	if err := json.Unmarshal([]byte(r.stderr.line(n)), &log); err != nil {
		t.Fatal(err)
	}
	r.addr, r.fingerprint, r.page = log.UDP, log.Fingerprint, "http://"+log.HTTP+"/"
	r.admin = adminAddress(t, log.Admin)
	return r
}

// adminAddress reads the field "admin" of the relay's log.
func adminAddress(t *testing.T, field json.RawMessage) string {
	t.Helper()
	var text string
	if json.Unmarshal(field, &text) == nil {
		return text
	}
	var addr struct {
		IP   netip.Addr
		Port uint16
	}
	if err := json.Unmarshal(field, &addr); err != nil {
		t.Fatalf("cannot read the admin address %s: %v", field, err)
	}
	return netip.AddrPortFrom(addr.IP, addr.Port).String()
}

// logged reports whether the relay logs a message with all these parts before time is up.
func (r *relay) logged(timeout time.Duration, parts ...string) bool {
	_, ok := r.stderr.after(0, func(line string) bool {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				return false
			}
		}
		return true
	}, r.done, timeout)
	return ok
}

// newestStay returns the member id of who joined last with a name.
func (r *relay) newestStay(name string) (id string) {
	r.t.Helper()
	for _, line := range r.stderr.lines() {
		var log struct{ Msg, Member, Name string }
		if json.Unmarshal([]byte(line), &log) == nil && log.Msg == "joined" && log.Name == name {
			id = log.Member
		}
	}
	if id == "" {
		r.t.Fatalf("the relay has seen nobody called %s", name)
	}
	return id
}

// metric reads one of the relay's counters.
func (r *relay) metric(name string) float64 {
	r.t.Helper()
	answer, err := http.Get("http://" + r.admin + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, "wzp_relay_"+name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				r.t.Fatal(err)
			}
			return v
		}
	}
	r.t.Fatalf("the relay has no metric %s", name)
	return 0
}

// event is one line that `wzp join --json` prints.
type event struct {
	Event     string
	TS        time.Time `json:"ts"`
	Member    string
	Name      string
	Outside   bool
	Number    string // the safety number
	Code      string // of a warning
	Text      string
	Cause     string
	Lost      *bool
	Restarted *bool
	Talking   *bool
	Raised    *bool // a hand
	Outcome   string
	Incoming  bool

	PacketsSent       uint64    `json:"packets_sent"`
	PayloadBytesSent  uint64    `json:"payload_bytes_sent"`
	WireBytesSent     uint64    `json:"wire_bytes_sent"`
	WireBytesReceived uint64    `json:"wire_bytes_received"`
	SentFrom          time.Time `json:"sent_from"`
	PlayedFrom        time.Time `json:"played_from"`
	Talkers           []talker
}

// talker is a stream in the summary.
type talker struct {
	Member    string
	Name      string
	Received  uint64  `json:"packets_received"`
	Lost      uint64  `json:"packets_lost"`
	Late      uint64  `json:"packets_late"`
	Concealed uint64  `json:"frames_concealed"`
	Forged    uint64  `json:"packets_forged"`
	Jitter    float64 `json:"jitter_ms"`
	Delay     float64 `json:"delay_ms"`
}

// client is a running `wzp join --json`.
type client struct{ *process }

// startJoin starts a client of the relay at addr.
func startJoin(t *testing.T, addr, room string, args ...string) *client {
	t.Helper()
	all := append([]string{"join", room, "--relay", addr, "--json"}, args...)
	return &client{launch(t, command(t, "", all...))}
}

// join is startJoin, and waits until it is in the room.
func join(t *testing.T, addr, room string, args ...string) *client {
	t.Helper()
	c := startJoin(t, addr, room, args...)
	c.await("joined", soon)
	return c
}

// await waits for the first event of a kind.
func (c *client) await(kind string, timeout time.Duration) event {
	c.t.Helper()
	e, ok := c.find(timeout, func(e event) bool { return e.Event == kind })
	if !ok {
		c.t.Fatalf("%v: no %q within %v", c.cmd.Args[1:], kind, timeout)
	}
	return e
}

// find waits for the first event of which match is true.
func (c *client) find(timeout time.Duration, match func(event) bool) (e event, ok bool) {
	c.t.Helper()
	_, ok = c.stdout.after(0, func(line string) bool {
		e = event{}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			c.t.Errorf("not JSON: %q: %v", line, err)
			return false
		}
		return match(e)
	}, c.done, timeout)
	return e, ok
}

// leave stops the client as SIGTERM does, and returns its summary.
func (c *client) leave() event {
	c.t.Helper()
	c.signal(syscall.SIGTERM)
	return c.finish(soon)
}

// finish waits for the client to end well by itself, and returns its summary.
func (c *client) finish(timeout time.Duration) event {
	c.t.Helper()
	c.ends(0, timeout)
	lines := c.stdout.lines()
	if len(lines) == 0 {
		c.t.Fatalf("%v printed nothing", c.cmd.Args[1:])
	}
	var e event
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil || e.Event != "summary" {
		c.t.Fatalf("the last line is no summary: %q (%v)", lines[len(lines)-1], err)
	}
	return e
}

// talker returns what the summary says of the only talker of this name.
func (e event) talker(t *testing.T, name string) talker {
	t.Helper()
	var found []talker
	for _, s := range e.Talkers {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d talkers are called %q, want 1: %+v", len(found), name, e.Talkers)
	}
	return found[0]
}

// sound writes a WAV file with at most limit of a recording, and returns its path and its sound.
func sound(t *testing.T, recording string, limit time.Duration) (path string, pcm []float32) {
	t.Helper()
	pcm = speech.Must(t, recording, limit)
	return wavOf(t, recording, pcm), pcm
}

// wavOf writes parts one behind the other to a WAV file, and returns its path.
func wavOf(t *testing.T, name string, parts ...[]float32) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name+".wav")
	w, err := audio.CreateWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if err := w.WriteFrame(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// heard reads a WAV file that a client wrote.
func heard(t *testing.T, path string) []float32 {
	t.Helper()
	pcm, err := speech.LoadFile(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

// recordingOf returns the one file in dir that holds what the talker said.
func recordingOf(t *testing.T, dir, name string) string {
	t.Helper()
	return onlyFile(t, filepath.Join(dir, name+"-*.wav"))
}

// onlyFile returns the one file that has a name like that.
func onlyFile(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) != 1 {
		t.Fatalf("want one file %s: %q, %v", pattern, files, err)
	}
	return files[0]
}

// nameOf numbers talkers.
func nameOf(i int) string { return fmt.Sprintf("talker%d", i) }

// folder makes an empty directory and returns it with the slash that --out wants.
func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "heard") + "/"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
