package names

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// hostProfile maps international names as browsers do (UTS 46, not transitional). Underscores, which no
// registry takes but many a local network has, stay.
var hostProfile = idna.New(
	idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false), idna.Transitional(false))

// Host gives every spelling of a host one form, which DNS and certificates know: IP addresses as RFC 5952
// has them (an IPv6 zone stays), names in lower case, and in their ASCII form (xn--) if they have letters of
// other scripts. A final dot, which makes a name absolute, stays, too. Otherwise the error says what is
// wrong.
//
// It is the one rule for hosts: docs/protocol.md, section 5.2.
func Host(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if zone := ip.Zone(); zone != "" && !isName(zone) {
			return "", errors.New("has no zone that an interface could have")
		}
		return ip.Unmap().String(), nil
	}
	ascii := strings.ToLower(host)
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		var err error
		if ascii, err = hostProfile.ToASCII(host); err != nil {
			return "", fmt.Errorf("is no international name: %s", strings.TrimPrefix(err.Error(), "idna: "))
		}
	}
	name := strings.TrimSuffix(ascii, ".")
	if name == "" {
		return "", errors.New("is empty")
	}
	if !isName(name) {
		return "", errors.New(
			"is no IP address, and no name of letters, digits, dots, hyphens and underscores")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", errors.New("has a part between dots that is empty or longer than 63 bytes")
		}
	}
	return ascii, nil
}

// ParseAddress reads HOST:PORT; the host is in Host's form.
func ParseAddress(addr string) (host string, port uint16, err error) {
	if scheme, rest, ok := strings.Cut(addr, "://"); ok {
		return "", 0, fmt.Errorf("%q is the address of a page (%s); HOST:PORT is wanted, such as %s",
			addr, scheme, suggest(rest))
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, noPort(addr)
	}
	n, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("the port of %q is not a number from 1 to 65535", addr)
	}
	if host, err = Host(host); err != nil {
		return "", 0, fmt.Errorf("the host of %q %w", addr, err)
	}
	return host, uint16(n), nil
}

// noPort says why addr is not HOST:PORT; mostly it has no port.
func noPort(addr string) error {
	if _, err := Host(strings.Trim(addr, "[]")); err != nil {
		return fmt.Errorf("%q is not HOST:PORT", addr)
	}
	return fmt.Errorf("%q has no port; HOST:PORT is wanted, such as %s", addr, suggest(addr))
}

// suggest is what an address without a relay's port is likely to mean: the port that relays have by
// themselves.
func suggest(addr string) string {
	host, _, _ := strings.Cut(addr, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "4433")
}

// isName reports whether s has 1-253 of the characters of host names.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(".-_", c) >= 0) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 253
}
