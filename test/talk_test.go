package test

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// voices are recordings with much speech in their first seconds, all different.
var voices = []string{
	speech.Congrats, speech.MoreInfo, speech.Message, speech.AboutToTry, speech.Review,
	speech.Keywords, speech.Options, "demo-echotest", "demo-instruct", "vm-options",
}

// TestTalk: each of several who talk at once is heard, and in a file of its own. How well is measured only
// while measuring.
func TestTalk(t *testing.T) {
	t.Parallel()
	const talkers = 3
	r := startRelay(t)
	out := folder(t)
	listener := join(t, r.addr, "room", "--in", "none", "--out", out)
	said := make([][]float32, talkers)
	talking := make([]*client, talkers)
	var names []string
	for i := range talkers {
		var in string
		in, said[i] = sound(t, voices[i], 4*time.Second)
		names = append(names, nameOf(i))
		talking[i] = startJoin(t, r.addr, "room", "--in", in, "--out", "none", "--name", nameOf(i))
	}
	sent := make([]event, talkers)
	for i, c := range talking {
		sent[i] = c.finish(patience)
		listener.hears(nameOf(i))
	}
	if measuring {
		time.Sleep(500 * time.Millisecond) // until what is under way has been played
	}
	got := listener.leave()
	if heard := got.talkers(); !slices.Equal(heard, names) {
		t.Errorf("heard %q, want %q", heard, names)
	}
	for i, name := range names {
		s := got.talker(t, name)
		if sent[i].PacketsSent == 0 || s.Received == 0 || s.Received > sent[i].PacketsSent || s.Forged > 0 {
			t.Errorf("%s sent %d packets: %+v", name, sent[i].PacketsSent, s)
		}
		file := recordingOf(t, out, name)
		if wholeWAV(t, file) == 0 {
			t.Errorf("the recording of %s is empty", name)
		}
		measure(t, sent[i], got, s, said[i], file)
	}
}

// measure prints how well a talker was heard, while measuring. It depends on what else the machine does, and
// is nobody's fault.
func measure(t *testing.T, sent, got event, s talker, said []float32, file string) {
	t.Helper()
	if !measuring {
		return
	}
	report := speech.Compare(said, heard(t, file))
	offset := time.Duration(report.Offset) * time.Second / audio.SampleRate
	ear := got.PlayedFrom.Add(offset).Sub(sent.SentFrom)
	t.Logf("%s: %d of %d packets came, %d late, %d frames concealed; %d of %d spoken frames are missing; "+
		"mouth to ear %v, delay %v ms, jitter %v ms",
		s.Name, s.Received, sent.PacketsSent, s.Late, s.Concealed, len(report.Missing), report.Active,
		ear.Round(100*time.Microsecond), s.Delay, s.Jitter)
}
