package main

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/internal/names"
)

// stdio stands for standard input or output.
const stdio = "-"

// openIn opens what --in names; nil for none.
func (c *talkFlags) openIn(out *joinOutput) (wzp.Source, error) {
	if c.In == "mic" {
		source, err := wzp.OpenMicrophone(wzp.SoundConfig{Name: c.Mic,
			Changed: func(lost error) { out.device("microphone", lost) }})
		return source, soundError(c.Mic, err)
	}
	return openSource(c.In)
}

// findIn fails as openIn would, and opens no microphone.
func (c *talkFlags) findIn() error {
	if c.In == "mic" {
		_, err := wzp.FindMicrophone(c.Mic)
		return soundError(c.Mic, err)
	}
	source, err := openSource(c.In) // of a pipe it opens nothing before it is read
	closeSource(source)
	return err
}

// openSource opens any --in but a microphone; nil for none.
func openSource(in string) (wzp.Source, error) {
	kind, hz, _ := strings.Cut(in, ":")
	info, missing := os.Stat(in)
	switch {
	case in == "none":
		return nil, nil
	case in == "tone":
		return wzp.NewTone(440)
	case kind == "tone":
		f, err := strconv.ParseFloat(hz, 64)
		if err != nil || math.IsNaN(f) || f < 20 || f > 20_000 {
			return nil, usagef("--in tone:HZ takes 20 to 20000, not %q", hz)
		}
		return wzp.NewTone(f)
	case in == stdio && term.IsTerminal(int(os.Stdin.Fd())):
		return nil, usagef("--in - says what comes on standard input, which is a terminal here: send it " +
			"from a program or a file")
	case in == stdio, missing == nil && isStream(info):
		source, err := wzp.OpenStream(in)
		return source, inError(in, err)
	case missing == nil, formatOf(in) != "":
		file, err := wzp.OpenFile(in)
		return file, inError(in, err)
	}
	return nil, usagef("--in is mic, tone, tone:HZ, FILE.wav, FILE.opus, - or none, not %q", in)
}

func inError(in string, err error) error {
	if err != nil {
		err = fileError("read --in", in, err)
	}
	return err
}

// isStream reports whether sound goes through it, instead of staying in it.
func isStream(info fs.FileInfo) bool {
	return info.Mode()&(os.ModeNamedPipe|os.ModeCharDevice|os.ModeSocket) != 0
}

// soundError adds to the error of a sound device what goes without one, for servers have none. Whoever chose
// a device has some.
func soundError(chosen string, err error) error {
	if err != nil && chosen == "" {
		err = fmt.Errorf("%w; without any sound device, say a tone and play nothing: --in tone:440 --out "+
			"none", err)
	}
	return err
}

func closeSource(source wzp.Source) {
	if source != nil {
		source.Close()
	}
}

// soundOnStdout reports whether --out is standard output, so that words go elsewhere.
func (c *talkFlags) soundOnStdout() bool {
	if c.Out == stdio {
		return true
	}
	stdout, err := os.Stdout.Stat()
	out, missing := os.Stat(c.Out)
	return err == nil && missing == nil && !isNull(out) && os.SameFile(stdout, out)
}

// isNull reports whether it is the device that throws everything away.
func isNull(info fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(null, info)
}

// openOut opens what --out names.
func (c *talkFlags) openOut(words *joinOutput) (play wzp.PlayConfig, closeOut func() error, err error) {
	info, missing := os.Stat(c.Out)
	switch out := c.Out; {
	case out == "none":
		// Nothing is decoded then.
	case out == "speaker":
		play.Mix, err = wzp.OpenSpeaker(wzp.SoundConfig{Name: c.Speaker,
			Changed: func(lost error) { words.device("loudspeaker", lost) }})
		err = soundError(c.Speaker, err)
	case c.soundOnStdout() && term.IsTerminal(int(os.Stdout.Fd())):
		return play, nil, usagef("--out %s is a terminal here: send it to a program or a file", out)
	case c.soundOnStdout(), missing == nil && isStream(info):
		if c.soundOnStdout() {
			out = stdio
		}
		if play.Mix, err = wzp.CreateStream(out); err != nil {
			err = fileError("write --out", out, err)
		}
	case formatOf(out) != "":
		play.Mix, err = newRecording(out, c.In)
	case strings.HasSuffix(out, "/"):
		if err = os.MkdirAll(out, 0o777); err != nil {
			return play, nil, fileError("make the directory --out", out, err)
		}
		visits := make(map[string]int) // Play asks again for who comes back
		play.Each = func(st wzp.Stream) (wzp.Sink, error) {
			file := talkerFile(out, st)
			if visits[file]++; visits[file] > 1 {
				file += fmt.Sprintf("-%d", visits[file])
			}
			file += "." + c.Format
			sink, err := createSound(file)
			if err != nil {
				return nil, fileError("write", file, err)
			}
			return sink, nil
		}
	default:
		err = usagef("--out is speaker, none, FILE.wav, FILE.opus, -, or DIR/ with a slash at the end, "+
			"not %q", out)
	}
	if err != nil {
		return play, nil, err
	}
	return play, func() error {
		if play.Mix == nil {
			return nil
		}
		return play.Mix.Close()
	}, nil
}

// talkerFile is where a talker's sound goes, without the ending: NAME-ID, with nothing in it that a file name
// cannot hold.
func talkerFile(dir string, st wzp.Stream) string {
	m := st.Member()
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|.`, r) || names.EscapeHidden(string(r)) != string(r) {
			return '_'
		}
		return r
	}, m.Name)
	if name == "" {
		name = "talker"
	}
	file := fmt.Sprintf("%s-%s", name, m.ID)
	if n := st.Number(); n > 0 {
		file += fmt.Sprintf("-%d", n)
	}
	return filepath.Join(dir, file)
}
