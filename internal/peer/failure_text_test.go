package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

func TestInWords(t *testing.T) {
	alert := &quic.TransportError{Remote: true, ErrorCode: 0x100 + 120,
		ErrorMessage: "tls: no application protocol"}
	for want, err := range map[string]error{
		wordsSilent: fmt.Errorf("the relay does not answer: %w", context.DeadlineExceeded),
		wordsUnwelcome: &link.FinalError{Err: fmt.Errorf("%w (%w)", link.ErrPeerRefused,
			alert)},
		wordsForeign: fmt.Errorf("the relay does not answer: %w", alert),
		wordsCut:     &quic.ApplicationError{Remote: true, ErrorCode: 1},
		"lookup north: no such host": &link.FinalError{Err: &net.DNSError{Name: "north",
			Err: "no such host", IsNotFound: true}},
		(&wire.Refused{Code: wire.CodeRate, Reason: "too fast"}).Error(): &wire.Refused{Code: wire.CodeRate,
			Reason: "too fast"},
		"something else": errors.New("something else"),
	} {
		if got := inWords(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
		if clientVerdict(err).why == err.Error() && want != err.Error() {
			t.Errorf("the end of a link with %v is not said in words", err)
		}
	}
	for _, err := range []error{&quic.IdleTimeoutError{}, &quic.HandshakeTimeoutError{}} {
		if got := inWords(err); got != wordsSilent {
			t.Errorf("%v is %q", err, got)
		}
	}
}

// TestRefusedInWords is refused: warnings have no codes of TLS in them, which are there for who looks closer.
func TestRefusedInWords(t *testing.T) {
	inLinkLab(t, func(l *linkLab) {
		a, b := l.relay(1), l.relay(2)
		b.up()
		a.knows(b).up()
		time.Sleep(time.Minute)
		for _, line := range a.logged.lines("CRYPTO_ERROR") {
			if !strings.Contains(line, "level=DEBUG") {
				t.Errorf("the log says %q", line)
			}
		}
		if len(a.logged.lines("CRYPTO_ERROR")) == 0 || len(a.logged.lines(`err="`+wordsUnwelcome+`"`)) == 0 {
			t.Errorf("%q", a.logged.lines(""))
		}
		if got := a.links.Status()[0].Problem; !strings.HasSuffix(got, wordsUnwelcome) {
			t.Errorf("the problem is %q", got)
		}
	})
}
