package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"time"
)

// Browsers take a certificate that no authority signed if they were told its hash, it has an ECDSA key, and
// it is valid for at most 14 days (W3C WebTransport, section 3.3, custom certificate requirements).
const (
	day                 = 24 * time.Hour
	webCertificateValid = 13 * day         // from an hour before it is made: clocks differ
	webCertificateEvery = 6 * day          // a new one is made
	webCertificateShown = day              // and listed for so long before it is shown, for pages to know it
	webCertificatesKept = 2                // one that was made, and the one before it
	webClockSkew        = time.Hour        // of browsers
	webClockBack        = webClockSkew / 2 // the clock may go back so far before browsers refuse what it made
)

// WebCertificate is a certificate that browsers may be shown.
type WebCertificate struct {
	Hash     [32]byte // SHA-256 of its DER encoding
	NotAfter time.Time

	made time.Time // by the wall clock
	tls  *tls.Certificate
}

// webCertificates makes the certificates that browsers see, in memory, when they are asked for:
//
//	made ── a day ──> shown ── 6 days ──> listed only ── 5 days ──> forgotten
//
// The first one is shown at once. They follow the wall clock, as browsers do: when it is set, what it made
// before that may not be valid yet, or not any more, and another one is made and shown at once. So all times
// here are without their monotonic reading, by which Go would compare them else: that knows nothing of a
// clock that is set.
type webCertificates struct {
	mu   sync.Mutex       // guards list
	list []WebCertificate // newest first, at most webCertificatesKept; never changed, only replaced
}

// usable reports whether browsers whose clock is about right take the certificate.
func (m *WebCertificate) usable(now time.Time) bool {
	return !now.Before(m.made.Add(-webClockBack)) && m.NotAfter.After(now)
}

// at returns those of now, newest first, and makes one if the newest is old, or of no use after the clock was
// set.
func (c *webCertificates) at(now time.Time) ([]WebCertificate, error) {
	now = now.Round(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) == 0 || now.Sub(c.list[0].made) >= webCertificateEvery || !c.list[0].usable(now) {
		fresh, err := makeWebCertificate(now)
		if err != nil {
			return nil, err
		}
		list := []WebCertificate{fresh}
		for _, old := range c.list {
			if len(list) < webCertificatesKept && old.usable(now) {
				list = append(list, old)
			}
		}
		c.list = list
	}
	return c.list, nil
}

// show returns the one that a connection is to see.
func (c *webCertificates) show(now time.Time) (*tls.Certificate, error) {
	list, err := c.at(now)
	if err != nil {
		return nil, err
	}
	shown, now := list[0], now.Round(0)
	if len(list) > 1 && now.Sub(shown.made) < webCertificateShown &&
		list[1].NotAfter.After(now.Add(webClockSkew)) {
		shown = list[1]
	}
	return shown.tls, nil
}

// makeWebCertificate returns a self-signed certificate of now, which has no monotonic reading. Browsers look
// at its hash only, so the name means nothing.
func makeWebCertificate(now time.Time) (c WebCertificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return c, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "wzp"},
		DNSNames:     []string{"wzp"},
		NotBefore:    now.Add(-webClockSkew),
		NotAfter:     now.Add(webCertificateValid - webClockSkew),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return c, err
	}
	made := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return WebCertificate{Hash: sha256.Sum256(der), NotAfter: template.NotAfter, made: now, tls: made}, nil
}
