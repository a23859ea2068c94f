package relay

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/wzp-voice/wzp/internal/wire"
)

func TestShutdown(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		a, b := l.joined("r"), l.joined("r")
		admin := l.relay.adminHandler(nil)
		ready := func() int {
			w := httptest.NewRecorder()
			admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			return w.Code
		}
		if ready() != http.StatusOK {
			t.Errorf("/readyz: %d while running", ready())
		}
		b.conn.Close() // it acknowledges nothing, so that the relay waits for it
		start, stopped := time.Now(), make(chan struct{})
		go func() {
			defer close(stopped)
			l.stop()
		}()
		time.Sleep(500 * time.Millisecond)
		if ready() != http.StatusServiceUnavailable {
			t.Errorf("/readyz: %d while shutting down", ready())
		}
		if err := l.person().join("r"); code(err) != wire.CodeShuttingDown &&
			!strings.Contains(err.Error(), "does not answer") {
			t.Errorf("joining a relay that shuts down: %v", err)
		}
		<-stopped
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v", took)
		}
		a.ears.mu.Lock()
		defer a.ears.mu.Unlock()
		if !slices.Contains(a.ears.urgent, wire.UrgentShutdown) || len(a.ears.detached) == 0 {
			t.Errorf("told %v, detached because of %q", a.ears.urgent, a.ears.detached)
		}
		l.want("in the end", map[string]float64{"sessions": 0, "members": 0, "rooms": 0, "leaves_total": 2})
	})
}

// TestShutdownIsQuick wants no waiting when everybody has heard.
func TestShutdownIsQuick(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		l.joined("r")
		l.joined("r")
		start := time.Now()
		l.stop()
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestMetricsAreClean(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		l.joined("r")
		families, err := l.relay.registry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		own := 0
		for _, f := range families {
			switch name := f.GetName(); {
			case strings.HasPrefix(name, "wzp_relay_"):
				own++
			case !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_"):
				t.Errorf("%s is neither ours nor Go's nor the process's", name)
			}
		}
		const all = 52 // those of peers are not there without one
		if own != all {
			t.Errorf("%d of %d metrics", own, all)
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil {
			t.Error(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "wzp_relay_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	})
}

// TestAdmin uses real sockets.
func TestAdmin(t *testing.T) {
	r, stop := start(t, Config{Admin: "127.0.0.1:0"})
	defer stop()
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ok\n",
		"/metrics": "wzp_relay_sessions 0"} {
		status, body := get(t, r, path)
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	if status, _ := get(t, r, "/nothing"); status != http.StatusNotFound {
		t.Errorf("/nothing: %d", status)
	}
	answer, err := http.Post("http://"+r.AdminAddr().String()+"/healthz", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", answer.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}

func get(t *testing.T, r *Relay, path string) (int, string) {
	t.Helper()
	answer, err := http.Get("http://" + r.AdminAddr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// start runs a relay on a loopback port.
func start(t *testing.T, config Config) (*Relay, func()) {
	t.Helper()
	config.Identity, config.Listen, config.Sockets = newIdentity(1), "127.0.0.1:0", 1
	r, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return r, run(t, r)
}

func TestPortsInUse(t *testing.T) {
	r, stop := start(t, Config{Admin: "127.0.0.1:0"})
	defer stop()
	config := Config{Identity: newIdentity(2), Listen: r.Addr().String(), Sockets: 1}
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "choose another") {
		t.Errorf("UDP port in use: %v", err)
	}
	config.Listen, config.Admin = "127.0.0.1:0", r.AdminAddr().String()
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "--admin") ||
		!strings.Contains(err.Error(), "in use") {
		t.Errorf("admin port in use: %v", err)
	}
	if _, err := New(Config{Listen: "127.0.0.1:0"}); err == nil ||
		!strings.Contains(err.Error(), "identity") {
		t.Errorf("no identity: %v", err)
	}
}

// TestLog wants what operators look for.
func TestLog(t *testing.T) {
	var log strings.Builder
	r, stop := start(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	addr := r.Addr().String()
	stop()
	for _, want := range []string{"listening", addr, r.config.Identity.Fingerprint().String(), "stopped"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log.String())
		}
	}
}
