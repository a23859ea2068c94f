package wzp

import (
	"encoding/hex"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/call"
)

// Room is one stay of a client in one room.
type Room struct{ engine *call.Room }

// Name returns the room's name.
func (r *Room) Name() string { return r.engine.Name() }

// ID returns this client's own member id.
func (r *Room) ID() MemberID { return MemberID(r.engine.ID()) }

// Members returns who else is in the room, as far as the relay has told, in the order of their ids.
func (r *Room) Members() []Member {
	var list []Member
	for _, m := range r.engine.Members() {
		list = append(list, member(m))
	}
	return list
}

// SafetyNumber returns the newest one, "" before the first: see the event.
func (r *Room) SafetyNumber() string { return r.engine.SafetyNumber() }

// Leave ends what is published, tells the relay, and waits for the room to end. It may be called again.
func (r *Room) Leave() error { return r.engine.Leave() }

// Done is closed when the room is over: left, or ended by the relay.
func (r *Room) Done() <-chan struct{} { return r.engine.Done() }

// MemberID names one stay of somebody in a room, on all relays.
type MemberID [6]byte

// String returns the id as twelve hexadecimal digits.
func (id MemberID) String() string { return hex.EncodeToString(id[:]) }

// Member is somebody in the room.
type Member struct {
	ID       MemberID
	Name     string             // as it calls itself; may be empty, or another's
	Identity identity.PublicKey // zero while the relay has not told of the member
	// Outside: it lacks the room's invite secret, or we do. It gets no keys, and is not heard.
	Outside bool
	// Relay is the member's, as our relay calls it, which nobody proves, or else its id (half of its
	// fingerprint); empty if it is our own.
	Relay string
}

func member(m call.Member) Member {
	return Member{ID: MemberID(m.ID), Name: m.Name, Identity: m.Identity, Outside: m.Outside, Relay: m.Relay}
}

// Stats are a room's totals. Bytes include the headers of IP (20) and UDP (8).
type Stats struct {
	PacketsSent       uint64 // with media
	PayloadBytesSent  uint64 // of the codec
	WireBytesSent     uint64 // of the whole client
	WireBytesReceived uint64 // likewise
	Forged            uint64 // frames that did not decrypt, whoever they claimed to be from
	Unheard           uint64 // frames that were not played, because more than 64 streams sounded at once
	KeysDropped       uint64 // key messages that came faster than they could be checked
	EventsDropped     uint64 // events that nobody read in time
}

// Stats returns the totals so far.
func (r *Room) Stats() Stats { return Stats(r.engine.Stats()) }

// Quality describes the path to the relay, for what we send.
type Quality struct {
	RTT      time.Duration // round trip, smoothed as in RFC 6298; 0: not measured yet
	Jitter   time.Duration // interarrival jitter, RFC 3550, section 6.4.1
	Loss     float64       // share of packets lost, smoothed over some seconds
	Residual uint64        // packets lost for good, since the session began
	Bursts   [6]uint64     // bursts of loss: of 1, 2, 3-4, 5-8, 9-16, 17 or more packets
}

// Uplink returns what the relay reports of the packets that we send.
func (r *Room) Uplink() Quality { return Quality(r.engine.Uplink()) }
