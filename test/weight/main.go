// Command weight compares what a call costs with two builds of wzp, which run at the same time and under the
// same conditions: CPU time and memory of a headless Chromium with the page, of the relay, and of wzp join.
//
//	go run ./test/weight [--for 10m] [--settle 30s] BEFORE NOW
//
//	speech.wav ──> page ──> relay <── wzp join <── speech.wav      talk: the page pauses half of the time
//	silence.wav ──> page ──> relay <── wzp join, listens           quiet: nobody looks at the page, either
//
// CPU time is what the kernel counted for the processes (and threads, in the renderer), in ms a second,
// without the start of the call; memory is their share (PSS), at its end, after the page has collected its
// garbage. The service worker is ended before: by itself it goes after half a minute, but not while it is
// debugged. It needs Linux, Chromium, and the recordings that tests use.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

func main() {
	length := flag.Duration("for", 10*time.Minute, "how long a call is")
	settle := flag.Duration("settle", 30*time.Second, "how long it lasts before that is measured")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: weight [--for 10m] [--settle 30s] BEFORE NOW")
		os.Exit(2)
	}
	if err := compare(flag.Args(), *settle, *length); err != nil {
		fmt.Fprintln(os.Stderr, "weight:", err)
		os.Exit(1)
	}
}

// compare measures calls with each of the programs, and prints what they cost.
func compare(programs []string, settle, length time.Duration) error {
	dir, err := os.MkdirTemp("", "wzp-weight-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sounds, err := makeSounds(dir, settle+length)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var calls []*call // of each situation one with each program
	defer func() {
		cancel()
		for _, c := range calls {
			c.end()
		}
	}()
	for _, quiet := range []bool{false, true} {
		for i, program := range programs {
			home := filepath.Join(dir, fmt.Sprint(quiet, i))
			c, err := startCall(ctx, program, home, sounds, quiet)
			if err != nil {
				return fmt.Errorf("%s: %w", program, err)
			}
			calls = append(calls, c)
		}
	}
	time.Sleep(settle)
	for _, c := range calls {
		if err := c.rest(); err != nil {
			return err
		}
	}
	before, err := look(calls)
	if err != nil {
		return err
	}
	time.Sleep(length)
	after, err := look(calls)
	if err != nil {
		return err
	}
	print("talk", before[:2], after[:2])
	print("quiet", before[2:], after[2:])
	return nil
}

// look measures calls.
func look(calls []*call) (costs []cost, err error) {
	for _, c := range calls {
		cost, err := c.cost()
		if err != nil {
			return nil, err
		}
		costs = append(costs, cost)
	}
	return costs, nil
}

// print prints what two calls cost, and the second in parts of the first.
func print(situation string, before, after []cost) {
	fmt.Printf("%-42s %8s %8s %6s\n", situation, "before", "now", "ratio")
	line := func(what string, a, b float64) {
		if a < 0.1 && b < 0.1 {
			return
		}
		fmt.Printf("%-42s %8.2f %8.2f %6.3f\n", what, a, b, b/a)
	}
	spent := func(i int, what string) float64 {
		took := after[i].at.Sub(before[i].at).Seconds()
		return 1000 * (after[i].cpu[what] - before[i].cpu[what]).Seconds() / took
	}
	for _, what := range sorted(after[0].cpu) {
		line(what+", ms/s", spent(0, what), spent(1, what))
	}
	for _, what := range sorted(after[0].memory) {
		line(what+", MB", float64(after[0].memory[what])/1e6, float64(after[1].memory[what])/1e6)
	}
}

func sorted[V any](m map[string]V) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// sounds are the paths of WAV files. That of speech lasts for a whole call.
type sounds struct{ speech, pauses, silence string }

func makeSounds(dir string, length time.Duration) (sounds, error) {
	name := func(what string) string { return filepath.Join(dir, what+".wav") }
	s := sounds{name("speech"), name("pauses"), name("silence")}
	said, err := speech.Load(speech.Review, 0)
	if err != nil {
		return s, err
	}
	var all []float32
	for len(all) < int((length+time.Minute).Seconds())*audio.SampleRate {
		all = append(all, said...)
	}
	if err := writeWAV(s.speech, all); err != nil {
		return s, err
	}
	pauses := slices.Concat(said, make([]float32, len(said))) // Chromium repeats it
	if err := writeWAV(s.pauses, pauses); err != nil {
		return s, err
	}
	return s, writeWAV(s.silence, make([]float32, audio.SampleRate))
}

// writeWAV writes mono PCM of 48 kHz.
func writeWAV(path string, pcm []float32) error {
	b := []byte("RIFF....WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	binary.LittleEndian.PutUint32(b[4:], uint32(36+2*len(pcm)))
	b = binary.LittleEndian.AppendUint32(b, audio.SampleRate)
	b = binary.LittleEndian.AppendUint32(b, 2*audio.SampleRate)
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*len(pcm)))
	for _, v := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(32767*max(-1, min(1, v)))))
	}
	return os.WriteFile(path, b, 0o600)
}
