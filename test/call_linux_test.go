package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestCallOverFiveRelays: somebody at one end of a chain of relays calls somebody at the other, by name, and
// both hear each other. The relays know the way, and forget the call when it is over. None of them has, says
// or sends anything to listen with, and those in the midst nothing of who calls.
func TestCallOverFiveRelays(t *testing.T) {
	t.Parallel()
	c := newCallOver(t, 5)
	c.knowsTheWay()
	c.talk()
	c.search()
}

// callOver is a call over a chain of relays of which everything is seen.
//
//	anna ── wiretap ── relay ── wiretap ── relay ... relay ── wiretap ── bert
type callOver struct {
	*union
	taps       []*wiretap
	anna, bert person
	caller     *client
	called     *client
	said       [2][]float32 // anna's, bert's
	outs       [2]string
	needles    needles // whatever no relay may have
}

const callerName = "Annabella Whoever"

func newCallOver(t *testing.T, n int) *callOver {
	t.Helper()
	c, dir := &callOver{}, t.TempDir()
	c.anna = newPerson(t, filepath.Join(dir, "anna"), 11)
	c.bert = newPerson(t, filepath.Join(dir, "bert"), 12)
	c.union = federateBy(t, n, chain(n), "presence = \"mesh\"\n", func(_ [2]int, addr string) string {
		c.taps = append(c.taps, newWiretap(t, addr))
		return c.taps[len(c.taps)-1].addr()
	}, "--log-level", "debug")
	access := func(r *relay) string {
		c.taps = append(c.taps, newWiretap(t, r.addr))
		return c.taps[len(c.taps)-1].addr()
	}
	var ins [2]string
	for i, recording := range []string{speech.Keywords, speech.Review} {
		ins[i], c.said[i] = soundAndSilence(t, recording, 4*time.Second)
		c.outs[i] = folder(t)
	}
	contacts := [2]string{c.meet(c.anna, "Bert", c.bert), c.meet(c.bert, "Anna", c.anna)}
	c.called = &client{launch(t, command(t, "", "answer", "--auto", "--relay", access(c.relays[n-1]),
		"--json", "--identity", c.bert.file, "--contacts", contacts[1], "--in", ins[1], "--out", c.outs[1]))}
	c.called.await("line", soon)
	known := c.bert.identity().Fingerprint().String()
	c.until("the first relay knows of who is called", soon, func() bool {
		return c.relays[0].api("presence/"+known, nil) == http.StatusOK && c.routed() == n
	})
	c.caller = &client{launch(t, command(t, "", "call", "Bert", "--relay", access(c.relays[0]), "--json",
		"--name", callerName, "--identity", c.anna.file, "--contacts", contacts[0], "--in", ins[0], "--out",
		c.outs[0]))}
	return c
}

// soundAndSilence is sound with a minute of silence behind.
func soundAndSilence(t *testing.T, recording string, limit time.Duration) (path string, pcm []float32) {
	t.Helper()
	pcm = speech.Must(t, recording, limit)
	return wavOf(t, recording, pcm, make([]float32, 10*60*audio.SampleRate)), pcm
}

// meet has one remember another under a name, and returns the file in which that is kept.
func (c *callOver) meet(one person, name string, other person) (file string) {
	c.t.Helper()
	file = one.file + ".contacts"
	add := launch(c.t, command(c.t, "", "contacts", "add", name, other.identity().Fingerprint().String(),
		"--contacts", file, "--identity", one.file))
	add.ends(0, soon)
	return file
}

// api asks a relay's HTTP API, and returns the status.
func (r *relay) api(path string, answer any) (status int) {
	r.t.Helper()
	got, err := http.Get("http://" + r.admin + "/" + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err == nil && answer != nil {
		err = json.Unmarshal(body, answer)
	}
	if err != nil {
		r.t.Fatalf("%s: %v: %q", path, err, body)
	}
	return got.StatusCode
}

// route is what a relay says of the way to who is called.
func (c *callOver) route() (answer struct {
	Route string
	Chain []string `json:"relay_chain"`
}) {
	c.t.Helper()
	c.relays[0].api("route/"+c.bert.identity().Fingerprint().String(), &answer)
	return answer
}

func (c *callOver) routed() (relays int) { return len(c.route().Chain) }

// knowsTheWay wants the route from the first relay to be all of them, and all to know where the called is.
func (c *callOver) knowsTheWay() {
	c.t.Helper()
	var want []string
	for _, r := range c.relays {
		seed, err := identity.LoadFile(filepath.Join(r.data, "identity"))
		if err != nil {
			c.t.Fatal(err)
		}
		want = append(want, wire.RelayIDOf(seed.Identity().Public()).String())
	}
	if got := c.route(); got.Route != "chain" || !slices.Equal(got.Chain, want) {
		c.t.Errorf("the route is %+v, want the chain %q", got, want)
	}
	for i := range c.relays {
		var answer struct {
			Location  any
			Available bool
		}
		c.relays[i].api("presence/"+c.bert.identity().Fingerprint().String(), &answer)
		if local := answer.Location == "Local"; !answer.Available || local != (i == len(c.relays)-1) {
			c.t.Errorf("relay %d says of who is called: %+v", i, answer)
		}
	}
}

// talk has both talk until the other has heard it, and search while they do; then the caller hangs up.
func (c *callOver) talk() {
	c.t.Helper()
	calling, ringing := c.caller.await("calling", soon), c.caller.await("ringing", soon)
	if measuring {
		c.t.Logf("it rang after %v", ringing.TS.Sub(calling.TS))
	}
	incoming := c.called.await("incoming", soon)
	if incoming.Name != callerName {
		c.t.Errorf("who calls is called %q", incoming.Name)
	}
	for _, one := range []*client{c.caller, c.called} {
		one.await("call_up", soon)
		one.await("talker", soon)
	}
	if a, b := agree(c.t, []*client{c.caller, c.called}), c.called.number(); a != b || a == "" {
		c.t.Errorf("the safety numbers are %q and %q", a, b)
	}
	time.Sleep(6 * time.Second) // in which they say it
	c.learnSecrets()
	c.searchMemory("during the call")

	at := time.Now()
	c.caller.signal(syscall.SIGTERM)
	ended, _ := c.called.find(soon, func(e event) bool { return e.Event == "call_ended" })
	if ended.Outcome != "hung_up" || !ended.Incoming {
		c.t.Errorf("the end at the called is %+v", ended)
	}
	for i, r := range c.relays {
		c.until(fmt.Sprintf("relay %d forgets the call", i), soon, func() bool {
			return r.metric("call_paths")+r.metric("call_paths_asked")+r.metric("call_legs_waiting") == 0
		})
	}
	if measuring {
		c.t.Logf("all relays forgot the call after %v", time.Since(at))
	}
	sent, got := c.caller.finish(soon), c.called.leave()
	c.compare(0, sent, got, c.outs[1])
	c.compare(1, got, sent, c.outs[0])
}

// compare wants what one said to be in the other's recording.
func (c *callOver) compare(who int, sent, got event, out string) {
	c.t.Helper()
	report := speech.Compare(c.said[who], heard(c.t, onlyFile(c.t, filepath.Join(out, "*.wav"))))
	if len(got.Talkers) != 1 || got.Talkers[0].Received == 0 || got.Talkers[0].Forged > 0 ||
		sent.PacketsSent == 0 || report.Active < 50 || len(report.Missing) > report.Active/2 {
		c.t.Errorf("%d of %d spoken frames are missing; %+v", len(report.Missing), report.Active, got.Talkers)
	}
	if measuring {
		c.t.Logf("%d of %d spoken frames are missing", len(report.Missing), report.Active)
	}
}
