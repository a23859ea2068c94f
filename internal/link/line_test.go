package link

import (
	"errors"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestLine opens a line, which joins nothing, and asks for another record when the relay was restarted.
func TestLine(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 50 * time.Millisecond}, Config{}, func(l *lab) {
		asked := 0
		p := l.person()
		p.config.Line = func(relay identity.PublicKey) (*wire.Available, error) {
			if relay != l.key.Public() {
				l.t.Errorf("a line of the relay %v", relay)
			}
			asked++
			record := wire.SignReach(p.id, wire.Reach{HomeRelay: relay, Sequence: uint64(asked)})
			return &wire.Available{Record: record}, nil
		}
		if err := p.join(time.Minute); err != nil {
			l.t.Fatal(err)
		}
		said := p.client.Handshake()
		if said.Join != nil || said.Joined != nil || said.Relay != l.key.Public() {
			l.t.Errorf("the handshake of a line is %+v", said)
		}
		if n := len(l.sfu.sessions()); n != 0 {
			l.t.Errorf("%d members", n)
		}
		l.killRelay()
		l.startRelay(Config{})
		l.eventually("attached again", 30*time.Second, func() bool { return len(p.ears.attachments()) == 2 })
		if a := p.ears.attachments(); !a[1].fresh {
			l.t.Errorf("attached %v", a)
		}
		records := l.sfu.records()
		if len(records) == 0 {
			l.t.Fatal("the new relay was given no record")
		}
		if r, err := wire.ParseReach(records[0]); err != nil || r.Sequence < 2 {
			l.t.Errorf("the new relay was given %+v, %v", r, err)
		}
	})
}

// TestLineRefused has a relay refuse the record, and a client have none.
func TestLineRefused(t *testing.T) {
	inLab(t, simnet.Profile{Delay: 50 * time.Millisecond}, Config{}, func(l *lab) {
		p := l.person()
		p.config.Line = func(identity.PublicKey) (*wire.Available, error) { return new(wire.Available), nil }
		l.sfu.refuse.Store(&wire.Refused{Code: wire.CodeRecord})
		if err := p.join(time.Minute); refusedCode(err) != wire.CodeRecord {
			l.t.Errorf("refused with %v", err)
		}
		none := errors.New("none")
		p.config.Line = func(identity.PublicKey) (*wire.Available, error) { return nil, none }
		if err := p.join(time.Minute); !errors.Is(err, none) {
			l.t.Errorf("without a record: %v", err)
		}
	})
}
