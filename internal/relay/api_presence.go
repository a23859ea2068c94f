package relay

import (
	"cmp"
	"net/http"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// whereabouts is an identity that is known: {"fingerprint", "location", "available"}, or, of somebody at a
// relay that is no peer, {"hash", "location", "available"}.
type whereabouts struct {
	Fingerprint *identity.Fingerprint `json:"fingerprint,omitempty"`
	Hash        string                `json:"hash,omitempty"` // of the fingerprint: see wire.HashPresence
	Location    any                   `json:"location"`       // "Local" or a remoteLocation
	Available   bool                  `json:"available"`
}

// remoteLocation is where an identity is that is at another relay.
type remoteLocation struct {
	Remote string `json:"Remote"` // HOST:PORT if that is known, else what the relay is called, or its id
}

// peerAddrs are where the peers are, HOST:PORT, as far as this relay knows.
type peerAddrs map[wire.RelayID]string

func (a *api) peerAddrs() peerAddrs {
	addrs := make(peerAddrs)
	for _, p := range a.relay.federation.Peers() {
		addrs[wire.RelayID(p.Fingerprint[:len(wire.RelayID{})])] = p.Addr
	}
	return addrs
}

// whereabouts shows an entry of the table. What a peer says of its address is shown, and never dialled.
func (addrs peerAddrs) whereabouts(e presence.Entry) whereabouts {
	w := whereabouts{Fingerprint: &e.Fingerprint, Location: "Local", Available: e.Available}
	if e.Relay != (wire.RelayID{}) {
		w.Location = remoteLocation{cmp.Or(e.Address, addrs[e.Relay], e.Label, e.Relay.String())}
	}
	return w
}

// presence answers GET /presence: who is connected here, and who can be called at peers, by fingerprint; then
// those beyond peers, by hash. What after is says which of both it goes on with, by its length.
func (a *api) presence(r *http.Request) (any, error) {
	limit, after, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	var from presence.Hashed
	var list []whereabouts
	switch len(after) {
	case 0, len(presence.Cursor{}):
		var cursorOf presence.Cursor
		copy(cursorOf[:], after)
		entries, next, more := a.relay.federation.Presence(cursorOf, limit)
		addrs := a.peerAddrs()
		list = make([]whereabouts, 0, len(entries))
		for _, e := range entries {
			list = append(list, addrs.whereabouts(e))
		}
		if more {
			return &page{items: list, next: cursor(string(next[:]))}, nil
		}
	case 1 + len(from.Hash) + len(from.Home):
		copy(from.Hash[:], after[1:])
		copy(from.Home[:], after[1+len(from.Hash):])
		list = []whereabouts{}
	default:
		return nil, errAfter
	}
	hashes, more := a.relay.federation.PresenceHashes(from, limit-len(list))
	for _, h := range hashes {
		list = append(list, whereabouts{Hash: h.Hash.String(), Location: remoteLocation{h.Home.String()},
			Available: true})
		from = h
	}
	if !more {
		return &page{items: list}, nil
	}
	return &page{items: list, next: cursor("#" + string(from.Hash[:]) + string(from.Home[:]))}, nil
}

// presenceOf answers GET /presence/{fingerprint}.
func (a *api) presenceOf(r *http.Request) (any, error) {
	f, err := fingerprintOf(r)
	if err != nil {
		return nil, err
	}
	e, known := a.relay.federation.LookUp(f)
	if !known {
		return nil, &apiError{http.StatusNotFound, "nobody with this fingerprint is known here: " +
			"not connected to this relay, and not told of by a peer"}
	}
	return a.peerAddrs().whereabouts(e), nil
}

// fingerprintOf reads the fingerprint in a request's path. The error is an *apiError.
func fingerprintOf(r *http.Request) (identity.Fingerprint, error) {
	f, err := identity.ParseFingerprint(r.PathValue("fingerprint"))
	if err != nil {
		return f, &apiError{http.StatusBadRequest, err.Error()}
	}
	return f, nil
}
