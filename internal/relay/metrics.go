package relay

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wzp-voice/wzp/internal/federation"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
)

// collector reads the relay's counters when Prometheus asks, so that the hot path only counts.
type collector struct{ relay *Relay }

// snapshot is what the metrics are made of.
type snapshot struct {
	relay *Relay
	link  link.Stats
	rooms struct{ rooms, members, streams, sessions, remote int }
	keys  room.KeyStats
	short room.ShortageStats
	peers federation.Totals

	dropped [room.Refusals]room.Dropped
	leftOut uint64
}

// metric is one number of a snapshot.
type metric struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  func(*snapshot) float64
	labels []string // values of desc's
}

func gauge(name, help string, value func(*snapshot) int) metric {
	return metric{prometheus.NewDesc("wzp_relay_"+name, help, nil, nil), prometheus.GaugeValue,
		func(s *snapshot) float64 { return float64(value(s)) }, nil}
}

func counter(name, help string, value func(*snapshot) uint64) metric {
	return metric{prometheus.NewDesc("wzp_relay_"+name, help, nil, nil), prometheus.CounterValue,
		func(s *snapshot) float64 { return float64(value(s)) }, nil}
}

var metrics = []metric{
	gauge("sessions", "Sessions now.", func(s *snapshot) int { return s.rooms.sessions }),
	gauge("rooms", "Rooms now.", func(s *snapshot) int { return s.rooms.rooms }),
	gauge("members", "Members of rooms now.", func(s *snapshot) int { return s.rooms.members }),
	gauge("streams", "Streams of media now.", func(s *snapshot) int { return s.rooms.streams }),

	counter("sessions_accepted_total", "Sessions accepted.", func(s *snapshot) uint64 { return s.relay.stats.accepted.Load() }),
	counter("refused_total", "Sessions and joins refused for a limit.", func(s *snapshot) uint64 { return s.relay.stats.refused.Load() }),
	counter("joins_total", "Joins.", func(s *snapshot) uint64 { return s.relay.stats.joins.Load() }),
	counter("leaves_total", "Leaves.", func(s *snapshot) uint64 { return s.relay.stats.leaves.Load() }),
	counter("media_in_packets_total", "Media packets received from members.", func(s *snapshot) uint64 { return s.relay.stats.mediaIn.Load() }),
	counter("media_out_packets_total", "Media packets forwarded to members, those from peers included.", func(s *snapshot) uint64 { return s.relay.stats.mediaOut.Load() + s.peers.Delivered }),
	counter("media_left_out_packets_total", "Media packets that crowds of one address did not get, for the relay had too much to send.", func(s *snapshot) uint64 { return s.leftOut }),
	counter("media_limited_packets_total", "Media packets of members dropped because one sent too many a second.", func(s *snapshot) uint64 { return s.relay.stats.mediaLimited.Load() }),

	counter("sender_keys_total", "Sender keys that members announced.", func(s *snapshot) uint64 { return s.keys.Keys }),
	counter("keys_passed_total", "Sender keys passed on, once for each recipient.", func(s *snapshot) uint64 { return s.keys.Passed }),
	counter("keys_introduced_total", "Members whose entry was sent to one who would not have known whose key or request it is.", func(s *snapshot) uint64 { return s.keys.Introduced }),
	counter("keys_delivered_total", "Talkers told that all recipients have their key.", func(s *snapshot) uint64 { return s.keys.Delivered }),
	counter("key_wraps_dropped_total", "Wraps of keys for nobody or of old keys, and other messages about keys that cannot be used.", func(s *snapshot) uint64 { return s.keys.Dropped }),
	counter("keys_limited_total", "Sender keys put off, and requests for keys dropped, for the rate limit.", func(s *snapshot) uint64 { return s.keys.Limited }),

	counter("aliases_taken_total", "Aliases of a room taken from who had most, for somebody with fewer.", func(s *snapshot) uint64 { return s.short.AliasesTaken }),
	counter("aliases_refused_total", "Streams for which a room had no alias.", func(s *snapshot) uint64 { return s.short.AliasesRefused }),
	counter("places_refused_total", "Joins refused because too many members of the room have that address.", func(s *snapshot) uint64 { return s.short.PlacesRefused }),
	counter("remote_places_taken_total", "Members of other relays that made way in a full room for those that come by another link.", func(s *snapshot) uint64 { return s.short.RemoteDisplaced }),
	counter("remote_places_refused_total", "Members of other relays that found no place in a full room; each is tried again.", func(s *snapshot) uint64 { return s.short.RemoteRefused }),

	gauge("peers_up", "Links with peers now.", func(s *snapshot) int { return s.peers.PeersUp }),
	gauge("bridged_rooms", "Rooms now that are bridged with peers, those of which only peers have members included.", func(s *snapshot) int { return s.peers.Rooms }),
	gauge("remote_members", "Members of other relays in these rooms now.", func(s *snapshot) int { return s.rooms.remote }),
	counter("federation_frames_out_total", "Media frames sent to peers, several of which share a packet.", func(s *snapshot) uint64 { return s.peers.Sent }),
	counter("federation_frames_taken_total", "Media frames from peers that were forwarded.", func(s *snapshot) uint64 { return s.peers.Taken }),
	counter("federation_delivered_total", "Media frames from peers sent to members, once for each.", func(s *snapshot) uint64 { return s.peers.Delivered }),
	counter("federation_refused_total", "Media frames and messages from a peer that is not the way they have to come.", func(s *snapshot) uint64 { return s.peers.Refused }),
	counter("federation_room_not_found_total", "Media frames and messages from peers for rooms that are not here.", func(s *snapshot) uint64 { return s.peers.RoomNotFound }),
	counter("federation_messages_total", "Messages about keys sent on to peers.", func(s *snapshot) uint64 { return s.peers.Messages }),
	counter("federation_messages_lost_total", "Messages about keys that there was no way for, or nobody.", func(s *snapshot) uint64 { return s.peers.MessagesLost }),
	counter("federation_problems_total", "Announcements of peers that were refused; the log says why.", func(s *snapshot) uint64 { return s.peers.Problems }),

	counter("sealed_in_packets_total", "Sealed packets received.", func(s *snapshot) uint64 { return s.link.UDP.SealedInPackets }),
	counter("sealed_in_bytes_total", "Bytes of sealed packets received, without headers of UDP and IP.", func(s *snapshot) uint64 { return s.link.UDP.SealedInBytes }),
	counter("sealed_out_packets_total", "Sealed packets sent.", func(s *snapshot) uint64 { return s.link.UDP.SealedOutPackets }),
	counter("sealed_out_bytes_total", "Bytes of sealed packets sent, without headers of UDP and IP.", func(s *snapshot) uint64 { return s.link.UDP.SealedOutBytes }),
	counter("send_dropped_packets_total", "Packets that the system had no buffer for.", func(s *snapshot) uint64 { return s.link.UDP.SendDropped }),
	counter("send_failed_packets_total", "Packets that the system refused to send to their destination.", func(s *snapshot) uint64 {
		e := s.link.UDP.SendErrors
		return e.Unreachable + e.Refused + e.Denied + e.TooBig + e.Other
	}),
	counter("receive_errors_total", "Failed receive calls.", func(s *snapshot) uint64 { return s.link.UDP.ReceiveErrors }),
	counter("quic_dropped_packets_total", "QUIC packets dropped because their queue was full.", func(s *snapshot) uint64 { return s.link.UDP.QUICDropped }),
	counter("unknown_id_packets_total", "Sealed packets of no known session.", func(s *snapshot) uint64 { return s.link.UnknownID }),
	counter("bad_header_packets_total", "Sealed packets whose header is not valid, or that are too large.", func(s *snapshot) uint64 { return s.link.BadHeader + s.link.UDP.Oversized }),
	counter("replayed_packets_total", "Sealed packets received twice, or too late to tell.", func(s *snapshot) uint64 { return s.link.Replayed }),
	counter("forged_packets_total", "Sealed packets that did not authenticate.", func(s *snapshot) uint64 { return s.link.Forged }),
	counter("malformed_frames_total", "Frames that could not be read.", func(s *snapshot) uint64 { return s.link.Malformed }),
	counter("unbound_frames_total", "Media frames of refused or unannounced streams.", func(s *snapshot) uint64 { return s.link.Unbound }),
	counter("resets_sent_total", "Resets sent.", func(s *snapshot) uint64 { return s.link.ResetsSent }),
	counter("moved_sessions_total", "Sessions that proved a new address.", func(s *snapshot) uint64 { return s.link.Moved }),
	counter("hellos_refused_total", "Connections refused before or at their Hello.", func(s *snapshot) uint64 { return s.link.Refused }),
	gauge("handshakes", "Connections now that have not proved who they are.", func(s *snapshot) int { return s.link.Handshakes }),
	counter("handshakes_overflowed_total", "Connections refused because too many were in their handshake.", func(s *snapshot) uint64 { return s.link.Overflowed }),
	gauge("web_connections", "Connections of browsers now, by WebTransport and WebSocket, those in their handshake included.", func(s *snapshot) int { return s.link.WebOpen }),
	counter("web_attachments_total", "Attachments that browsers made.", func(s *snapshot) uint64 { return s.link.WebSessions }),
	counter("web_dropped_packets_total", "Packets to browsers that were dropped: the queue was full, they waited too long, or do not fit.", func(s *snapshot) uint64 {
		return s.link.WebDropped + s.link.WebStale + s.link.WebTooLarge
	}),
	counter("http_refused_connections_total", "TCP connections of browsers closed because there were too many.", func(s *snapshot) uint64 { return s.relay.site.refused() }),
	counter("accept_failed_total", "TCP connections that could not be accepted because there was no file descriptor left.", func(s *snapshot) uint64 {
		return s.relay.site.noFiles() + s.relay.admin.noFiles()
	}),
	counter("control_limited_total", "Connections closed for too many control messages.", func(s *snapshot) uint64 { return s.link.RateLimited }),
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range slices.Concat(metrics, droppedMetrics) {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := &snapshot{relay: c.relay, link: c.relay.endpoint.Stats()}
	rooms := c.relay.rooms.Stats()
	s.rooms.rooms, s.rooms.members, s.rooms.streams, s.keys = rooms.Rooms, rooms.Members, rooms.Streams, rooms.Keys
	s.short = rooms.Shortages
	s.rooms.remote, s.peers = rooms.RemoteMembers, c.relay.federation.Totals()
	s.dropped, s.leftOut = rooms.Dropped, rooms.LeftOut
	c.relay.mu.Lock()
	s.rooms.sessions = c.relay.sessions
	c.relay.mu.Unlock()
	for _, m := range slices.Concat(metrics, droppedMetrics) {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s), m.labels...)
	}
}
