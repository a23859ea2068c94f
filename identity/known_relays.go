package identity

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/wzp-voice/wzp/internal/names"
)

// maxKnownRelaysSize bounds the file: room for some ten thousand relays.
const maxKnownRelaysSize = 1 << 20

const knownRelaysHeader = "# wzp known relays: address and public key\n"

// KnownRelays remembers which key each relay had on the first visit, like ssh's known_hosts. It is a text
// file: a line "host:port key" a relay, the key being PublicKey's 64 hexadecimal digits, and comment
// lines that start with '#'. The file is read anew for every question, so any number of processes and
// goroutines may use it, and edit it, at once.
type KnownRelays struct{ list[map[string]PublicKey] }

// RelayKeyChangedError says that a relay showed another key than the one that is known for it, or was given.
type RelayKeyChangedError struct {
	Addr       string // normalised host:port
	File       string // where Known is kept; empty: the user gave it
	Known, Got Fingerprint
}

func (e *RelayKeyChangedError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("relay %s has another key than was given: expected %s, it has %s; "+
			"ask its operator which one is right", e.Addr, e.Known, e.Got)
	}
	return fmt.Sprintf("relay %s has another key than before, somebody may be posing as it: "+
		"known %s, now %s; only if its operator confirms the new one, remove its line from %s",
		e.Addr, e.Known, e.Got, e.File)
}

// DefaultKnownRelaysFile returns where a person's known relays are kept: wzp/known_relays in the user's
// configuration directory. It creates nothing.
func DefaultKnownRelaysFile() (string, error) { return configFile("known_relays") }

// OpenKnownRelays checks that the file at path can be used. A missing file knows no relay; it is
// created with the first one.
func OpenKnownRelays(path string) (*KnownRelays, error) {
	k := &KnownRelays{list[map[string]PublicKey]{path, "known relays", maxKnownRelaysSize, parseKnownRelays}}
	if _, _, _, err := k.read(); err != nil {
		return nil, err
	}
	return k, nil
}

// Verify compares key with the one known for addr ("host:port") and remembers nothing. It reports whether
// the relay is known; a known relay with another key is a *RelayKeyChangedError.
//
// It is what tls.Config.VerifyConnection should ask: a TLS client calls that before the server has
// proven that it holds the key of its certificate. Check belongs after the handshake.
func (k *KnownRelays) Verify(addr string, key PublicKey) (known bool, err error) {
	addr, err = normalizeAddr(addr)
	if err != nil {
		return false, err
	}
	_, relays, _, err := k.read()
	if err != nil {
		return false, err
	}
	return k.compare(relays, addr, key)
}

// Check is Verify, and trusts a relay that is not known yet: it stores the key, which the relay must have
// proven to hold. When several processes meet a relay for the first time at once, the first one's key
// counts for all of them, and no line is lost.
func (k *KnownRelays) Check(addr string, key PublicKey) error {
	known, err := k.Verify(addr, key)
	if err != nil || known {
		return err
	}
	if key.smallOrder() {
		return errSmallOrder
	}
	addr, _ = normalizeAddr(addr) // Verify has read it
	err = k.store(addr, key)
	if changed := (*RelayKeyChangedError)(nil); err == nil || errors.As(err, &changed) {
		return err
	}
	return fmt.Errorf("cannot remember the key of relay %s: %w", addr, err)
}

// store adds a line, unless another process did so meanwhile.
func (k *KnownRelays) store(addr string, key PublicKey) error {
	return k.change(func(data []byte, relays map[string]PublicKey) ([]byte, error) {
		if known, err := k.compare(relays, addr, key); err != nil || known {
			return data, err
		}
		data = appendLine(data, knownRelaysHeader, addr+" "+key.String())
		if len(data) > maxKnownRelaysSize {
			return nil, fmt.Errorf("%s is full: remove lines from it", k.path)
		}
		return data, nil
	})
}

// compare returns whether the relay is known, and an error when it is known with another key.
func (k *KnownRelays) compare(relays map[string]PublicKey, addr string, key PublicKey) (known bool, _ error) {
	want, known := relays[addr]
	if known && want != key {
		return true, &RelayKeyChangedError{addr, k.path, want.Fingerprint(), key.Fingerprint()}
	}
	return known, nil
}

// parseKnownRelays reads the text of a known relays file. A relay may be listed again with the same key,
// as in merged files, but not with another. Errors name the line.
func parseKnownRelays(data []byte) (map[string]PublicKey, error) {
	relays := make(map[string]PublicKey)
	for line, words := range wordsByLine(data) {
		if err := addKnownRelay(relays, words); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	return relays, nil
}

func addKnownRelay(relays map[string]PublicKey, words []string) error {
	if len(words) != 2 {
		return fmt.Errorf("want host:port and a public key, found %d words: correct or remove it", len(words))
	}
	addr, err := normalizeAddr(words[0])
	if err != nil {
		return err
	}
	key, err := ParsePublicKey(words[1])
	if err != nil {
		return err
	}
	if before, ok := relays[addr]; ok && before != key {
		return fmt.Errorf("%s is listed before with another key: remove one of the lines", addr)
	}
	relays[addr] = key
	return nil
}

// normalizeAddr gives every spelling of host:port one form: that of names.Host without the final dot, ports
// in decimal.
func normalizeAddr(addr string) (string, error) {
	host, port, err := names.ParseAddress(addr)
	if err != nil {
		return "", fmt.Errorf("relay address: %w", err)
	}
	return net.JoinHostPort(strings.TrimSuffix(host, "."), strconv.Itoa(int(port))), nil
}
