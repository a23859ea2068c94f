package peer

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/drops"
)

const (
	unknownEvery = time.Minute // a key is logged once in so long
	maxUnknown   = 32          // keys that are logged in so long: anybody may make keys
)

// unknownKeys says in the log which relays were refused because they are not configured, and what to write
// into the configuration to let them in. The zero value is ready.
type unknownKeys struct {
	mu     sync.Mutex // guards logged
	logged drops.Seldom[unknownKey]
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
	u.mu.Lock()
	u.logged.Every, u.logged.Most = unknownEvery, maxUnknown
	name, last := u.logged.Note(unknownKey{fingerprint, mistaken != nil}, now)
	u.mu.Unlock()
	if !name {
		return
	}
	if last {
		defer log.Warn("further relays that are not configured are refused without a line here", "for",
			unknownEvery)
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
