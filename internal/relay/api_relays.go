package relay

import (
	"net/http"

	"github.com/wzp-voice/wzp/internal/federation"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// peerIdentities is how many of a peer's identities are listed with it; /presence has all.
const peerIdentities = 1000

// peers answers GET /peers: the configured peers, by label.
func (a *api) peers(r *http.Request) (any, error) {
	list := a.relay.federation.Peers()
	page, err := cut(r, list, func(s federation.PeerStatus) string {
		return s.Label + "\x00" + s.Fingerprint.String()
	})
	if err != nil {
		return nil, err
	}
	part := page.items.([]federation.PeerStatus)
	for i := range part {
		id := wire.RelayID(part[i].Fingerprint[:len(wire.RelayID{})])
		entries, _, _ := a.relay.federation.PresenceOf(id, presence.Cursor{}, peerIdentities)
		for _, e := range entries {
			part[i].Fingerprints = append(part[i].Fingerprints, e.Fingerprint)
		}
	}
	return page, nil
}

// probes answers GET /probes: the relays that are measured, by address.
func (a *api) probes(r *http.Request) (any, error) {
	return cut(r, a.relay.probes.Status(), func(s peer.ProbeStatus) string {
		return s.Addr + "\x00" + s.Label
	})
}
