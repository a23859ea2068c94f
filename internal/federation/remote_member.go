package federation

import (
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// remoteMember is a member of another relay as a room.Receiver: what is sent to it goes towards its home.
type remoteMember struct {
	federation *Federation
	room       *bridged
	home       wire.RelayID
	id         wire.MemberID
}

var _ room.Receiver = (*remoteMember)(nil)

// SendMedia implements room.Receiver: media goes by trunks, once for all members behind them.
func (r *remoteMember) SendMedia(*link.Tx, uint16, []byte, []byte) {}

// SetAliasKnown implements room.Receiver: aliases of a room are for its local members.
func (r *remoteMember) SetAliasKnown(uint16, bool) {}

// ReceivedWithin implements room.Receiver. Whether a member far away is there, its home says by the list.
func (r *remoteMember) ReceivedWithin(time.Duration) bool { return true }

// SendUrgent implements room.Receiver.
func (r *remoteMember) SendUrgent(kind wire.UrgentKind, body []byte) error {
	return r.federation.route(&wire.FederationMessage{
		Hops: wire.MaxHops, Room: wire.HashRoom(r.room.name), To: r.id, Kind: kind, Body: body,
	}, r.home, nil)
}

// SendUrgentThen implements room.Receiver; done is not called, for that the next relay has it says nothing.
func (r *remoteMember) SendUrgentThen(kind wire.UrgentKind, body []byte, _ func(bool)) error {
	return r.SendUrgent(kind, body)
}
