package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/drops"
)

const (
	// how often the certificate's files are read, while somebody connects
	certCheckEvery = 5 * time.Second
	certWarnEvery  = 24 * time.Hour // how often it is logged that browsers refuse the certificate
	acmeTimeout    = time.Minute    // of one request to the certificate authority
	// by how much the wall clock is set, or the machine slept, until renewals are planned anew
	acmeClockSet = time.Hour
)

// certificateDesk has the certificates of the https port: those of two files, or those that it obtains by
// ACME for one domain. A nil one is that of a relay without TLS.
type certificateDesk struct {
	log    *slog.Logger
	files  *certificateFiles // nil: ACME
	domain string            // of ACME; ASCII
	fresh  func() *autocert.Manager
	clock  func() (wall time.Time, up time.Duration)
	cut    context.CancelFunc // ends what is under way with the certificate authority

	reported *rate.Limiter // that there is no certificate

	mu     sync.Mutex // guards what follows
	acme   *autocert.Manager
	made   time.Time     // when acme was, by the wall clock
	madeUp time.Duration // and by the one that nobody sets
	plain  bool          // http-01 is answered on port 80
}

// newCertificateDesk checks what of Config is about TLS. It returns nil if nothing is.
func newCertificateDesk(config Config) (*certificateDesk, error) {
	start := time.Now()
	d := &certificateDesk{log: config.Log, cut: func() {}, reported: everyMinute(),
		clock: func() (time.Time, time.Duration) { return time.Now().Round(0), time.Since(start) }}
	switch {
	case config.TLSCert == "" && config.TLSKey == "" && config.Domain == "":
		return nil, nil
	case config.Domain != "" && config.TLSCert+config.TLSKey != "":
		return nil, ConfigError("give --domain, which obtains a certificate, or --tls-cert and --tls-key, " +
			"which have one, not both")
	case config.Domain != "":
		return d, d.useACME(config)
	case config.TLSCert == "" || config.TLSKey == "":
		return nil, ConfigError("--tls-cert and --tls-key go together: give both")
	}
	d.files = &certificateFiles{log: config.Log, cert: config.TLSCert, key: config.TLSKey}
	return d, d.files.load()
}

// useACME prepares for certificates of one domain. Nothing is asked for yet.
func (d *certificateDesk) useACME(config Config) error {
	name, err := idna.Lookup.ToASCII(config.Domain)
	_, noIP := netip.ParseAddr(config.Domain)
	if err != nil || noIP == nil || !strings.Contains(strings.Trim(name, "."), ".") {
		return ConfigError(fmt.Sprintf("--domain is the public name of this relay, such as "+
			"voice.example.org, not %q", config.Domain))
	}
	if config.ACMECache == "" {
		return ConfigError("no place for certificates: Config.ACMECache is missing")
	}
	d.domain = name
	ctx, cut := context.WithCancel(context.Background())
	d.cut = cut
	d.fresh = func() *autocert.Manager {
		return &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(config.ACMECache),
			HostPolicy: autocert.HostWhitelist(name),
			Client: &acme.Client{DirectoryURL: autocert.DefaultACMEDirectory, UserAgent: "wzp",
				HTTPClient: &http.Client{Timeout: acmeTimeout, Transport: cutTransport{ctx}}},
		}
	}
	d.manager()
	return nil
}

// manager returns the manager of ACME's certificates. It plans renewals with timers, which know nothing of a
// wall clock that is set, or of a machine that sleeps: then another one takes over, which begins with the
// certificates that there are.
func (d *certificateDesk) manager() *autocert.Manager {
	wall, up := d.clock()
	d.mu.Lock()
	defer d.mu.Unlock()
	set := wall.Sub(d.made) - (up - d.madeUp)
	if d.acme == nil || set.Abs() >= acmeClockSet {
		d.acme, d.made, d.madeUp = d.fresh(), wall, up
		if d.plain {
			d.acme.HTTPHandler(nil) // so that it tries http-01
		}
	}
	return d.acme
}

// cutTransport ends every request when its context is done, whatever the request's own: autocert has no end.
type cutTransport struct{ ctx context.Context }

// RoundTrip implements http.RoundTripper.
func (t cutTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(t.ctx, cancel)
	answer, err := http.DefaultTransport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	answer.Body = &cutBody{answer.Body, func() { stop(); cancel() }}
	return answer, nil
}

// cutBody frees what ends a request when its answer is closed.
type cutBody struct {
	io.ReadCloser
	done func()
}

// Close implements io.Closer.
func (b *cutBody) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// config is the server's, which takes every certificate from the desk.
func (d *certificateDesk) config() *tls.Config {
	if d.files != nil {
		return tlsConfig(d.files.get)
	}
	c := tlsConfig(d.fromACME)
	c.NextProtos = append(c.NextProtos, acme.ALPNProto)
	return c
}

// fromACME is autocert's GetCertificate, whose errors the operator has to see.
func (d *certificateDesk) fromACME(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, err := d.manager().GetCertificate(hello)
	if err != nil && !errors.Is(err,
		context.Canceled) && strings.EqualFold(strings.TrimSuffix(hello.ServerName, "."), d.domain) {
		d.report(err)
	}
	return cert, err
}

func (d *certificateDesk) report(err error) {
	if d.reported.Allow() {
		d.log.Warn("no certificate for --domain: does its name lead to this machine, and can port 80 or 443 "+
			"be reached from the internet?", "domain", d.domain, "err", err)
	}
}

// obtain asks for the domain's certificate ahead of the first visitor, and shows errors at the start.
func (d *certificateDesk) obtain() {
	if d.fresh == nil {
		return
	}
	_, err := d.fromACME(&tls.ClientHelloInfo{
		ServerName:       d.domain,
		SupportedCurves:  []tls.CurveID{tls.CurveP256},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
	if err == nil {
		d.log.Info("certificate is there", "domain", d.domain)
	}
}

// challenges answers http-01, and sends everybody else to the https address.
func (d *certificateDesk) challenges(url string) http.Handler {
	d.mu.Lock()
	d.plain = true
	d.acme.HTTPHandler(nil)
	d.mu.Unlock()
	redirect := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "use https", http.StatusBadRequest)
			return
		}
		// The target's path is the request's; scheme, host and slash are those of the configuration.
		target := strings.TrimSuffix(url, "/") + "/" + strings.TrimLeft(r.URL.EscapedPath(), "/")
		http.Redirect(w, r, target, http.StatusMovedPermanently) //nolint:gosec // G710: see above
	})
	return http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		d.manager().HTTPHandler(redirect).ServeHTTP(w, r)
	})
}

// name is what the first certificate is for; empty if that is no single name.
func (d *certificateDesk) name() string {
	switch {
	case d == nil:
		return ""
	case d.files == nil:
		return d.domain
	}
	leaf := d.files.leaf()
	for _, name := range leaf.DNSNames {
		if !strings.Contains(name, "*") {
			return name
		}
	}
	if len(leaf.IPAddresses) > 0 {
		return leaf.IPAddresses[0].String()
	}
	return ""
}

// covers reports whether a host name or IP address is one of the certificate's.
func (d *certificateDesk) covers(host string) bool {
	switch {
	case d == nil:
		return false
	case d.files == nil:
		return strings.EqualFold(host, d.domain)
	}
	return d.files.leaf().VerifyHostname(host) == nil
}

func (d *certificateDesk) close() {
	if d != nil {
		d.cut()
	}
}

// certificateFiles is the certificate of two files, read again when they change.
type certificateFiles struct {
	log       *slog.Logger
	cert, key string // paths

	mu      sync.Mutex // guards what follows, not the files
	current *tls.Certificate
	read    time.Time // when the files were, last
	said    drops.Seldom[string]
}

// get implements tls.Config.GetCertificate.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := time.Now()
	f.mu.Lock()
	due := now.Sub(f.read) >= certCheckEvery
	if due {
		f.read = now // the others go on with what there is
	}
	f.mu.Unlock()
	if due {
		if err := f.load(); err != nil && f.isNews(err.Error(), now) {
			f.log.Warn("the new certificate cannot be used; the old one still is", "err", err)
		}
		f.review(now)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current, nil
}

// review logs what browsers have against the certificate.
func (f *certificateFiles) review(now time.Time) {
	leaf := f.leaf()
	if problem := certificateProblem(leaf, now); problem != "" && f.isNews(problem, now) {
		f.log.Warn("browsers refuse the certificate", "why", problem, "file", f.cert, "from", leaf.NotBefore,
			"until", leaf.NotAfter)
	}
}

// isNews reports whether what is wrong shall be logged: each thing at once, then every day, or with another
// certificate.
func (f *certificateFiles) isNews(problem string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	news, _ := f.said.Note(problem, now)
	return news
}

// certificateProblem says why browsers refuse a certificate, whatever its issuer; "" if they need not.
func certificateProblem(leaf *x509.Certificate, now time.Time) string {
	now = now.Round(0) // the wall clock's
	switch {
	case now.After(leaf.NotAfter):
		return "it has expired"
	case now.Before(leaf.NotBefore):
		return "it is not valid yet, or the clock of this machine is wrong"
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return "it names no host (subject alternative names); the common name does not count"
	}
	return ""
}

// load reads the files. An error changes nothing.
func (f *certificateFiles) load() error {
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return fmt.Errorf("cannot read --tls-cert or --tls-key %s: %w", path.Path, path.Err)
	} else if err != nil {
		const wrong = "--tls-cert %s and --tls-key %s: %s: give a PEM certificate with its chain, and its key"
		return fmt.Errorf(wrong, f.cert, f.key, strings.TrimPrefix(err.Error(), "tls: "))
	}
	f.mu.Lock()
	same := f.current != nil && f.current.Leaf.Equal(cert.Leaf)
	if f.current = &cert; !same {
		f.said = drops.Seldom[string]{Every: certWarnEvery, Most: 16}
	}
	f.mu.Unlock()
	if !same {
		f.log.Info("certificate loaded", "file", f.cert, "names", cert.Leaf.DNSNames,
			"until", cert.Leaf.NotAfter)
		f.review(time.Now())
	}
	return nil
}

func (f *certificateFiles) leaf() *x509.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current.Leaf
}
