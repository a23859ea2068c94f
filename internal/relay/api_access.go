package relay

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

const (
	minToken = 16 // bytes of a token: that nobody guesses it
	maxToken = 512
)

// apiToken is what requests of the API show, unless they read from this machine. A nil one lets nobody else
// in.
type apiToken struct {
	hash [sha256.Size]byte
}

// readToken reads a token from a file: one word.
func readToken(file string) (*apiToken, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read --admin-token-file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+64))
	if err != nil {
		return nil, fmt.Errorf("cannot read --admin-token-file: %w", err)
	}
	text = bytes.TrimSpace(text)
	strange := bytes.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(text) < minToken || len(text) > maxToken || strange {
		return nil, fmt.Errorf("the token in %s is not one word of %d to %d letters, digits and the like: "+
			"make one by head -c 24 /dev/urandom | base64 >%[1]s", file, minToken, maxToken)
	}
	return newToken(string(text)), nil
}

func newToken(text string) *apiToken { return &apiToken{hash: sha256.Sum256([]byte(text))} }

// allow decides whether a request may be answered. The error is an *apiError.
func (t *apiToken) allow(r *http.Request) error {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case err == nil && from.Addr().Unmap().IsLoopback() && reads:
		return nil // localNames has seen to it that no page of elsewhere asks
	case t == nil:
		return &apiError{http.StatusForbidden, "only the relay's own machine may ask: ask there, at " +
			"127.0.0.1, or give the relay --admin-token-file FILE, and send the token as " +
			"Authorization: Bearer TOKEN"}
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if !strings.EqualFold(scheme, "bearer") || subtle.ConstantTimeCompare(hash[:], t.hash[:]) != 1 {
		return &apiError{http.StatusUnauthorized,
			"send the token of --admin-token-file as Authorization: Bearer TOKEN"}
	}
	return nil
}
