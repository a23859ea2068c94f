package relay

import (
	_ "embed"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
)

// openAPI describes the API, and what else the admin port serves. A test holds both together.
//
//go:embed openapi.json
var openAPI []byte

// api is the HTTP API of the admin port, which openapi.json describes.
//
//	request ──> is there such a path, with this method? ──> may it be asked? (api_access.go) ──> one of routes
//	                     | 404, 405                              | 401, 403                        |
//	                     v                                       v                                 v
//	             {"error": "what is wrong, and what to do"}                        JSON, a list by pages (api_pages.go)
type api struct {
	relay *Relay
	token *apiToken // nil: there is none
	log   *slog.Logger
}

// apiRoute is one path of the API, as http.ServeMux has patterns. It is read, and nothing is changed by it.
type apiRoute struct {
	path   string
	answer func(a *api, r *http.Request) (any, error)
}

// apiRoutes are all there are.
var apiRoutes = []apiRoute{
	{"/peers", (*api).peers},
	{"/probes", (*api).probes},
	{"/presence", (*api).presence},
	{"/presence/{fingerprint}", (*api).presenceOf},
	{"/route/{fingerprint}", (*api).route},
}

// apiError is an answer other than 200. It is shown to whoever asked.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

func newAPI(r *Relay, token *apiToken) *api { return &api{relay: r, token: token, log: r.log} }

// register adds the API to a mux, and for whatever that has no other handler for a 404.
func (a *api) register(mux *http.ServeMux) {
	for _, route := range apiRoutes {
		mux.Handle(route.path, readOnly(func(w http.ResponseWriter, r *http.Request) {
			a.serve(w, r, route)
		}))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, &apiError{http.StatusNotFound,
			"there is no such path; /openapi.json lists those that there are"})
	})
}

// serve answers one request.
func (a *api) serve(w http.ResponseWriter, r *http.Request, route apiRoute) {
	err := a.token.allow(r)
	var answer any
	if err == nil {
		answer, err = route.answer(a, r)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if list, ok := answer.(*page); ok {
		if list.next != "" {
			w.Header().Set("Link", nextLink(r, list.next))
		}
		answer = list.items
	}
	a.write(w, http.StatusOK, answer)
}

// fail answers with an error.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	if e := new(apiError); errors.As(err, &e) {
		status = e.status
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	a.log.Debug("the API refused a request", "from", r.RemoteAddr, "path", r.URL.Path, "status", status,
		"err", err)
	a.write(w, status, errorAnswer(err.Error()))
}

func (a *api) write(w http.ResponseWriter, status int, answer any) {
	if err := writeJSON(w, status, answer); err != nil {
		a.log.Debug("an answer of the API was not sent", "err", err)
	}
}

// writeJSON answers a request.
func writeJSON(w http.ResponseWriter, status int, answer any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(answer)
}

// errorAnswer is what every answer of the API but 200 is.
func errorAnswer(text string) any { return map[string]string{"error": text} }

// readOnly lets requests that only read through to h.
func readOnly(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			h(w, r)
			return
		}
		w.Header().Set("Allow", "GET, HEAD")
		_ = writeJSON(w, http.StatusMethodNotAllowed, errorAnswer("this can only be read, by GET"))
	})
}

// serveOpenAPI answers with the description, which is the same at every relay of this version.
func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}
