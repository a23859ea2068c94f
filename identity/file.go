package identity

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/wzp-voice/wzp/internal/names"
)

// A seed file is text: comment lines, and one line with the seed as 64 hexadecimal digits.
const (
	seedFileHeader  = "# wzp identity: keep this secret\n"
	maxSeedFileSize = 4096
)

// DefaultFile returns where a person's identity is kept: wzp/identity in the user's configuration
// directory (os.UserConfigDir). It creates nothing.
func DefaultFile() (string, error) { return configFile("identity") }

// configFile returns the path of a file of ours in the user's configuration directory.
func configFile(name string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("cannot tell where to keep the %s file: %w: set HOME", name, err)
	}
	return filepath.Join(dir, "wzp", name), nil
}

// LoadFile reads the seed that SaveFile wrote. It refuses a file that users other than its owner may
// read or write, except on Windows, where the mode says nothing. The error is fs.ErrNotExist when there
// is no such file. No error shows anything of the seed.
func LoadFile(path string) (Seed, error) {
	data, info, err := readFile(path, maxSeedFileSize)
	if err != nil {
		return Seed{}, fmt.Errorf("cannot read the identity: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return Seed{}, fmt.Errorf("the identity file is open to other users (mode %04o): run chmod 600 %s",
			mode, names.ShellQuote(path))
	}
	seed, err := parseSeedFile(data)
	if err != nil {
		return Seed{}, fmt.Errorf("%s is not an identity file: %w", path, err)
	}
	return seed, nil
}

// SaveFile writes seed to a new file at path with mode 0600, and creates its directory with mode 0700
// where it is missing. The file appears complete or not at all, and stays after a power cut. An existing
// file is left alone: the error is fs.ErrExist.
func SaveFile(path string, seed Seed) error { return writeSeedFile(path, seed, createFile) }

// ReplaceFile is SaveFile, but replaces a file that exists. Who has neither a copy nor the words of the
// old seed has lost that identity.
func ReplaceFile(path string, seed Seed) error { return writeSeedFile(path, seed, replaceFile) }

func writeSeedFile(path string, seed Seed, write func(string, []byte) error) error {
	err := seed.unusable()
	if err == nil {
		b := seed.reveal()
		err = write(path, []byte(seedFileHeader+hex.EncodeToString(b[:])+"\n"))
	}
	if err != nil {
		return fmt.Errorf("cannot save the identity: %w", err)
	}
	return nil
}

// LoadOrCreate reads the seed at path, or saves a random one when there is no file. When several
// processes do so at once, all end with the same seed.
func LoadOrCreate(path string) (Seed, error) {
	seed, err := LoadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return seed, err
	}
	seed = NewSeed()
	err = SaveFile(path, seed)
	if errors.Is(err, fs.ErrExist) {
		return LoadFile(path) // another process was faster
	}
	if err != nil {
		return Seed{}, err
	}
	return seed, nil
}

// parseSeedFile reads the text of a seed file. Its errors name the line and never show it.
func parseSeedFile(data []byte) (Seed, error) {
	var seed Seed
	for line, words := range wordsByLine(data) {
		text := strings.Join(words, " ")
		if seed.reveal != nil {
			return Seed{}, fmt.Errorf("line %d follows the seed: keep one seed in the file", line)
		}
		if len(text) != hex.EncodedLen(SeedSize) {
			return Seed{}, fmt.Errorf("line %d has %d characters: a seed has %d hexadecimal digits",
				line, len(text), hex.EncodedLen(SeedSize))
		}
		var b [SeedSize]byte
		if _, err := hex.Decode(b[:], []byte(text)); err != nil {
			return Seed{}, fmt.Errorf("line %d has a character that is not a hexadecimal digit", line)
		}
		seed = SeedFromBytes(b)
	}
	if seed.reveal == nil {
		return Seed{}, errors.New("it holds no seed")
	}
	return seed, seed.unusable()
}

// wordsByLine returns the words of each line, with its number, but for empty lines and comments. The text may
// begin with the mark (BOM) of some editors.
func wordsByLine(data []byte) iter.Seq2[int, []string] {
	return func(yield func(int, []string) bool) {
		for line, text := range textByLine(data) {
			if !yield(line, strings.Fields(text)) {
				return
			}
		}
	}
}

// textByLine is wordsByLine for lines that are more than words: each without the white space around it.
func textByLine(data []byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		line := 0
		for text := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
			line++
			text = strings.TrimSpace(text)
			if text != "" && text[0] != '#' && !yield(line, text) {
				return
			}
		}
	}
}

// list is a text file of what is known; T is what it says.
type list[T any] struct {
	path, what string
	limit      int // bytes
	parse      func([]byte) (T, error)
}

// read returns the file, what it says, and what it was when it was read. Without a file it says nothing.
func (l *list[T]) read() (data []byte, says T, info fs.FileInfo, err error) {
	data, info, err = readFile(l.path, l.limit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, says, nil, fmt.Errorf("cannot read the %s in %s: %w", l.what, l.path, err)
	}
	if says, err = l.parse(data); err != nil {
		return nil, says, nil, fmt.Errorf("%s, %w", l.path, err)
	}
	return data, says, info, nil
}

// change lets f turn the text into another, while no other process changes it. What it returns is written if
// it differs.
func (l *list[T]) change(f func(data []byte, says T) ([]byte, error)) error {
	return withLock(l.path, func() error {
		before, says, _, err := l.read()
		if err != nil {
			return err
		}
		after, err := f(before, says)
		if err != nil || bytes.Equal(before, after) {
			return err
		}
		return replaceFile(l.path, after)
	})
}

// appendLine appends a line to the text of a list, which begins with a header.
func appendLine(data []byte, header, line string) []byte {
	if len(data) == 0 {
		data = append(data, header...)
	} else if data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	return append(data, line+"\n"...)
}

// readFile reads a file of at most limit bytes. info is of the file that was opened, since a path can change
// between two looks at it, and from before reading, so that what is appended meanwhile makes a difference to
// it.
func readFile(path string, limit int) (data []byte, info fs.FileInfo, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	data, err = io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("the file is larger than %d bytes", limit)
	}
	return data, info, err
}
