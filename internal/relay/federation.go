package relay

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/federation"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Reload replaces the peers, the relays to measure and the global rooms while the relay runs. Links, rooms
// and calls that are in both configurations go on.
func (r *Relay) Reload(c FederationConfig) {
	r.federation.Configure(c.federation())
	probes := slices.Clone(c.Probes)
	for _, addr := range r.config.Probe { // what the file says of one has more in it
		if !slices.ContainsFunc(probes, func(p Probe) bool { return p.Address == addr }) {
			probes = append(probes, Probe{Address: addr, Label: addr})
		}
	}
	r.probes.Configure(probes)
}

// federation returns what the federation takes of the configuration.
func (c FederationConfig) federation() federation.Config {
	return federation.Config{IsGlobal: c.IsGlobal, Peers: c.Peers}
}

// nextBoot returns a number that is above that of every earlier start of the relay: peers take what was said
// in an earlier one for old. The clock alone would do, if it never went back; so the last number is kept in
// dir, if there is one.
func nextBoot(dir string, now time.Time) (uint64, error) {
	boot := uint64(now.UnixMilli())
	if dir == "" {
		return boot, nil
	}
	path := filepath.Join(dir, "boot")
	if text, err := os.ReadFile(path); err == nil {
		last, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 62)
		if err == nil && last >= boot {
			boot = last + 1
		}
	}
	// Whoever writes it anew and is stopped half-way must not leave less than there was.
	if err := os.WriteFile(path+".new", strconv.AppendUint(nil, boot, 10), 0o600); err != nil {
		return 0, err
	}
	return boot, os.Rename(path+".new", path)
}

// bridge makes the relay's federation, without peers, and its event log.
func (r *Relay) bridge() error {
	boot, err := nextBoot(r.config.Data, time.Now())
	if err != nil {
		return fmt.Errorf("cannot keep the number of this start: %w; "+
			"give a directory that can be written to", err)
	}
	id := r.config.Identity.Public()
	if r.config.EventLog != "" {
		r.events, err = eventlog.Open(r.config.EventLog, func(err error) {
			r.log.Error("the event log cannot be written", "err", err)
		})
		if err != nil {
			return err
		}
		r.rooms.FanOut = r.newLoggedGroup
		r.events.Log(eventlog.Event{
			Kind: eventlog.Start, Relay: wire.RelayIDOf(id), Name: id.Fingerprint().String(),
		})
	}
	r.federation = federation.New(federation.Options{
		Identity: r.config.Identity, Boot: boot, Rooms: r.rooms, Tell: r.notifyRoom,
		Log: r.log, Events: r.events, Address: r.config.toldAddress(),
	})
	return nil
}

// toldAddress is what peers are told of where the relay is, for their operators to see; empty: nothing.
func (c *Config) toldAddress() string {
	_, port, err := net.SplitHostPort(c.Listen)
	if c.Domain == "" || err != nil || port == "" || port == "0" {
		return ""
	}
	return net.JoinHostPort(c.Domain, port)
}
