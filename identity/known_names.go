package identity

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/wzp-voice/wzp/internal/names"
)

const (
	// maxKnownNames bounds the file. A full one takes no new names, and those in it stay: were the oldest
	// dropped, strangers with many names could make a client forget its friends.
	maxKnownNames     = 10_000
	maxKnownNamesSize = 1 << 20

	knownNamesHeader = "# wzp known names: keyed hashes of names, and of names with their fingerprints\n"
	infoKnownNames   = "wzp/1 known names"
)

// KnownNames remembers which fingerprints the people had who called themselves by a name: trust on first use.
// It is a text file with a line for each pair of name and fingerprint, and comment lines that start with '#':
//
//	hex(HMAC-SHA256(key, name)[:16]) hex(HMAC-SHA256(key, name || 0x00 || fingerprint (16))[:16])
//
//	key  = HKDF-SHA256(its owner's X25519 private key, salt = "", info = "wzp/1 known names"), 32 bytes
//	name = in Unicode NFKC, without case and what cannot be seen
//
// so the file alone does not tell whom its owner talks to; with the owner's seed, names can be guessed.
// Several identities may share a file, for none sees the lines of another.
//
// The file is looked at anew for every question, so any number of processes and goroutines may use it at
// once. It never prints its key.
type KnownNames struct {
	redacted
	list list[knownNames]
	key  hidden[[]byte]

	mu    sync.Mutex  // guards what follows, not the file; what names was is never changed
	seen  fs.FileInfo // of the file that names was read from; nil: none yet
	names knownNames
}

// nameTag stands for a name or, with its fingerprint, for somebody who has it.
type nameTag [16]byte

// knownNames are the fingerprints known for each name.
type knownNames map[nameTag][]nameTag

// knownName is a line of the file: a name, and it with a fingerprint.
type knownName struct{ who, person nameTag }

// DefaultKnownNamesFile returns where a person's known names are kept: wzp/known_names in the user's
// configuration directory. It creates nothing.
func DefaultKnownNamesFile() (string, error) { return configFile("known_names") }

// OpenKnownNames checks that the file at path can be used, as the one of id. A missing file knows nobody; it
// is created with the first name.
func OpenKnownNames(path string, id *Identity) (*KnownNames, error) {
	key, err := hkdf.Key(sha256.New, id.X25519().Bytes(), nil, infoKnownNames, 32)
	if err != nil {
		return nil, fmt.Errorf("cannot derive the key of the known names: %w", err)
	}
	k := &KnownNames{key: hide(key)}
	k.list = list[knownNames]{path, "known names", maxKnownNamesSize, parseKnownNames}
	if _, err := k.load(); err != nil {
		return nil, err
	}
	return k, nil
}

// Trust accepts a fingerprint for a name, beside those that are known for it: people may have several
// identities, and several people one name.
func (k *KnownNames) Trust(name string, f Fingerprint) error { return k.trust(name, f, false) }

// TrustOnly is Trust, and forgets all other fingerprints of that name.
func (k *KnownNames) TrustOnly(name string, f Fingerprint) error { return k.trust(name, f, true) }

func (k *KnownNames) trust(name string, f Fingerprint, only bool) error {
	if name = names.Fold(name); name == "" {
		return errors.New("the name is empty: give the one that they call themselves")
	}
	who, person := k.tags(name, f)
	return k.change(func(data []byte, names knownNames) ([]byte, error) {
		people := names[who]
		if slices.Contains(people, person) && (!only || len(people) == 1) {
			return data, nil
		}
		if only {
			data = withoutName(data, who)
			delete(names, who)
		}
		return addKnownName(data, names, names.count(), knownName{who, person})
	})
}

// tags returns what stands for a folded name, and for it with a fingerprint. No folded name has a zero byte,
// so none of one kind is one of the other.
func (k *KnownNames) tags(name string, f Fingerprint) (who, person nameTag) {
	mac := hmac.New(sha256.New, k.key())
	mac.Write([]byte(name))
	who = nameTag(mac.Sum(nil)[:len(who)])
	mac.Write([]byte{0})
	mac.Write(f[:])
	return who, nameTag(mac.Sum(nil)[:len(person)])
}

// load returns what the file says. It reads it only when it is another than before, or changed: a big room
// asks thousands of questions.
func (k *KnownNames) load() (knownNames, error) {
	info, err := os.Stat(k.list.path)
	k.mu.Lock()
	seen, names := k.seen, k.names
	k.mu.Unlock()
	if err == nil && seen != nil && os.SameFile(info, seen) &&
		info.Size() == seen.Size() && info.ModTime().Equal(seen.ModTime()) {
		return names, nil
	}
	_, names, info, err = k.list.read()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen, k.names = info, names
	return names, nil
}

func (k *KnownNames) change(f func(data []byte, names knownNames) ([]byte, error)) error {
	if err := k.list.change(f); err != nil {
		return fmt.Errorf("cannot remember a name: %w", err)
	}
	return nil
}

// parseKnownNames reads the text of a known names file. A pair may be listed again, as in merged files.
// Errors name the line.
func parseKnownNames(data []byte) (knownNames, error) {
	names, count := make(knownNames), 0
	for line, words := range wordsByLine(data) {
		pair, err := parseKnownName(words)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: correct or remove it", line, err)
		}
		if slices.Contains(names[pair.who], pair.person) {
			continue
		}
		if count++; count > maxKnownNames {
			return nil, fmt.Errorf("line %d: there are more than %d names: remove lines", line, maxKnownNames)
		}
		names[pair.who] = append(names[pair.who], pair.person)
	}
	return names, nil
}

// parseKnownName reads the words of one line.
func parseKnownName(words []string) (pair knownName, err error) {
	if len(words) != 2 {
		return pair, fmt.Errorf("want two hashes, found %d words", len(words))
	}
	for i, tag := range []*nameTag{&pair.who, &pair.person} {
		b, err := hex.DecodeString(words[i])
		if err != nil || len(b) != len(tag) {
			return pair, fmt.Errorf("word %d is not %d hexadecimal digits", i+1, hex.EncodedLen(len(tag)))
		}
		*tag = nameTag(b)
	}
	return pair, nil
}

// count returns how many names there are, with each fingerprint of a name.
func (n knownNames) count() (count int) {
	for _, people := range n {
		count += len(people)
	}
	return count
}

// addKnownName adds a line to data and names, of which there are count. The error says why it does not fit.
func addKnownName(data []byte, names knownNames, count int, pair knownName) ([]byte, error) {
	after := appendLine(data, knownNamesHeader, fmt.Sprintf("%x %x", pair.who[:], pair.person[:]))
	switch {
	case count >= maxKnownNames:
		return data, fmt.Errorf("there are %d names already: "+
			"remove lines from the file of known names, or the file", maxKnownNames)
	case len(after) > maxKnownNamesSize:
		return data, errors.New("the file of known names is full: remove comments from it")
	}
	names[pair.who] = append(names[pair.who], pair.person)
	return after, nil
}

// withoutName returns data without the lines of a name.
func withoutName(data []byte, who nameTag) []byte {
	var kept []byte
	for text := range bytes.Lines(data) {
		if pair, err := parseKnownName(strings.Fields(string(text))); err != nil || pair.who != who {
			kept = append(kept, text...)
		}
	}
	return kept
}
