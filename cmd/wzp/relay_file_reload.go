package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
)

// configReloader reads the configuration file again on SIGHUP. One goroutine uses it.
type configReloader struct {
	log    *slog.Logger
	config *relayConfig // in use
	given  givenFlags   // which override settings
	own    identity.Fingerprint
	reload func(relay.FederationConfig)
}

// again takes over what the file says now, or leaves everything as it is if any of it is wrong.
func (l *configReloader) again() {
	own := func(*relayConfig) (identity.Fingerprint, bool) { return l.own, true }
	next, err := readRelayConfig(l.config.file, own)
	if err != nil {
		for _, line := range problemLines(err) {
			l.log.Error("the configuration is not reloaded: all stays as it was", "problem", line)
		}
		return
	}
	changes := l.logPeers(l.config.federation.Peers, next.federation.Peers) +
		l.logProbes(l.config.federation.Probes, next.federation.Probes) +
		l.logRooms(l.config.federation.GlobalRooms, next.federation.GlobalRooms)
	for _, key := range l.config.changedSettings(next, l.given) {
		l.log.Warn("a setting changed that takes a restart", "key", key)
	}
	l.reload(next.federation)
	// Settings stay those that are in use, so that the next reload tells of the same restart.
	l.config = &relayConfig{file: l.config.file, settings: l.config.settings, federation: next.federation}
	peers, trusted := next.numbers()
	l.log.Info("configuration reloaded", "file", next.file, "changes", changes,
		"peers", peers, "trusted", trusted, "global_rooms", len(next.federation.GlobalRooms))
	next.warn(l.log)
}

// logPeers says how peers and trusted relays change, and returns in how many.
func (l *configReloader) logPeers(old, new []relay.FederationPeer) (changes int) {
	before := make(map[identity.Fingerprint]relay.FederationPeer)
	for _, p := range old {
		before[p.Fingerprint] = p
	}
	for _, p := range new {
		was, known := before[p.Fingerprint]
		delete(before, p.Fingerprint)
		switch {
		case !known:
			l.log.Info("a relay was added", peerAttrs(p)...)
		case was != p:
			l.log.Info("a relay was changed", peerAttrs(p)...)
		default:
			continue
		}
		changes++
	}
	for _, p := range old {
		if _, gone := before[p.Fingerprint]; gone {
			l.log.Info("a relay was removed", peerAttrs(p)...)
			changes++
		}
	}
	return changes
}

// logRooms says how global rooms change, and returns in how many.
func (l *configReloader) logRooms(old, new []string) (changes int) {
	for _, name := range new {
		if !slices.Contains(old, name) {
			l.log.Info("a global room was added", "room", name)
			changes++
		}
	}
	for _, name := range old {
		if !slices.Contains(new, name) {
			l.log.Info("a global room was removed", "room", name)
			changes++
		}
	}
	return changes
}

// logProbes says how the relays to measure change, and returns in how many.
func (l *configReloader) logProbes(old, new []relay.Probe) (changes int) {
	for _, p := range new {
		if !slices.Contains(old, p) {
			l.log.Info("a relay to probe was added", "label", p.Label, "address", p.Address)
			changes++
		}
	}
	for _, p := range old {
		if !slices.Contains(new, p) {
			l.log.Info("a relay to probe was removed", "label", p.Label, "address", p.Address)
			changes++
		}
	}
	return changes
}

// peerAttrs are how the log tells a relay of the configuration.
func peerAttrs(p relay.FederationPeer) []any {
	kind := "peer"
	if p.Address == "" {
		kind = "trusted"
	}
	return []any{"kind", kind, "label", p.Label, "address", p.Address, "fingerprint", p.Fingerprint.String(),
		"presence", p.Presence.String()}
}

// numbers returns how many relays are dialled, and how many others may connect in.
func (c *relayConfig) numbers() (peers, trusted int) {
	for _, p := range c.federation.Peers {
		if p.Address != "" {
			peers++
		} else {
			trusted++
		}
	}
	return peers, trusted
}

// warn says what is allowed, but hardly meant.
func (c *relayConfig) warn(log *slog.Logger) {
	switch f := c.federation; {
	case len(f.Peers) > 0 && len(f.GlobalRooms) == 0:
		log.Warn("there are relays to bridge rooms with, but no rooms: add [[global_rooms]]", "file", c.file)
	case len(f.Peers) == 0 && len(f.GlobalRooms) > 0:
		log.Warn("there are global rooms, but no relays to bridge them with: add [[peers]] or [[trusted]]",
			"file", c.file)
	}
}

// printCounts says what there is in a file that is right.
func (c *relayConfig) printCounts() {
	peers, trusted := c.numbers()
	rooms := count(len(c.federation.GlobalRooms), "global room")
	probes := ""
	if n := len(c.federation.Probes); n > 0 {
		probes = fmt.Sprintf(", %d to probe", n)
	}
	fmt.Printf("%s: ok: %s, %d trusted, %s%s\n", c.file, count(peers, "peer"), trusted, rooms, probes)
}

// count is how many of something there are, in English.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// problemLines are the mistakes in a configuration, one a line, or err itself.
func problemLines(err error) []string {
	if all := (configErrors{}); errors.As(err, &all) {
		return all.lines()
	}
	return []string{err.Error()}
}
