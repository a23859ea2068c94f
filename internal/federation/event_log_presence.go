package federation

import (
	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// logHome notes by which peer this relay is told who can be called at another one.
func (f *Federation) logHome(e presence.Home) {
	event := eventlog.Event{Kind: eventlog.PresenceHome, Relay: e.Home, Peer: e.By, Hops: e.Hops}
	if e.By == (wire.RelayID{}) {
		event.Kind = eventlog.PresenceGone
	}
	f.packets.Log(event)
}

// logTaking notes that somebody takes calls here, or does not any more.
func (f *Federation) logTaking(e presence.Taking) {
	event := eventlog.Event{Kind: eventlog.PresenceOff, Who: [4]byte(e.Who[:4]), Members: e.Count}
	if e.Calls {
		event.Kind = eventlog.PresenceOn
	}
	f.packets.Log(event)
}
