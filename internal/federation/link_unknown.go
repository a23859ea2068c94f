package federation

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

// unknownKeys says in the log which relays were refused because they are not configured, and what to write into the
// configuration to let them in. The zero value is ready.
type unknownKeys struct {
	mu     sync.Mutex // guards what follows
	begun  time.Time  // of the time in which each key is logged once
	logged map[identity.Fingerprint]struct{}
	silent int // refusals of further keys, which were not logged
}

// refused notes a refusal. The key is not proved: whoever shows it may not have it. But who is let in has to.
func (u *unknownKeys) refused(log *slog.Logger, fingerprint identity.Fingerprint, remote netip.AddrPort, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Sub(u.begun) >= unknownEvery {
		if u.silent > 0 {
			log.Warn("more relays that are not configured were refused than the log names", "refused", u.silent, "within", unknownEvery)
		}
		u.begun, u.logged, u.silent = now, make(map[identity.Fingerprint]struct{}), 0
	}
	if _, done := u.logged[fingerprint]; done {
		return
	}
	if len(u.logged) >= maxUnknown {
		u.silent++
		return
	}
	u.logged[fingerprint] = struct{}{}
	log.Warn("refused a relay that is not configured; if you know it, add to wzp.toml what is under add (to dial it, too), or under or, and reload",
		"address", remote, "fingerprint", fingerprint, "add", peerTOML(fingerprint, remote), "or", trustedTOML(fingerprint))
}

// toPaste is text of several lines, ready to be copied from a log: a handler that can show it so knows it by LogBlock.
type toPaste string

// LogBlock returns the text.
func (t toPaste) LogBlock() string { return string(t) }

// peerTOML is what makes a relay a peer, ready for wzp.toml. Literal strings are used, since a log may escape quotes.
func peerTOML(fingerprint identity.Fingerprint, remote netip.AddrPort) toPaste {
	return toPaste(fmt.Sprintf("[[peers]]\nurl = '%v'\nfingerprint = '%v'\nlabel = '%s'\n", remote, fingerprint, labelToFill))
}

// trustedTOML is what makes a relay one that may connect in.
func trustedTOML(fingerprint identity.Fingerprint) toPaste {
	return toPaste(fmt.Sprintf("[[trusted]]\nfingerprint = '%v'\nlabel = '%s'\n", fingerprint, labelToFill))
}

const labelToFill = "name this relay"
