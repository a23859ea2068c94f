package room

import (
	"net/netip"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Origin is where a member comes from, as far as it could not make that up: what there is a fixed number of in a room is
// shared out by that (internal/share). The zero Origin is that of local members of whom nothing is known.
type Origin struct {
	Home   wire.RelayID // which relay the member is attached to; zero: this one
	Wide   Group        // a part of the network, or a peer
	Narrow Group        // one address of it, or what is behind the peer
}

// Group is whom members have in common.
type Group struct {
	Block netip.Prefix // of local members
	Relay wire.RelayID // of remote ones
}

// FromAddress is the Origin of a local member: one address, in a block that one customer may have.
func FromAddress(block, address netip.Prefix) Origin {
	return Origin{Wide: Group{Block: block}, Narrow: Group{Block: address}}
}

// FromPeer is the Origin of a member of another relay, which comes by a link with a peer: by which neighbour it comes to the
// peer is the peer's word, and so shares out what the peer has and no more. Its home may be made up. via is zero if the
// peer is its home.
func FromPeer(home, peer, via wire.RelayID) Origin {
	return Origin{Home: home, Wide: Group{Relay: peer}, Narrow: Group{Relay: via}}
}

// remote reports whether the member is attached to another relay.
func (o Origin) remote() bool { return o.Home != (wire.RelayID{}) }

// Holder is a step of the path of who holds something (package share): local members or remote ones, then a Group, then
// another, then a member.
type Holder struct {
	remote bool
	group  Group
	member wire.MemberID
}

// holders is how long such a path is.
const holders = 4

// path returns the steps for a member.
func (m *Member) path() [holders]Holder {
	from := m.origin.Load()
	return [holders]Holder{{remote: m.remote()}, {group: from.Wide}, {group: from.Narrow}, {member: m.ID}}
}
