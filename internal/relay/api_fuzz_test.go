package relay

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzAPI asks for anything, as anybody: the answer is JSON, with a status that openapi.json knows or that no
// path has, and nobody gets in without the token.
func FuzzAPI(f *testing.F) {
	for _, path := range []string{"/peers?limit=1", "/probes?after=Zm9v",
		"/presence?limit=2&after=" + cursor("1234567890123456"), "/presence/" + fingerprintText, "/route/" + fingerprintText, "/presence/%00", "/x?limit=;"} {
		f.Add(http.MethodGet, path, "Bearer "+testToken, true)
		f.Add(http.MethodPost, path, "", false)
	}
	r, err := New(Config{Identity: newIdentity(1), Listen: "127.0.0.1:0", Sockets: 1,
		Probe: []string{"127.0.0.1:1"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(run(f, r))
	mux := http.NewServeMux()
	newAPI(r, newToken(testToken)).register(mux)
	f.Fuzz(func(t *testing.T, method, target, authorization string, here bool) {
		q, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1/", nil)
		if err != nil {
			return
		}
		if q.URL, err = q.URL.Parse(target); err != nil {
			return
		}
		q.RemoteAddr = "192.0.2.7:1"
		if here {
			q.RemoteAddr = "127.0.0.1:1"
		}
		q.Header["Authorization"] = []string{authorization}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, q)
		var body any
		switch err := json.Unmarshal(w.Body.Bytes(), &body); {
		case w.Code >= 300 && w.Code < 400: // to the path without dots and double slashes
		case err != nil:
			t.Errorf("%s %q: %d %q: %v", method, target, w.Code, w.Body, err)
		case w.Code == http.StatusInternalServerError:
			t.Errorf("%s %q: %s", method, target, w.Body)
		case w.Code == http.StatusOK && !here && !strings.Contains(authorization, testToken):
			t.Errorf("%s %q with %q was let in", method, target, authorization)
		}
	})
}
