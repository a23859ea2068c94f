package identity

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	stayKeysFor     = 25 * time.Hour // relays keep calls for a day
	maxStayKeys     = 16             // of an identity; the newest stay
	maxStayKeysSize = 64 << 10

	stayKeysHeader = "# wzp stay keys: identity, relay, private key, when used last; keep this secret\n"
)

// StayKey is the private key of a stay in which somebody took calls. It never prints.
type StayKey struct {
	redacted
	Identity PublicKey
	Relay    PublicKey // at which the stay was
	Used     time.Time // last, in UTC, whole seconds
	private  hidden[[32]byte]
}

// NewStayKey returns the key with this private half, X25519, used now.
func NewStayKey(id, relay PublicKey, private [32]byte) StayKey {
	return StayKey{Identity: id, Relay: relay, Used: wholeSeconds(time.Now()), private: hide(private)}
}

// Private returns the private half.
func (k StayKey) Private() [32]byte { return k.private() }

func (k StayKey) line() string {
	private := k.private()
	return fmt.Sprintf("%s %s %s %s", k.Identity, k.Relay, hex.EncodeToString(private[:]),
		k.Used.Format(time.RFC3339))
}

// StayKeys are kept by who wants to learn of calls that they miss while they are away: their relay keeps
// those, sealed, for a day, and they are opened with these. It is a text file with a line for each, and
// comment lines that start with '#':
//
//	IDENTITY RELAY PRIVATE USED
//
// the keys in hexadecimal digits, the time as in RFC 3339. The file is read anew for every question, so any
// number of processes and goroutines may use it at once. Keys that were used last more than 25 hours ago are
// forgotten, and of one identity all but 16.
type StayKeys struct{ list list[[]StayKey] }

// DefaultStayKeysFile returns where a person's stay keys are kept: wzp/stay_keys in the user's configuration
// directory. It creates nothing.
func DefaultStayKeysFile() (string, error) { return configFile("stay_keys") }

// OpenStayKeys checks that the file at path can be used. A missing file has no keys; it is created with the
// first one, and only its owner may read it.
func OpenStayKeys(path string) (*StayKeys, error) {
	s := &StayKeys{list[[]StayKey]{path, "stay keys", maxStayKeysSize, parseStayKeys}}
	if _, _, _, err := s.list.read(); err != nil {
		return nil, err
	}
	return s, nil
}

// Of returns the keys of an identity that may still be of use.
func (s *StayKeys) Of(id PublicKey) (keys []StayKey, err error) {
	_, all, _, err := s.list.read()
	now := time.Now()
	for _, k := range all {
		if k.Identity == id && k.useful(now) {
			keys = append(keys, k)
		}
	}
	return keys, err
}

func (k *StayKey) useful(now time.Time) bool { return now.Sub(k.Used) < stayKeysFor }

// Keep keeps a key, or notes that it is used at another time. What is of no use any more is forgotten.
func (s *StayKeys) Keep(key StayKey) error {
	return s.change(func(keys []StayKey) []StayKey {
		keys = slices.DeleteFunc(keys, func(k StayKey) bool { return k.private() == key.private() })
		return append(keys, key)
	})
}

// Forget forgets a key.
func (s *StayKeys) Forget(key StayKey) error {
	return s.change(func(keys []StayKey) []StayKey {
		return slices.DeleteFunc(keys, func(k StayKey) bool { return k.private() == key.private() })
	})
}

// change writes the file anew: unlike with other files nothing that people have added to it stays, so that no
// key does.
func (s *StayKeys) change(f func(keys []StayKey) []StayKey) error {
	now := time.Now()
	err := s.list.change(func(before []byte, keys []StayKey) ([]byte, error) {
		keys = f(keys)
		var lines []string
		of := make(map[PublicKey]int)
		for _, k := range slices.Backward(keys) { // the newest are last
			if of[k.Identity]++; k.useful(now) && of[k.Identity] <= maxStayKeys {
				lines = append(lines, k.line())
			}
		}
		if len(lines) == 0 && len(before) == 0 {
			return nil, nil
		}
		data := []byte(stayKeysHeader)
		for _, line := range slices.Backward(lines) {
			data = append(data, line+"\n"...)
		}
		if len(data) > maxStayKeysSize {
			return nil, errors.New("the file is full")
		}
		return data, nil
	})
	if err != nil {
		return fmt.Errorf("cannot change the stay keys: %w", err)
	}
	return nil
}

// parseStayKeys reads the text of a file of stay keys. Errors name the line, and show nothing of a key.
func parseStayKeys(data []byte) (keys []StayKey, err error) {
	for line, words := range wordsByLine(data) {
		k, ok := parseStayKey(words)
		if !ok {
			return nil, fmt.Errorf("line %d: want an identity, a relay, a private key and a time: remove it",
				line)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parseStayKey(words []string) (k StayKey, ok bool) {
	if len(words) != 4 {
		return k, false
	}
	private, err := hex.DecodeString(words[2])
	used, err4 := time.Parse(time.RFC3339, words[3])
	if k.Identity, ok = publicKeyOf(words[0]); ok {
		k.Relay, ok = publicKeyOf(words[1])
	}
	if !ok || err != nil || err4 != nil || len(private) != 32 {
		return k, false
	}
	k.Used, k.private = wholeSeconds(used), hide([32]byte(bytes.Clone(private)))
	return k, true
}

func publicKeyOf(text string) (PublicKey, bool) {
	key, err := ParsePublicKey(text)
	return key, err == nil
}
