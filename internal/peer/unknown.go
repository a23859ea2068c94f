package peer

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
)

const (
	unknownEvery = time.Minute // a key is logged once in so long
	maxUnknown   = 32          // keys that are logged in so long: anybody may make keys
)

// unknownKeys says in the log which relays were refused because they are not configured, and what to write
// into the configuration to let them in. The zero value is ready.
type unknownKeys struct {
	mu     sync.Mutex // guards what follows
	begun  time.Time  // of the time in which each key is logged once
	logged map[unknownKey]struct{}
	silent int // refusals of further keys, which were not logged
}

// unknownKey is what is logged once: when it is found out where a key belongs, it is logged again.
type unknownKey struct {
	fingerprint identity.Fingerprint
	mistaken    bool
}

// refused notes a refusal. The key is not proved: whoever shows it may not have it. But who is let in has to.
// mistaken is the peer at whose address that key answered, where another one is configured; nil: none.
func (u *unknownKeys) refused(log *slog.Logger, fingerprint identity.Fingerprint, remote netip.AddrPort,
	mistaken *Config, now time.Time) {
	name, silent := u.note(unknownKey{fingerprint, mistaken != nil}, now)
	if silent > 0 {
		log.Warn("more relays that are not configured were refused than the log names",
			"refused", silent, "within", unknownEvery)
	}
	if !name {
		return
	}
	if mistaken != nil {
		log.Warn("refused the relay at the url of a peer: it is configured with another fingerprint, and "+
			"wants in", "label", mistaken.Label, "url", mistaken.Address, "configured", mistaken.Fingerprint,
			"fingerprint", fingerprint, "address", remote, "do",
			"correct the fingerprint if its operator confirms it")
		return
	}
	log.Warn("refused a relay that is not configured; if you know it, add to wzp.toml what is under add, "+
		"and reload (from a log of JSON, jq -r '.add // empty' prints it)",
		"address", remote, "fingerprint", fingerprint, "add", relayTOML(fingerprint, remote))
}

// note reports whether to name a key, and how many were not named in a time that has just ended.
func (u *unknownKeys) note(key unknownKey, now time.Time) (name bool, silent int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Sub(u.begun) >= unknownEvery {
		silent = u.silent
		u.begun, u.logged, u.silent = now, make(map[unknownKey]struct{}), 0
	}
	if _, done := u.logged[key]; done {
		return false, silent
	}
	if len(u.logged) >= maxUnknown {
		u.silent++
		return false, silent
	}
	u.logged[key] = struct{}{}
	return true, silent
}

// toPaste is text of several lines, ready to be copied from a log: a handler that can show it so knows it by
// LogBlock.
type toPaste string

// LogBlock returns the text.
func (t toPaste) LogBlock() string { return string(t) }

// relayTOML is what lets a relay in, all of it ready for wzp.toml: as a peer, and as one that is not dialled,
// for those who would rather have that, in comments. Literal strings are used, since a log may escape quotes.
func relayTOML(fingerprint identity.Fingerprint, remote netip.AddrPort) toPaste {
	return toPaste(fmt.Sprintf(
		`# To dial it, too: see that url is the address that it listens on, and name it.
[[peers]]
url = '%v'
fingerprint = '%v'
label = '%s'
# Or only to let it in, this instead:
# [[trusted]]
# fingerprint = '%v'
# label = '%s'
`, remote, fingerprint, labelToFill, fingerprint, labelToFill))
}

const labelToFill = "name this relay"
