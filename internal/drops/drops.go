// Package drops counts what a relay does not pass on or take, by the reason. A new reason is a constant and
// its line in the table of this file; the metrics are made from that table, and docs/operations.md lists it.
//
//	udp, link, room, federation, relay ── Add ──> Counters ──> /metrics: wzp_relay_dropped_total{what, reason}
//
// Seldom bounds what the log says of it.
//
// It is pure, takes no lock and allocates nothing. Callers decide what to drop and whom to tell.
package drops

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Reason is why something was dropped. The zero value is that it was not.
type Reason uint8

// The reasons, in the order of the table.
const (
	None Reason = iota

	PacketRate
	MemberRate
	RoomRate
	SendRate
	RoomRateToPeers
	Crowd
	ListenerPath
	PeerRate
	NotBound

	BrowserQueue
	BrowserLate
	BrowserSize

	KeyUnusable
	KeyRate
	KeyNoWay

	CallRate
	CallStray

	WrongPeer
	RoomNotFound
	BadAnnouncement

	UnknownID
	BadHeader
	Replayed
	Forged
	Malformed
	QUICQueue
	NoBuffer
	SendFailed
	ProbeRate

	NoAlias
	AliasTaken
	AddressPlaces
	PeerPlaces
	PeerPlaceTaken
	Limit
	Probes
	Record
	RouteRate

	Hello
	Handshakes
	UnknownPeer
	ControlRate
	HTTPConnections
	LeaveRate
	NoFiles

	Reasons // how many there are
)

// table has the labels of each reason, and in words what it means for one frame or packet.
var table = [Reasons]struct{ what, reason, text string }{
	None: {"", "", "it was not dropped"},

	// Media frames that came and were not forwarded, or not to all.
	PacketRate: {"media", "packet_rate", "the member sends too many packets a second"},
	MemberRate: {"media", "member_rate", "the member sends too many bytes a second"},
	RoomRate: {"media", "room_rate",
		"the room has more media than is passed on, and this is above the member's share"},
	SendRate: {"media", "send_rate",
		"the relay has more packets to send than it may, and this is above the member's share"},
	RoomRateToPeers: {"media", "room_rate_to_peers",
		"the room has more media than is sent to peers, and this is above the member's share"},
	Crowd: {"media", "crowd", "the relay has too many packets to send, and the listener is one of a crowd"},
	ListenerPath: {"media", "listener_path",
		"the listener's path carries less than there is, and this is above the talker's share of it"},
	PeerRate: {"media", "peer_rate", "the peer sends more than one may"},
	NotBound: {"media", "not_bound", "its stream was never announced, or refused"},

	// Packets to browsers.
	BrowserQueue: {"browser", "queue_full", "the browser's queue is full"},
	BrowserLate:  {"browser", "late", "it waited too long for the browser"},
	BrowserSize:  {"browser", "too_large", "it does not fit the browser's datagrams"},

	// Sender keys and what is said about them.
	KeyUnusable: {"key", "unusable", "it is for nobody, old, or cannot be used"},
	KeyRate:     {"key", "rate", "the member sends or asks for too many keys"},
	KeyNoWay:    {"key", "no_way", "no peer leads to whom it is for"},

	// What is said in calls, and their media.
	CallRate:  {"call", "rate", "more is said in calls than may be, or than the receiver takes"},
	CallStray: {"call", "stray", "it is of no path of a call, or from who is no leg of it"},

	// What peers send, beside what is over their rate.
	WrongPeer:       {"peer", "wrong_peer", "it has to come by another peer"},
	RoomNotFound:    {"peer", "room_not_found", "the room is not bridged here"},
	BadAnnouncement: {"peer", "bad_announcement", "the announcement is not valid"},

	// Packets and frames that could not be taken or sent.
	UnknownID:  {"packet", "unknown_id", "no session has this id"},
	BadHeader:  {"packet", "bad_header", "its header is not valid, or it is too large"},
	Replayed:   {"packet", "replayed", "it came before, or is too late to tell"},
	Forged:     {"packet", "forged", "it does not authenticate"},
	Malformed:  {"packet", "malformed", "its frames cannot be read"},
	QUICQueue:  {"packet", "quic_queue_full", "the queue of QUIC packets is full"},
	NoBuffer:   {"packet", "no_buffer", "the system has no buffer for it"},
	SendFailed: {"packet", "send_failed", "the system refuses to send it"},
	ProbeRate:  {"packet", "probe_rate", "a relay that probes this one pings too often"},

	// Streams, members and sessions for which there was no place.
	NoAlias:        {"stream", "no_alias", "the room has no alias for the stream"},
	AliasTaken:     {"stream", "alias_taken", "the alias went to somebody with fewer"},
	AddressPlaces:  {"member", "address_places", "too many members of the room have this address"},
	PeerPlaces:     {"member", "peer_places", "the room is full of members of peers"},
	PeerPlaceTaken: {"member", "peer_place_taken", "the place went to a member that comes by another peer"},
	Limit:          {"session", "limit", "a limit on sessions, rooms or members is reached"},
	Probes:         {"session", "probes", "too many relays probe this one, or too many of its address"},
	Record:         {"session", "record", "a reach record is not valid, or they come too often"},
	RouteRate:      {"session", "route_rate", "a client asks for routes too fast"},

	// Connections.
	Hello:           {"connection", "hello", "it did not prove who it is, or comes too often"},
	Handshakes:      {"connection", "handshakes", "too many have not said who they are"},
	UnknownPeer:     {"connection", "unknown_peer", "the relay is not configured as a peer"},
	ControlRate:     {"connection", "control_rate", "it sends too many control messages"},
	HTTPConnections: {"connection", "http_connections", "there are too many TCP connections"},
	LeaveRate: {"connection", "leave_rate",
		"too many requests of pages that were closed come from its address, or in all"},
	NoFiles: {"connection", "no_files", "there is no file descriptor left"},
}

// What says what was dropped: the first label of the metric.
func (r Reason) What() string { return table[r].what }

// Label is the second.
func (r Reason) Label() string { return table[r].reason }

// String says the reason in words.
func (r Reason) String() string { return table[r].text }

// Counters are a relay's totals. The zero value is ready; all methods are safe for concurrent use.
type Counters [Reasons]struct{ number, bytes atomic.Uint64 }

// Add counts what was dropped.
func (c *Counters) Add(why Reason, n int) { c[why].number.Add(uint64(n)) }

// AddBytes counts one media frame, and what it takes on the wire with all headers.
func (c *Counters) AddBytes(why Reason, bytes int) {
	c[why].number.Add(1)
	c[why].bytes.Add(uint64(bytes))
}

// Count returns how many were dropped for some reasons.
func (c *Counters) Count(why ...Reason) (n uint64) {
	for _, r := range why {
		n += c[r].number.Load()
	}
	return n
}

// String lists the reasons for which anything was dropped.
func (c *Counters) String() string {
	var b strings.Builder
	for r := None + 1; r < Reasons; r++ {
		if n := c.Count(r); n > 0 {
			fmt.Fprintf(&b, "%s %s: %d; ", r.What(), r.Label(), n)
		}
	}
	return b.String()
}

// Bytes returns how many bytes those had that AddBytes counted.
func (c *Counters) Bytes(why Reason) uint64 { return c[why].bytes.Load() }
