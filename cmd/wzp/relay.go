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

	"github.com/alecthomas/kong"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/web"
)

// relayCmd runs the server.
type relayCmd struct {
	Listen  string  `default:":4433" placeholder:"ADDR" help:"UDP address for clients; port 0 means any."`
	HTTP    *string `name:"http" placeholder:"ADDR" help:"TCP address of the page and of WebSockets; empty for none, and no browsers. Default: 127.0.0.1:8080, or :443 with a certificate."`
	Admin   string  `default:"127.0.0.1:9090" placeholder:"ADDR" help:"TCP address of /healthz, /readyz, /metrics and /peers; empty for none."`
	Data    string  `type:"home" placeholder:"DIR" help:"Directory of the relay's identity and certificates; made if missing. Default: wzp/relay in your configuration directory."`
	Sockets int     `default:"0" placeholder:"N" help:"UDP sockets on the port; 0 means one for each core."`

	Domain    string   `placeholder:"NAME" help:"Public name of this relay: obtain its certificate from Let's Encrypt, whose terms you accept by this. Needs ports 80 and 443."`
	TLSCert   string   `type:"home" name:"tls-cert" placeholder:"FILE" help:"Certificate of --http, PEM, with its chain; read again when it changes."`
	TLSKey    string   `type:"home" name:"tls-key" placeholder:"FILE" help:"Its key."`
	WebOrigin []string `placeholder:"URL" sep:"none" help:"A page that may use this relay, such as https://voice.example.org; needed behind a reverse proxy. May be repeated."`

	MaxRooms      int     `default:"10000" placeholder:"N" help:"Rooms at once."`
	MaxMembers    int     `default:"2000" placeholder:"N" help:"Members of one room."`
	MaxSessions   int     `default:"20000" placeholder:"N" help:"Sessions at once."`
	MaxPerAddress int     `default:"1000" placeholder:"N" help:"Sessions of one address, or IPv6 /64; of a /48 four times as many."`
	MaxHandshakes int     `default:"1024" placeholder:"N" help:"Connections that have not proved who they are."`
	HelloRate     float64 `default:"20" placeholder:"N" help:"Connections a second of one address, or IPv6 /64."`
	MaxMessage    int     `default:"8192" placeholder:"BYTES" help:"Longest control message of a client, 4096 to 65536."`
	ControlRate   float64 `default:"10" placeholder:"N" help:"Control messages a second of one session."`
	MediaRate     int     `default:"500" placeholder:"N" help:"Media packets a second of one session."`
	MemberRate    int     `default:"256" placeholder:"KBITS" help:"Media of one member, kbit/s with all headers."`
	RoomRate      int     `default:"2000" placeholder:"KBITS" help:"Media of one room that is passed on, kbit/s with all headers; addresses and peers share it, and the members of each."`
	SendRate      int     `default:"0" placeholder:"N" help:"Media packets a second that are sent to members; addresses and peers share it, and crowds of one address are left out first. 0: 200,000 for each processor."`

	MaxMembersPerAddress int `default:"0" placeholder:"N" help:"Members of one room from one address, or IPv6 /48; 0: as many as leave places for others, half of --max-members at most."`

	Config      string `type:"home" placeholder:"FILE" help:"Settings, peers and global rooms, as in docs/wzp.example.toml. Flags override it; SIGHUP reads peers and rooms again."`
	CheckConfig bool   `help:"Only say whether --config is right."`
	EventLog    string `type:"home" placeholder:"FILE" help:"Log decisions about packets and members, one JSON object a line, for wzp analyze."`

	LogLevel slog.Level `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogJSON  bool       `name:"log-json" help:"Log one JSON object a line."`

	keys map[string]string // flags that --config sets, and the key of each
}

func (c *relayCmd) Run(ctx context.Context, k *kong.Context) error {
	given := givenFlags(k)
	config, err := c.readConfig(given)
	if err != nil {
		return err
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
	flags := c.relayConfig(own, dir, log)
	if config == nil {
		return c.serve(ctx, flags, nil)
	}
	config.warn(log)
	flags.Federation = config.federation
	return c.serve(ctx, flags, &configReloader{log: log, config: config, given: given, own: own.Fingerprint()})
}

// serve runs the relay until ctx is done. SIGHUP does not end it: see hangup.
func (c *relayCmd) serve(ctx context.Context, config relay.Config, reloader *configReloader) error {
	hup := make(chan os.Signal, 1) // one that waits stands for all
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	r, err := relay.New(config)
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
	wg.Go(func() { onSignal(listening, hup, func() { c.hangup(r, reloader, config.Log) }) })
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

// hangup is what SIGHUP does, which logrotate and systemd send, and a terminal that closes: the event log goes on in a new
// file if its was moved, and the configuration is read again.
func (c *relayCmd) hangup(r *relay.Relay, reloader *configReloader, log *slog.Logger) {
	if c.EventLog != "" {
		if err := r.ReopenEventLog(); err != nil {
			log.Error("the event log goes on in the file that it had", "file", c.EventLog, "err", err)
		} else {
			log.Info("the event log is open again", "file", c.EventLog)
		}
	}
	if reloader != nil {
		reloader.again()
	} else {
		log.Info("SIGHUP: there is no --config to read again; the relay goes on")
	}
}

// relayConfig is what the flags say.
func (c *relayCmd) relayConfig(own *identity.Identity, dir string, log *slog.Logger) relay.Config {
	return relay.Config{
		Identity:      own,
		Version:       "wzp " + buildVersion(),
		Log:           log,
		EventLog:      c.EventLog,
		Listen:        c.Listen,
		Sockets:       c.Sockets,
		Admin:         c.Admin,
		HTTP:          c.http(),
		TLSCert:       c.TLSCert,
		TLSKey:        c.TLSKey,
		Domain:        c.Domain,
		ACMECache:     filepath.Join(dir, "acme"),
		Data:          dir,
		WebOrigins:    c.WebOrigin,
		MaxRooms:      c.MaxRooms,
		MaxMembers:    c.MaxMembers,
		MaxSessions:   c.MaxSessions,
		MaxPerAddress: c.MaxPerAddress,
		MaxHandshakes: c.MaxHandshakes,
		HelloRate:     c.HelloRate,
		MaxMessage:    c.MaxMessage,
		ControlRate:   c.ControlRate,
		MediaRate:     c.MediaRate,
		MemberRate:    c.MemberRate,
		RoomRate:      c.RoomRate,
		SendRate:      c.SendRate,

		MaxMembersPerAddress: c.MaxMembersPerAddress,
	}
}

// http is the address to serve browsers on; with a certificate the page is for everybody.
func (c *relayCmd) http() string {
	switch {
	case c.HTTP != nil:
		return *c.HTTP
	case c.Domain != "" || c.TLSCert != "" || c.TLSKey != "":
		return ":443"
	}
	return "127.0.0.1:8080"
}

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
	fmt.Println("Join from the command line: wzp join ROOM --relay " + net.JoinHostPort(host, strconv.Itoa(int(r.Addr().Port()))))
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
		flag, addr, otherwise = "http", c.http(), ", or \"\" for none"
	case strings.HasPrefix(op.Net, "tcp"):
		flag, addr, otherwise = "admin", c.Admin, ", or \"\" for none"
	}
	return listenError(c.nameOf(flag), addr, otherwise, err)
}

// nameOf is how people know a setting: by its flag, or by the key in their file.
func (c *relayCmd) nameOf(flag string) string {
	if key, ofFile := c.keys[flag]; ofFile {
		return c.Config + ": " + key
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
		return fmt.Errorf("cannot listen on %s %s: there are no file descriptors left: raise the limit on open files (LimitNOFILE= of systemd, ulimit -n)", flag, addr)
	case errors.Is(err, syscall.EACCES):
		reason = "not permitted: choose a port from 1024 on"
	}
	if errors.As(err, new(*web.LocalhostError)) {
		reason = "on [::1], where browsers look for localhost first, " + reason
	}
	return fmt.Errorf("cannot listen on %s %s: %s%s", flag, addr, reason, otherwise)
}

// check refuses limits that would refuse everybody.
func (c *relayCmd) check() error {
	for _, limit := range []struct {
		flag  string
		value float64
	}{
		{"max-rooms", float64(c.MaxRooms)}, {"max-members", float64(c.MaxMembers)},
		{"max-sessions", float64(c.MaxSessions)}, {"max-per-address", float64(c.MaxPerAddress)},
		{"max-handshakes", float64(c.MaxHandshakes)}, {"hello-rate", c.HelloRate},
		{"control-rate", c.ControlRate}, {"media-rate", float64(c.MediaRate)},
		{"member-rate", float64(c.MemberRate)}, {"room-rate", float64(c.RoomRate)},
	} {
		if !(limit.value > 0) {
			return usagef("--%s must be more than 0", limit.flag)
		}
	}
	if c.MaxMessage < 4096 || c.MaxMessage > 65536 {
		return usagef("--max-message must be 4096 to 65536")
	}
	if c.MaxMembersPerAddress < 0 || c.SendRate < 0 {
		return usagef("--max-members-per-address and --send-rate must be 0 or more")
	}
	if c.Sockets < 0 || c.Sockets > 64 {
		return usagef("--sockets must be 0 to 64")
	}
	if c.http() == "" && (c.Domain != "" || c.TLSCert != "" || c.TLSKey != "" || len(c.WebOrigin) > 0) {
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
