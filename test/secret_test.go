package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/internal/audio"
)

// newSecret makes an invite secret as people do.
func newSecret(t *testing.T) string {
	t.Helper()
	p := launch(t, command(t, "", "secret", "new"))
	p.ends(0, soon)
	lines := p.stdout.lines()
	if len(lines) != 1 {
		t.Fatalf("wzp secret new printed %d lines, want 1", len(lines))
	}
	if _, err := wzp.ParseSecret(lines[0]); err != nil {
		t.Fatal(err)
	}
	return lines[0]
}

// hears waits until something of a talker was decrypted.
func (c *client) hears(name string) {
	c.t.Helper()
	if _, ok := c.find(soon, func(e event) bool { return e.Event == "talker" && e.Name == name }); !ok {
		c.t.Fatalf("%v hears nothing of %s", c.cmd.Args[1:], name)
	}
}

// sees waits for the news that a member is there.
func (c *client) sees(name string) event {
	c.t.Helper()
	e, ok := c.find(soon, func(e event) bool { return e.Event == "member_joined" && e.Name == name })
	if !ok {
		c.t.Fatalf("%v is not told of %s", c.cmd.Args[1:], name)
	}
	return e
}

// number returns the newest safety number, "" before the first.
func (c *client) number() (number string) {
	for _, line := range c.stdout.lines() {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Event == "safety_number" {
			number = e.Number
		}
	}
	return number
}

// agree waits until all have the same safety number, other than the ones in not, and returns it. Each covers
// its client's own identity, so that none is the same before everybody knows of everybody.
func agree(t *testing.T, clients []*client, not ...string) string {
	t.Helper()
	var numbers []string
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		numbers = numbers[:0]
		for _, c := range clients {
			numbers = append(numbers, c.number())
		}
		if all := slices.Compact(slices.Clone(numbers)); len(all) == 1 && all[0] != "" &&
			!slices.Contains(not, all[0]) {
			return all[0]
		}
	}
	t.Fatalf("the safety numbers are %q, want the same and none of %q", numbers, not)
	return ""
}

// silent fails the test unless a recording is all silence.
func silent(t *testing.T, who, file string) {
	t.Helper()
	pcm := heard(t, file)
	if len(pcm) < audio.SampleRate {
		t.Errorf("%s's recording has only %d samples", who, len(pcm))
	}
	for i, v := range pcm {
		if v != 0 {
			t.Fatalf("%s's recording has sound at sample %d", who, i)
		}
	}
}

// talkers returns whom a client has heard, by name.
func (e event) talkers() (names []string) {
	for _, s := range e.Talkers {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// TestInviteSecret has three people with an invite secret, given in the three ways there are, one without and
// one with another: those inside hear each other, the others nobody.
func TestInviteSecret(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	secret := newSecret(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	recorded := func(name string) string { return filepath.Join(t.TempDir(), name+".wav") }
	enter := func(name, env string, args ...string) *client {
		args = append([]string{"join", "room", "--relay", r.addr, "--json", "--name", name, "--no-dtx"},
			args...)
		cmd := command(t, "", args...)
		if env != "" {
			cmd.Env = append(cmd.Env, "WZP_SECRET="+env)
		}
		c := &client{launch(t, cmd)}
		c.await("joined", soon)
		return c
	}
	outA, outOut, outWrong := recorded("anna"), recorded("carl"), recorded("dora")
	inside := map[string]*client{
		"anna": enter("anna", "", "--secret", secret, "--in", "tone:300", "--out", outA),
		"bert": enter("bert", "", "--secret-file", file, "--in", "tone:400", "--out", "none"),
		"eve":  enter("eve", secret, "--in", "tone:500", "--out", "none"),
	}
	outside := map[string]*client{
		"carl": enter("carl", "", "--in", "tone:600", "--out", outOut),
		"dora": enter("dora", "", "--secret", newSecret(t), "--in", "tone:700", "--out", outWrong),
	}

	for name, c := range inside {
		for other := range inside {
			if other != name {
				c.hears(other)
				if c.sees(other).Outside {
					t.Errorf("%s sees %s outside, who has the secret", name, other)
				}
			}
		}
		for other := range outside {
			if !c.sees(other).Outside {
				t.Errorf("%s sees %s inside, who does not have the secret", name, other)
			}
		}
	}
	for name, c := range outside {
		for other := range inside {
			if !c.sees(other).Outside {
				t.Errorf("%s sees %s inside, who has a secret that %s has not", name, other, name)
			}
		}
	}
	number := agree(t, []*client{inside["anna"], inside["bert"], inside["eve"]})
	agree(t, []*client{outside["carl"]}, number, outside["dora"].number())
	agree(t, []*client{outside["dora"]}, number, outside["carl"].number())
	time.Sleep(2 * time.Second) // in which those outside could hear something

	for name, c := range outside {
		if heard := c.leave().talkers(); len(heard) > 0 {
			t.Errorf("%s, who is outside, heard %q", name, heard)
		}
	}
	silent(t, "carl", outOut)
	silent(t, "dora", outWrong)
	for name, c := range inside {
		if c.number() != number {
			t.Errorf("%s's safety number changed with people outside", name)
		}
		e := c.leave()
		others := slices.DeleteFunc([]string{"anna", "bert", "eve"},
			func(other string) bool { return other == name })
		if heard := e.talkers(); !slices.Equal(heard, others) {
			t.Errorf("%s heard %q, want %q", name, heard, others)
		}
		for _, s := range e.Talkers {
			if s.Forged > 0 {
				t.Errorf("%s: %d frames of %s did not decrypt", name, s.Forged, s.Name)
			}
		}
		if name == "anna" {
			pcm := heard(t, outA)
			if level := audio.Level(pcm[len(pcm)/2:]); level < -40 {
				t.Errorf("what anna heard has %.0f dBFS", level)
			}
		}
	}
	for name, c := range inside {
		warned(t, name, c, "outside")
	}
	for name, c := range outside {
		warned(t, name, c, "outside")
	}
}

// warned fails the test unless a client was warned of these things, each at least once, and of nothing else.
func warned(t *testing.T, name string, c *client, codes ...string) {
	t.Helper()
	var got []string
	c.find(0, func(e event) bool {
		if e.Event == "warning" {
			got = append(got, e.Code)
		}
		return false
	})
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, codes) {
		t.Errorf("%s was warned of %q, want %q", name, got, codes)
	}
}

// TestSafetyNumber: in a room without a secret, too, all see the same number; it changes when somebody comes,
// and is the same again afterwards. Who comes back is the same person.
func TestSafetyNumber(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	enter := func(home, name string) *client {
		c := &client{launch(t, command(t, home, "join", "room", "--relay", r.addr, "--json", "--in", "none",
			"--out", "none", "--name", name))}
		c.await("joined", soon)
		return c
	}
	homeB := newHome(t)
	a, b, c := enter("", "anna"), enter(homeB, "bert"), enter("", "carl")
	three := agree(t, []*client{a, b, c})

	d := enter("", "dora")
	four := agree(t, []*client{a, b, c, d}, three)
	d.leave()
	if again := agree(t, []*client{a, b, c}, four); again != three {
		t.Errorf("the number is %s after somebody left, before they came it was %s", again, three)
	}

	b.leave()
	two := agree(t, []*client{a, c}, three, four)
	b = enter(homeB, "bert")
	if again := agree(t, []*client{a, b, c}, two); again != three {
		t.Errorf("the number is %s after bert came back, before it was %s", again, three)
	}
	for name, c := range map[string]*client{"anna": a, "bert": b, "carl": c} {
		c.leave()
		warned(t, name, c)
	}
}

// TestWrongSecret: a secret with a slip of the hand is refused in one line that does not repeat it, before
// anything is sent.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	secret := newSecret(t)
	last := "A"
	if strings.HasSuffix(secret, last) {
		last = "B"
	}
	slip := secret[:len(secret)-1] + last
	for _, given := range []string{slip, "correct horse battery staple"} {
		p := launch(t, command(t, "", "join", "room", "--relay", "127.0.0.1:9", "--in", "none", "--out",
			"none", "--secret", given))
		p.failsInOneLine(2, soon, "--secret", "wzp secret new")
		if strings.Contains(p.stderr.tail(10), given) {
			t.Errorf("the error repeats the secret: %s", p.stderr.tail(10))
		}
	}
}
