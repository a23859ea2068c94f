package relay

import (
	"strings"

	"github.com/wzp-voice/wzp/internal/peer"
)

// FederationConfig says which relays this one bridges rooms with, and which rooms. Its zero value is a relay
// on its own.
type FederationConfig struct {
	Peers       []FederationPeer
	Probes      []Probe  // relays that are measured, and nothing else; beside those of Config.Probe
	GlobalRooms []string // names, or patterns in which * stands for any text, also for none
}

// FederationPeer is a relay that may bridge global rooms with this one.
type FederationPeer = peer.Config

// Probe is a relay that is measured, though it is no peer.
type Probe = peer.ProbeConfig

// IsGlobal reports whether a room of this name is bridged.
func (c FederationConfig) IsGlobal(room string) bool {
	for _, pattern := range c.GlobalRooms {
		if matchRoom(pattern, room) {
			return true
		}
	}
	return false
}

// matchRoom reports whether name is the pattern, in which every * stands for any text, also for none. There
// is no other wildcard, and no escape. Names never hold a separator, so that none is special here.
//
// What stands between two stars is taken where it comes first: if the name can match at all, it matches then
// too, so the time is at most len(pattern) * len(name), both of which are at most 64.
func matchRoom(pattern, name string) bool {
	prefix, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	if !strings.HasPrefix(name, prefix) {
		return false
	}
	name = name[len(prefix):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name, rest = name[at+len(part):], after
	}
}
