package eventlog

import (
	"crypto/sha256"
	"encoding/hex"
)

// Kind says what happened. Readers take kinds that they do not know.
type Kind string

// What a program says about itself and its log.
const (
	Start   Kind = "start"   // who writes: the first line of each file
	Stop    Kind = "stop"    // it ends here, and the log is whole
	Dropped Kind = "dropped" // Count events are missing here, for they came faster than they could be written
)

// What becomes of packets with media, at a client.
const (
	MediaOut Kind = "media_out" // it was sent
	MediaIn  Kind = "media_in"  // it came: to a relay from a member of its own, to a client and it decrypts
)

// What becomes of packets with media, at a relay. A packet makes one line of each kind that is true of it.
const (
	Forward                    Kind = "forward"                      // it goes on to ToCount members, links
	LocalDeliver               Kind = "local_deliver"                // ToCount members here were sent it
	LocalDeliverError          Kind = "local_deliver_error"          // a member was not sent it
	FederationEgress           Kind = "federation_egress"            // it was sent over the link to Peer
	FederationIngress          Kind = "federation_ingress"           // it came from Peer; it may be dropped
	FederationIngressMalformed Kind = "federation_ingress_malformed" // no packet, though it came from Peer
	DedupDrop                  Kind = "dedup_drop"                   // it came before
	RoomNotFound               Kind = "room_not_found"               // it is of a room that is not here
	RateLimitDrop              Kind = "rate_limit_drop"              // too much came: Peer, room or Src
	QueueDrop                  Kind = "queue_drop"                   // the link to Peer did not take it
)

// Who is there.
const (
	Joined       Kind = "joined"        // a client is in the room
	MemberJoined Kind = "member_joined" // Src is in the room, too
	MemberLeft   Kind = "member_left"   // Src is not any more
	RoomActive   Kind = "room_active"   // the room has members here
	RoomInactive Kind = "room_inactive" // it has none any more
	PeerUp       Kind = "peer_up"       // the link to Peer is up
	PeerDown     Kind = "peer_down"     // it is not any more
)

// Who looks for whom, to call them: at a relay.
const (
	RouteQuery    Kind = "route_query"    // Action: sent to Peer, or received from it, about Who
	RouteResponse Kind = "route_response" // likewise: the answer, Reason
	RouteResolved Kind = "route_resolved" // one of its own was answered where Who is: Reason
)

// Who can be called, and where: at a relay.
const (
	PresenceOn   Kind = "presence_on"   // Who takes calls here; Members do
	PresenceOff  Kind = "presence_off"  // not any more
	PresenceHome Kind = "presence_home" // who can be called at Relay is known by Peer, Hops links away
	PresenceGone Kind = "presence_gone" // it is not known any more
)

// What becomes of paths of calls, at a relay. RoomHash is half of the path's id, as in frames of its media,
// and Count the path's generation.
const (
	CallForward Kind = "call_forward" // Peer is asked to be the next relay
	CallSetUp   Kind = "call_set_up"  // the path goes on to Peer, or to a client here, by Hops relays
	CallRefused Kind = "call_refused" // Peer, or a client here, was refused
	CallEnd     Kind = "call_end"     // the path is over here
)

// Values of Reason that [Analysis] knows.
const (
	ReasonRotated = "rotated" // of a Start: the log goes on from the file before
	ReasonReplay  = "replay"  // of a client's MediaIn: it came before, or much too late, and is not played
	ReasonOutside = "outside" // of a MemberJoined: it does not have the invite secret, or we do not
)

// PeerID is a relay's id: the first 8 bytes of its fingerprint, written as "9983:c2ce:87f9:61b7".
type PeerID = [8]byte

// MemberID is a member's id in its room, written as twelve hexadecimal digits.
type MemberID = [6]byte

// Event is one line. What is zero is left out, but for stream, epoch and seq where a packet is known.
type Event struct {
	Time int64 // microseconds since 1970, UTC; 0: Log takes the present
	Kind Kind

	Room     string  // its name, if that is known
	RoomHash [8]byte // else SHA-256(name)[:8]

	Src    MemberID // whom it is about: the talker; at Start and Joined the client itself; zero: nobody
	Stream uint8    // of the talker
	Epoch  uint8    // of its key
	Seq    uint64   // CTR

	Len     int    // of the ciphertext, bytes
	ToCount int    // members, or members and links
	Peer    PeerID // relay at the other end of the link
	Reason  string // why, in a word or a short sentence; at most 256 bytes are written
	Action  string // what was done about it
	Members int    // in the room, or of the peer, afterwards

	Relay PeerID // at Start: the relay that writes, or the client's; at PresenceHome: which relay is meant
	Name  string // at Start: of who writes, for people; at MemberJoined and MemberLeft the member's
	Count uint64 // at Dropped: events

	Who  [4]byte // who is looked for: half of a hash, see wire.PresenceHash; zero: nobody
	Hops int     // relays that a query came by, or on the way to Who; links at RouteResolved and PresenceHome
}

// packet reports whether events of the kind are about one packet with media, if they name a talker.
func (k Kind) packet() bool {
	switch k {
	case MediaOut, MediaIn, Forward, LocalDeliver, LocalDeliverError, FederationEgress, FederationIngress,
		FederationIngressMalformed, DedupDrop, RoomNotFound, RateLimitDrop, QueueDrop:
		return true
	}
	return false
}

// dropKinds are those of events that say that something was not forwarded.
var dropKinds = []Kind{
	DedupDrop, RateLimitDrop, QueueDrop, RoomNotFound, LocalDeliverError, FederationIngressMalformed,
}

// HashRoom is what stands for a room of that name.
func HashRoom(name string) [8]byte {
	sum := sha256.Sum256([]byte(name))
	return [8]byte(sum[:8])
}

// appendPeer appends a relay's id in groups, as fingerprints are shown.
func appendPeer(dst []byte, p PeerID) []byte {
	for i := 0; i < len(p); i += 2 {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = hex.AppendEncode(dst, p[i:i+2])
	}
	return dst
}
