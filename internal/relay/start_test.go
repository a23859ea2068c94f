package relay

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/internal/udp"
)

// TestSmallBuffersAreSaid wants the operator to learn what the system gave, and what to do; and nothing where
// it gave all.
func TestSmallBuffersAreSaid(t *testing.T) {
	for _, test := range []struct {
		buffers udp.Buffers
		want    []string // nil: nothing is said
	}{
		{udp.Buffers{Asked: 4 << 20, Receive: 4 << 20, Send: 4 << 20}, nil},
		{udp.Buffers{Asked: 4 << 20, Receive: 7 << 20, Send: 4 << 20}, nil},
		{udp.Buffers{}, nil}, // not known
		{udp.Buffers{Asked: 4 << 20, Receive: 212992, Send: 4 << 20},
			[]string{"level=WARN", "asked_bytes=4194304", "receive_bytes=212992", "sysctl"}},
		{udp.Buffers{Asked: 4 << 20, Receive: 4 << 20, Send: 425984}, []string{"send_bytes=425984"}},
	} {
		var log strings.Builder
		warnAboutBuffers(slog.New(slog.NewTextHandler(&log, nil)), test.buffers)
		if test.want == nil && log.Len() > 0 {
			t.Errorf("%+v: %s", test.buffers, log.String())
		}
		for _, want := range test.want {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%+v: no %q in %q", test.buffers, want, log.String())
			}
		}
	}
}
