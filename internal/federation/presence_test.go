package federation

import (
	"net/netip"
	"testing"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// Of each session the newest is kept, and of one that came and went nothing.
func TestSessionNews(t *testing.T) {
	f := &Federation{wake: make(chan struct{}, 1)}
	f.Connect(1, identity.PublicKey{1})
	for i := range uint64(1000) {
		f.Available(1, netip.Addr{}, &wire.Reach{Sequence: i}, []byte{byte(i)})
	}
	f.Connect(2, identity.PublicKey{2})
	f.Unavailable(2)
	f.Disconnect(2)
	f.Disconnect(3) // which run knows
	news := f.sessions.drain()
	if len(news) != 2 || *news[1].connected != (identity.PublicKey{1}) || news[1].reach.Sequence != 999 ||
		news[1].over || !news[3].over {
		t.Errorf("%+v", news)
	}
	f.Unavailable(1)
	if news := f.sessions.drain(); len(news) != 1 || !news[1].says || news[1].reach != nil ||
		news[1].connected != nil {
		t.Errorf("%+v", news)
	}
}
