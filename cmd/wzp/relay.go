package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	neturl "net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/web"
)

// relayCmd runs the server. What a flag of relay.Config means stands there.
type relayCmd struct {
	relay.Config

	File        string `type:"home" name:"config" placeholder:"FILE" help:"${config}"`
	CheckConfig bool   `help:"Only say whether --config is right."`

	LogLevel slog.Level `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogJSON  bool       `name:"log-json" help:"Log one JSON object a line."`

	keys map[string]string // flags that the file sets, and the key of each
}

func (c *relayCmd) Run(ctx context.Context, given givenFlags) error {
	config, err := c.readConfig(given)
	if err != nil {
		return err
	}
	if !given["http"] && c.keys["http"] == "" {
		c.HTTP = "127.0.0.1:8080"
		if c.hasCertificate() { // with one the page is for everybody
			c.HTTP = ":443"
		}
	}
	if err := c.check(); err != nil {
		return err
	}
	if c.CheckConfig {
		config.warn(c.logger()) // as a start would
		config.printCounts()
		return nil
	}
	dir, err := c.dataDir()
	if err != nil {
		return err
	}
	unlock, err := c.lockData(dir)
	if err != nil {
		return err
	}
	defer unlock()
	seed, err := identity.LoadOrCreate(filepath.Join(dir, "identity"))
	if err != nil {
		return err
	}
	own, log := seed.Identity(), c.logger()
	c.Identity, c.Version, c.Log = own, "wzp "+buildVersion(), log
	c.Data, c.ACMECache = dir, filepath.Join(dir, "acme")
	if config == nil {
		return c.serve(ctx, nil)
	}
	config.warn(log)
	c.Federation = config.federation
	return c.serve(ctx, &configReloader{log: log, config: config, given: given, own: own.Fingerprint()})
}

// serve runs the relay until ctx is done. SIGHUP does not end it: see hangup.
func (c *relayCmd) serve(ctx context.Context, reloader *configReloader) error {
	hup := make(chan os.Signal, 1) // one that waits stands for all
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	r, err := relay.New(c.Config)
	if err != nil {
		return c.listenError(err)
	}
	if !c.LogJSON {
		c.printAddresses(r)
	}
	if reloader != nil {
		reloader.reload = r.Reload
	}
	listening, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { onSignal(listening, hup, func() { c.hangup(r, reloader) }) })
	err = r.Run(ctx)
	stop()
	wg.Wait()
	return err
}

// onSignal calls f for every signal until ctx is done.
func onSignal(ctx context.Context, signals <-chan os.Signal, f func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			f()
		}
	}
}

// hangup is what SIGHUP does, which logrotate and systemd send, and a terminal that closes: the event log
// goes on in a new file if its was moved, and the configuration is read again.
func (c *relayCmd) hangup(r *relay.Relay, reloader *configReloader) {
	if c.EventLog != "" {
		if err := r.ReopenEventLog(); err != nil {
			c.Log.Error("the event log goes on in the file that it had", "file", c.EventLog, "err", err)
		} else {
			c.Log.Info("the event log is open again", "file", c.EventLog)
		}
	}
	if reloader != nil {
		reloader.again()
	} else {
		c.Log.Info("SIGHUP: there is no --config to read again; the relay goes on")
	}
}

// hasCertificate reports whether the page is to have https of its own.
func (c *relayCmd) hasCertificate() bool { return c.Domain != "" || c.TLSCert != "" || c.TLSKey != "" }

// printAddresses tells people where the relay is found: by a browser, and from the command line.
func (c *relayCmd) printAddresses(r *relay.Relay) {
	host := "localhost"
	if addr := r.Addr().Addr(); !addr.IsUnspecified() {
		host = addr.String()
	}
	if url := r.PageURL(); url != "" {
		fmt.Println("Open in a browser: " + url)
		if u, err := neturl.Parse(url); err == nil && r.Addr().Addr().IsUnspecified() {
			host = u.Hostname()
		}
	}
	addr := net.JoinHostPort(host, strconv.Itoa(int(r.Addr().Port())))
	fmt.Printf("Join from the command line: %s join ROOM --relay %s\n", os.Args[0], addr)
}

// listenError says which flag names the port that cannot be opened, and what to do.
func (c *relayCmd) listenError(err error) error {
	var op *net.OpError
	page := (*relay.HTTPError)(nil)
	ofHTTP := errors.As(err, &page)
	switch {
	case errors.As(err, new(relay.ConfigError)):
		return usageError{page.Err}
	case ofHTTP && !errors.As(err, &op):
		return page.Err
	case !errors.As(err, &op):
		return err
	}
	flag, addr, otherwise := "listen", c.Listen, ""
	switch {
	case ofHTTP:
		flag, addr, otherwise = "http", c.HTTP, ", or \"\" for none"
	case strings.HasPrefix(op.Net, "tcp"):
		flag, addr, otherwise = "admin", c.Admin, ", or \"\" for none"
	}
	return listenError(c.nameOf(flag), addr, otherwise, err)
}

// nameOf is how people know a setting: by its flag, or by the key in their file.
func (c *relayCmd) nameOf(flag string) string {
	if key, ofFile := c.keys[flag]; ofFile {
		return c.File + ": " + key
	}
	return "--" + flag
}

// listenError says why the port that a flag names cannot be opened, and what to do.
func listenError(flag, addr, otherwise string, err error) error {
	reason := err.Error()
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		reason = op.Err.Error()
	}
	reason += ": give HOST:PORT with an address of this machine"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		reason = "a program has this port already: stop it, or choose another"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		reason = "there are no file descriptors left: " + relay.RaiseFiles
		return fmt.Errorf("cannot listen on %s %s: %s", flag, addr, reason)
	case errors.Is(err, syscall.EACCES):
		reason = "not permitted: choose a port from 1024 on"
	}
	if errors.Is(err, web.ErrLocalhost) {
		reason = web.ErrLocalhost.Error() + ", " + reason
	}
	return fmt.Errorf("cannot listen on %s %s: %s%s", flag, addr, reason, otherwise)
}

// check refuses limits that would refuse everybody.
func (c *relayCmd) check() error {
	for _, s := range settings {
		if err := s.check(&c.Config); err != nil {
			return usagef("--%s %w", s.flag, err)
		}
	}
	for i, text := range c.Probe {
		addr, err := parsePeerAddress(text)
		if err != nil {
			return usagef("--probe is HOST:PORT of another relay's --listen: %w", err)
		}
		c.Probe[i] = addr
	}
	if c.HTTP == "" && (c.hasCertificate() || len(c.WebOrigins) > 0) {
		return usagef("--domain, --tls-cert, --tls-key and --web-origin are about --http, which is none")
	}
	return nil
}

// dataDir is where the relay keeps its identity and certificates.
func (c *relayCmd) dataDir() (string, error) {
	if c.Data != "" {
		return c.Data, nil
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the relay's identity: %w; give one with --data DIR", err)
	}
	return filepath.Join(config, "wzp", "relay"), nil
}

func (c *relayCmd) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogJSON {
		return slog.New(newJSONLog(os.Stderr, options))
	}
	return slog.New(newTextLog(os.Stderr, options))
}
