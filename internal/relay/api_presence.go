package relay

import (
	"cmp"
	"net/http"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// whereabouts is an identity that is known: {"fingerprint", "location", "available"}.
type whereabouts struct {
	Fingerprint identity.Fingerprint `json:"fingerprint"`
	Location    any                  `json:"location"` // "Local" or a remoteLocation
	Available   bool                 `json:"available"`
}

// remoteLocation is where an identity is that is at another relay.
type remoteLocation struct {
	Remote string `json:"Remote"` // HOST:PORT if that is known, else what the relay is called
}

// newWhereabouts shows an entry of the table.
func newWhereabouts(e presence.Entry) whereabouts {
	w := whereabouts{Fingerprint: e.Fingerprint, Location: "Local", Available: e.Available}
	if e.Relay != (wire.RelayID{}) {
		w.Location = remoteLocation{cmp.Or(e.Address, e.Label, e.Relay.String())}
	}
	return w
}

// presence answers GET /presence: who is connected here, and who can be called at peers, by fingerprint.
func (a *api) presence(r *http.Request) (any, error) {
	limit, text, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	var after presence.Cursor
	if text != "" {
		if len(text) != len(after) {
			return nil, errAfter
		}
		after = presence.Cursor([]byte(text))
	}
	entries, next, more := a.relay.federation.Presence(after, limit)
	list := make([]whereabouts, len(entries))
	for i, e := range entries {
		list[i] = newWhereabouts(e)
	}
	if !more {
		return &page{items: list}, nil
	}
	return &page{items: list, next: cursor(string(next[:]))}, nil
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
	return newWhereabouts(e), nil
}

// fingerprintOf reads the fingerprint in a request's path. The error is an *apiError.
func fingerprintOf(r *http.Request) (identity.Fingerprint, error) {
	f, err := identity.ParseFingerprint(r.PathValue("fingerprint"))
	if err != nil {
		return f, &apiError{http.StatusBadRequest, err.Error()}
	}
	return f, nil
}
