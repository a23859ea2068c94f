package relay

import (
	"encoding/json"
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

// admin is the operator's interface: health, readiness, metrics. It is for localhost and networks that are
// trusted: it asks nobody who they are, and says at the start when it is open to others than this machine.
type admin struct {
	ln     net.Listener
	server *http.Server
	log    *slog.Logger
}

func newAdmin(r *Relay, addr string) (*admin, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot open the admin port: %w; choose another with --admin, or \"\" for "+
			"none", err)
	}
	if addr, ok := ln.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		r.log.Warn("the admin port is open to other machines: whoever reaches it sees peers and numbers; "+
			"let a firewall keep strangers out, "+
			"or listen on 127.0.0.1 with --admin", "admin", ln.Addr().String())
	}
	files := guardFiles(ln, "admin", r.log, r.rooms.Drops, adminReserve, true)
	limited := newLimitListener(files, r.rooms.Drops, adminConnections, adminConnections)
	a := &admin{ln: limited, log: r.log, server: &http.Server{
		Handler:           localNames(r.adminHandler()),
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
func (r *Relay) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if r.draining.Load() {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /peers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(r.federation.Peers()); err != nil {
			r.log.Debug("the list of peers was not sent", "err", err)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.registry(), promhttp.HandlerOpts{
		// those of the process need files, of which there may be none left
		ErrorHandling: promhttp.ContinueOnError,
	}))
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
