package federation

import (
	"testing"

	"github.com/wzp-voice/wzp/internal/wire"
)

// What a peer sends for a member may hold anything: that nobody speaks in it is an error, and no more.
func TestUnreadableMessages(t *testing.T) {
	for _, kind := range []wire.UrgentKind{wire.UrgentKey, wire.UrgentKeyReceived, wire.UrgentKeysWanted} {
		for n := range 9 {
			if by, err := speakers(&wire.FederationMessage{Kind: kind,
				Body: make([]byte, n)}); err == nil && n != 6 {
				t.Errorf("%v of %d bytes: spoken by %v", kind, n, by)
			}
		}
	}
}
