package relay

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestAdminHost asks a relay's admin port by names of this machine, and by one that somebody made to lead to
// it: its browser believes that page and port are of one origin.
func TestAdminHost(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", ":0"} {
		var log logText
		config := Config{Identity: newIdentity(1), Listen: "127.0.0.1:0", Sockets: 1, Admin: listen,
			Log: slog.New(slog.NewTextHandler(&log, nil))}
		r, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, r)
		addr := *r.AdminAddr().(*net.TCPAddr) // the relay has the other
		if addr.IP.IsUnspecified() {
			addr.IP = net.IPv4(127, 0, 0, 1)
		}
		port := addr.String()[strings.LastIndexByte(addr.String(), ':'):]
		for host, want := range map[string]int{
			"": http.StatusOK, "localhost": http.StatusOK, "LOCALHOST" + port: http.StatusOK,
			"127.0.0.1" + port: http.StatusOK,
			"[::1]" + port:     http.StatusOK, "127.1.2.3": http.StatusOK,
			"evil.example":                  http.StatusMisdirectedRequest,
			"evil.example" + port:           http.StatusMisdirectedRequest,
			"localhost.evil.example" + port: http.StatusMisdirectedRequest,
			"192.0.2.1" + port:              http.StatusMisdirectedRequest,
			"0.0.0.0" + port:                http.StatusMisdirectedRequest,
		} {
			for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.json", "/peers", "/presence",
				"/"} {
				q, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
					"http://"+addr.String()+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				q.Host = host
				answer, err := http.DefaultClient.Do(q)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if path == "/" && want == http.StatusOK {
					continue // there is nothing
				}
				if answer.StatusCode != want {
					t.Errorf("on %s, %s of %q: %s, want %d", listen, path, host, answer.Status, want)
				}
			}
		}
		http.DefaultClient.CloseIdleConnections()
		stop()
		if said, wide := strings.Contains(log.String(), "the admin port is open to other machines"),
			listen == ":0"; said != wide {
			t.Errorf("on %s, that it is open to others is said: %v", listen, said)
		}
	}
}
