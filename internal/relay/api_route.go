package relay

import (
	"errors"
	"net/http"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/federation"
)

// route is how somebody can be called: {"fingerprint", "route", "relay_chain"}.
type route struct {
	Fingerprint identity.Fingerprint `json:"fingerprint"`
	Route       string               `json:"route"`       // see presence.RouteKind
	RelayChain  []string             `json:"relay_chain"` // ids: this relay first, the home last; never nil
}

// route answers GET /route/{fingerprint}. It asks peers if this relay does not know, for some 2 s at most.
func (a *api) route(r *http.Request) (any, error) {
	f, err := fingerprintOf(r)
	if err != nil {
		return nil, err
	}
	found, err := a.relay.federation.Route(r.Context(), f)
	if errors.Is(err, federation.ErrRouteCallers) || errors.Is(err, federation.ErrRouteNone) {
		return nil, &apiError{http.StatusServiceUnavailable, err.Error()}
	}
	if err != nil {
		return nil, err // whoever asked is gone
	}
	answer := route{Fingerprint: f, Route: found.Kind.String(), RelayChain: make([]string, len(found.Chain))}
	for i, id := range found.Chain {
		answer.RelayChain[i] = id.String()
	}
	return answer, nil
}
