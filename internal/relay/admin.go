package relay

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wzp-voice/wzp/web"
)

// admin is the operator's interface: health, readiness, metrics, and the HTTP API. It is for localhost and
// networks that are trusted: only the API asks others than this machine for a token. When it is open to them,
// the start says so.
type admin struct {
	ln     net.Listener
	server *http.Server
	log    *slog.Logger
}

func newAdmin(r *Relay, addr string) (*admin, error) {
	token, err := readToken(r.config.AdminTokenFile)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot open the admin port: %w; choose another with --admin, or \"\" for "+
			"none", err)
	}
	if addr, ok := ln.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		r.log.Warn("the admin port is open to other machines: whoever reaches it sees /metrics, which names "+
			"peers, and with the token of --admin-token-file the rest; let a firewall keep strangers out, "+
			"or listen on 127.0.0.1 with --admin", "admin", ln.Addr().String())
	}
	files := guardFiles(ln, "admin", r.log, r.rooms.Drops, adminReserve, true)
	limited := newLimitListener(files, r.rooms.Drops, adminConnections, adminConnections)
	a := &admin{ln: limited, log: r.log, server: &http.Server{
		Handler:           localNames(r.adminHandler(token)),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}}
	return a, nil
}

// localNames lets requests that come over loopback through to h only if they ask for this machine by a name
// of its own. A page of elsewhere whose name was made to lead here (DNS rebinding) could else read the
// answers in the operator's browser.
func localNames(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if ok && addr.IP.IsLoopback() && !web.IsLocal(r.Host) {
			http.Error(w, "ask for it at localhost or 127.0.0.1", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// adminHandler answers the admin interface's requests.
func (r *Relay) adminHandler(token *apiToken) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/healthz", readOnly(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "ok\n")
	}))
	mux.Handle("/readyz", readOnly(func(w http.ResponseWriter, _ *http.Request) {
		if r.draining.Load() {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	}))
	mux.Handle("/metrics", readOnly(promhttp.HandlerFor(r.registry(), promhttp.HandlerOpts{
		// those of the process need files, of which there may be none left
		ErrorHandling: promhttp.ContinueOnError,
	}).ServeHTTP))
	mux.Handle("/openapi.json", readOnly(serveOpenAPI))
	newAPI(r, token).register(mux)
	return mux
}

// registry holds the relay's metrics, and those of Go and the process.
func (r *Relay) registry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{relay: r}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// addr is for the log; empty if there is no admin interface.
func (a *admin) addr() string {
	if a == nil {
		return ""
	}
	return a.ln.Addr().String()
}

// serve answers until close. A nil admin returns at once.
func (a *admin) serve() {
	if a == nil {
		return
	}
	if err := a.server.Serve(a.ln); !errors.Is(err, http.ErrServerClosed) {
		a.log.Error("the admin interface stopped", "err", err)
	}
}

// close ends serve, and every connection.
func (a *admin) close() {
	if a != nil {
		a.server.Close()
		a.ln.Close()
	}
}
