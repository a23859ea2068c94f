package test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// TestOneTalker: what one says arrives whole, and soon.
func TestOneTalker(t *testing.T) {
	r := startRelay(t)
	in, said := sound(t, speech.Keywords, 0)
	out := filepath.Join(t.TempDir(), "heard.wav")
	load := measureContention()
	listener := join(t, r.addr, "room", "--in", "none", "--out", out)
	talking := join(t, r.addr, "room", "--in", in, "--out", "none", "--name", "anna")
	sent := talking.finish(time.Minute)
	time.Sleep(500 * time.Millisecond) // until what is under way has been played
	got := listener.leave()
	excuses := load.stop(t)

	s := got.talker(t, "anna")
	report := speech.Compare(said, heard(t, out))
	whole(t, sent, s, report, excuses)
	ear := got.PlayedFrom.Add(time.Duration(report.Offset) * time.Second / audio.SampleRate).Sub(sent.SentFrom)
	t.Logf("mouth to ear %v; delay %v ms, jitter %v ms; correlation %.2f", ear.Round(100*time.Microsecond), s.Delay, s.Jitter, report.Correlation)
	if limit := latency(60*time.Millisecond, 300*time.Millisecond) + time.Duration(excuses(100))*20*time.Millisecond; ear < 0 || ear > limit {
		t.Errorf("mouth to ear takes %v, want 0 to %v", ear, limit)
	}
}

// whole fails the test unless everything of a talker was received and heard. Sound may come late on a busy
// machine; packets may not get lost.
func whole(t *testing.T, sent event, s talker, report speech.Report, excuses func(int) int) {
	t.Helper()
	if report.Active < 50 {
		t.Fatalf("%s: only %d frames of the recording are speech", s.Name, report.Active)
	}
	excused := excuses(report.Active)
	// Of frames that wait for a key which a machine without time is late to make, the oldest give way (held.go).
	if late := int(sent.PacketsSent) - int(s.Received); s.Lost != 0 || s.Forged != 0 || late < 0 || late > excused {
		t.Errorf("%s sent %d packets, %d came, %d are lost, %d forged; the machine excuses %d", s.Name, sent.PacketsSent, s.Received, s.Lost, s.Forged, excused)
	}
	if len(report.Missing) > excused {
		t.Errorf("%s: %d of %d spoken frames are missing: %v", s.Name, len(report.Missing), report.Active, report.Missing)
	}
	if int(s.Concealed+s.Late) > excused {
		t.Errorf("%s: %d frames were concealed, %d came late", s.Name, s.Concealed, s.Late)
	}
}

// TestManyTalkers: each of several who talk at once is a stream of its own, and whole.
func TestManyTalkers(t *testing.T) {
	r := startRelay(t)
	for _, n := range []int{3, 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { manyTalkers(t, r, n) })
	}
}

// voices are recordings with much speech in their first seconds, all different.
var voices = []string{
	speech.Congrats, speech.MoreInfo, speech.Message, speech.AboutToTry, speech.Review,
	speech.Keywords, speech.Options, "demo-echotest", "demo-instruct", "vm-options",
}

func manyTalkers(t *testing.T, r *relay, n int) {
	const length = 4 * time.Second
	room := fmt.Sprintf("room of %d", n)
	out := folder(t)
	load := measureContention()
	listener := join(t, r.addr, room, "--in", "none", "--out", out)
	said := make([][]float32, n)
	talking := make([]*client, n)
	for i := range n {
		var in string
		in, said[i] = sound(t, voices[i], length)
		talking[i] = startJoin(t, r.addr, room, "--in", in, "--out", "none", "--name", nameOf(i))
	}
	sent := make([]event, n)
	for i, c := range talking {
		sent[i] = c.finish(time.Minute)
	}
	time.Sleep(500 * time.Millisecond)
	got := listener.leave()
	excuses := load.stop(t)
	if len(got.Talkers) != n {
		t.Fatalf("%d talkers were heard, want %d", len(got.Talkers), n)
	}
	for i := range n {
		file := recordingOf(t, out, nameOf(i))
		whole(t, sent[i], got.talker(t, nameOf(i)), speech.Compare(said[i], heard(t, file)), excuses)
	}
}
