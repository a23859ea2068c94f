package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet/simtest"
)

// TestWebCertificates walks through two months: what browsers are shown is valid, was listed a day before,
// and stays listed for as long as pages may know nothing else.
func TestWebCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ep := &Endpoint{web: &webServer{}}
		start := time.Now()
		listed := make(map[[32]byte]time.Time) // first
		shown := make(map[[32]byte]bool)
		for time.Since(start) < 60*day {
			list := ep.WebCertificates()
			if len(list) < 1 || len(list) > webCertificatesKept {
				t.Fatalf("%d certificates", len(list))
			}
			for _, c := range list {
				if _, ok := listed[c.Hash]; !ok {
					listed[c.Hash] = time.Now()
				}
			}
			cert, err := ep.web.certificates.show(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			hash := sha256.Sum256(cert.Certificate[0])
			shown[hash] = true
			since, ok := listed[hash]
			if !ok || len(shown) > 1 && time.Since(since) < day {
				t.Errorf("after %v: shown, listed for %v", time.Since(start), time.Since(since))
			}
			checkWebCertificate(t, cert.Certificate[0])
			time.Sleep(5 * time.Hour)
		}
		if len(shown) < 9 || len(shown) > 11 {
			t.Errorf("%d certificates in 60 days", len(shown))
		}
	})
}

func checkWebCertificate(t *testing.T, der []byte) {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || c.NotAfter.Sub(c.NotBefore) > 14*day ||
		!now.After(c.NotBefore) || now.Add(day).After(c.NotAfter) {
		t.Errorf("%T, valid from %v to %v at %v", c.PublicKey, c.NotBefore, c.NotAfter, now)
	}
}

// TestWebCertificatesAfterARest has a relay that nobody asked for long.
func TestWebCertificatesAfterARest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c webCertificates
		for _, rest := range []time.Duration{0, 7 * day, 14 * day, 12*day + 22*time.Hour + 30*time.Minute} {
			time.Sleep(rest)
			cert, err := c.show(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if leaf, err := x509.ParseCertificate(cert.Certificate[0]); err != nil ||
				time.Until(leaf.NotAfter) < webClockSkew {
				t.Errorf("after %v: ends in %v, %v", rest, time.Until(leaf.NotAfter), err)
			}
		}
	})
}

// TestWebCertificatesAfterTheClockIsSet has a relay that starts with a wrong clock, and one whose clock is
// set while it runs: what browsers see then is valid by the clock of now, at once. The process's own time
// goes on meanwhile, which is all that Go looks at when two times have a monotonic reading.
func TestWebCertificatesAfterTheClockIsSet(t *testing.T) {
	start := time.Now() // not of synctest, whose times have no monotonic reading
	for _, wrong := range []time.Duration{2 * day, -2 * day, 40 * day, -40 * day, 20000 * day, -20000 * day,
		3 * time.Hour, -14 * day, 50 * time.Minute} {
		var c webCertificates
		if _, err := c.show(simtest.WrongClock(t, start, wrong)); err != nil {
			t.Fatal(err)
		}
		// Half a minute later the clock is set.
		for _, passed := range []time.Duration{30 * time.Second, 5 * time.Hour, 10 * time.Hour} {
			now := start.Add(passed)
			list, err := c.at(now)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				checkValid(t, wrong, m.tls.Certificate[0], now, time.Minute)
			}
			shown, err := c.show(now)
			if err != nil {
				t.Fatal(err)
			}
			checkValid(t, wrong, shown.Certificate[0], now, webClockSkew/2-time.Minute)
		}
	}
}

// checkValid wants a certificate to be valid at now, with some time to spare on both sides.
func checkValid(t *testing.T, wrong time.Duration, der []byte, now time.Time, spare time.Duration) {
	t.Helper()
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if now.Add(-spare).Before(leaf.NotBefore) || now.Add(spare).After(leaf.NotAfter) {
		t.Errorf("a clock that was wrong by %v: valid from %v to %v, and it is %v", wrong, leaf.NotBefore,
			leaf.NotAfter, now)
	}
}
