package test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// TestPageCallSpeech: what people say in calls of pages at two relays, and of a page and the program, is
// whole at the other's. No other test runs meanwhile: a browser that waits for a processor conceals.
func TestPageCallSpeech(t *testing.T) {
	u := federate(t, 2, chain(2), "delay=20ms")
	anns, bobs, cleos := again(t, speech.Keywords), again(t, speech.Review), again(t, speech.Keywords)
	ann := openPage(t, u.relays[0].page, look{say: anns.file})
	bob := openPage(t, u.relays[1].page, look{say: bobs.file})
	ann.meets(bob.takesCalls())
	bob.meets(ann.takesCalls())
	ann.calls()
	bob.rings("Same key as in")
	bob.click("[data-call=answer]")
	ann.state("joined", soon)
	bob.state("joined", soon)
	// They take turns, as people do: of two voices at once Chromium takes for an echo what it likes.
	ann.click(".talk")
	bob.click(".talk")
	ann.speaks(bob, anns)
	bob.speaks(ann, bobs)
	anns.want(t, "a page, at a page")
	bobs.want(t, "a page, at a page that called")
	ann.click(".leave")
	bob.shows("[data-ended=hung_up]", "hung up")
	bob.click("[data-ended] .button:last-child")

	// The program has an identity that the page remembers, and hears what the page says.
	bobs = again(t, speech.Review)
	file, out := filepath.Join(t.TempDir(), "identity"), folder(t)
	cleo := &client{launch(t, command(t, "", "answer", "--auto", "--anybody", "--json", "--name", "cleo",
		"--relay", u.relays[0].addr, "--identity", file, "--in", cleos.file, "--out", out))}
	cleo.await("line", soon)
	seed, err := identity.LoadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	contact, err := identity.ContactLink(seed.Identity().Public(), "")
	if err != nil {
		t.Fatal(err)
	}
	bob.remembers("Zoe", contact)
	bob.click("[data-person]:first-child [data-icon=call]")
	bob.state("joined", soon)
	bob.click(".talk")
	bob.listens(cleos)
	cleos.want(t, "the program, at a page")
	bob.click(".talk")
	time.Sleep(3 * bobs.period)
	bob.click(".leave")
	cleo.await("call_ended", soon)
	cleo.leave()
	step := int(bobs.period.Seconds() * audio.SampleRate)
	for pcm := heard(t, onlyFile(t, filepath.Join(out, "*.wav"))); len(pcm) >= 2*step; pcm = pcm[step:] {
		bobs.hear(pcm[:2*step])
	}
	bobs.want(t, "a page, at the program")
}

// speaks has somebody talk until the other has heard all of it.
func (p *page) speaks(to *page, words *repeated) {
	p.t.Helper()
	p.click(".talk")
	to.listens(words)
	p.click(".talk")
}

// listens records until all of it was heard, for six times at most.
func (p *page) listens(words *repeated) {
	p.t.Helper()
	p.recorded() // what came before
	for range 6 {
		time.Sleep(words.twice() + time.Second)
		if words.hear(p.recorded()); words.whole() {
			break
		}
	}
}

// repeated is what somebody says again and again, and what of it nobody has heard. A browser on a busy
// machine conceals now this moment, now that; what a call loses is missing each time.
type repeated struct {
	file   string
	said   []float32
	period time.Duration // of a repetition
	takes  int
	active int   // spoken frames
	never  []int // of them: in none of what was heard
}

// again makes a file that says a recording for five minutes, with pauses of a second.
func again(t *testing.T, recording string) *repeated {
	t.Helper()
	r := &repeated{said: speech.Must(t, recording, 0)}
	pause := make([]float32, audio.SampleRate)
	r.period = time.Duration(len(r.said)+len(pause)) * time.Second / audio.SampleRate
	r.file = wavOf(t, recording, slices.Repeat(slices.Concat(r.said, pause), int(5*time.Minute/r.period)))
	return r
}

// twice is how long it takes to say it twice: in any time so long it is said once, from its beginning on.
func (r *repeated) twice() time.Duration { return 2 * r.period }

// hear takes what was heard in at least that time.
func (r *repeated) hear(pcm []float32) {
	report := speech.Compare(r.said, pcm)
	if r.takes++; r.takes == 1 {
		r.active, r.never = report.Active, report.Missing
		return
	}
	heard := func(frame int) bool { return !slices.Contains(report.Missing, frame) }
	r.never = slices.DeleteFunc(r.never, heard)
}

// whole reports whether all of it was heard. Two in a hundred are forgiven, for it is another encoder than
// ours.
func (r *repeated) whole() bool { return r.takes > 0 && len(r.never) <= r.active/50 }

// want wants all of it to have been heard.
func (r *repeated) want(t *testing.T, who string) {
	t.Helper()
	t.Logf("%s: %d of %d spoken frames were never heard, in %d times", who, len(r.never), r.active, r.takes)
	if !r.whole() || r.active < 100 {
		t.Errorf("%s: of %d spoken frames these were never heard, in %d times: %v", who, r.active, r.takes,
			r.never)
	}
}
