package relay

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/presence"
)

// meshed makes all relays say one word of each other.
func (n *node) meshed(word presence.Word) {
	for i := range n.peers {
		n.peers[i].Presence = word
	}
}

// TestPresenceTravels: six relays in a chain, five links: who takes calls at the one end is known at the
// other within 2 s, and so is that they do not any more. A changed word is taken over by a reload, a relay
// that is killed takes its people with it, and metrics and the event log say what there is.
func TestPresenceTravels(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	inMesh(t, func(m *mesh) {
		for range 6 {
			m.node()
		}
		for i, n := range m.nodes[1:] {
			m.nodes[i].knows(n)
		}
		for _, n := range m.nodes {
			n.meshed(presence.Mesh)
		}
		first, last := m.nodes[0], m.nodes[5]
		first.config.EventLog = file
		for i, n := range m.nodes {
			if n.up(); i > 0 {
				m.linked(m.nodes[i-1], n)
			}
		}
		known := func(n *node, p *caller) bool {
			_, known := n.relay.federation.LookUp(p.id.Fingerprint())
			return known
		}
		first.line(true)
		time.Sleep(3 * time.Second)
		far := last.line(true)
		everywhere := func(want bool) func() bool {
			return func() bool {
				return !slices.ContainsFunc(m.nodes, func(n *node) bool { return known(n, far) != want })
			}
		}
		m.eventually("known everywhere, over five links", 2*time.Second, everywhere(true))
		if c := first.relay.federation.PresenceCounts(); c.Homes != 5 || c.Mismatches > 0 {
			t.Errorf("%+v", c)
		}
		if first.peerMetric("presence", "B") != 1 || first.metric("presence_homes") != 5 ||
			last.metric("identities_available") != 1 || first.metric("presence_bytes_in_total") == 0 {
			t.Error("metrics")
		}
		far.client.Close()
		m.eventually("gone everywhere", 2*time.Second, everywhere(false))

		near, middle := m.nodes[4], m.nodes[2]
		far, other := last.line(true), near.line(true)
		m.eventually("known again", 2*time.Second, func() bool {
			return known(first, far) && known(first, other)
		})
		middle.meshed(presence.Peer) // and so it passes nothing on
		middle.relay.Reload(middle.federation())
		m.eventually("not passed on any more", 3*time.Second, func() bool {
			return !known(first, far) && !known(first, other) && known(near, far)
		})
		middle.meshed(presence.Mesh)
		middle.relay.Reload(middle.federation())
		m.eventually("passed on again", 5*time.Second, func() bool {
			return known(first, far) && known(first, other)
		})

		for _, n := range m.nodes[:5] {
			m.cut(n, last, true)
		}
		m.eventually("who was at a relay that is not reached is gone", 75*time.Second, func() bool {
			return !known(first, far) && known(first, other)
		})
		for _, n := range m.nodes {
			if n.relay.federation.PresenceCounts().Mismatches > 0 {
				t.Error(n.name, "was told what is not so")
			}
		}
	})
	if homes := readEvents(t, file, "presence_home"); len(homes) < 5 {
		t.Errorf("%d homes in the event log", len(homes))
	}
	if on := readEvents(t, file, "presence_on"); len(on) != 1 || on[0].Participants != 1 {
		t.Errorf("who takes calls, in the event log: %+v", on)
	}
	if gone := readEvents(t, file, "presence_gone"); len(gone) == 0 {
		t.Error("nothing is gone in the event log")
	}
}

// TestToldAddress: peers are told where a relay is only if it has a name.
func TestToldAddress(t *testing.T) {
	for want, c := range map[string]Config{
		"relay.example.org:4433": {Domain: "relay.example.org", Listen: ":4433"},
		"":                       {Listen: ":4433"},
	} {
		if got := c.toldAddress(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := (&Config{Domain: "a.example", Listen: ":0"}).toldAddress(); got != "" {
		t.Error(got)
	}
}
