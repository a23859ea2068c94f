package relay

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/federation"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
)

// collector reads the relay's counters when Prometheus asks, so that the hot path only counts.
type collector struct{ relay *Relay }

// snapshot is what the metrics are made of.
type snapshot struct {
	relay    *Relay
	link     link.Stats
	rooms    room.Stats
	peers    federation.Totals
	sessions int
}

// metric is one number of a snapshot.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*snapshot) float64
}

func gauge(name, help string, value func(*snapshot) int) metric {
	return metric{prometheus.NewDesc("wzp_relay_"+name, help, nil, nil), prometheus.GaugeValue,
		func(s *snapshot) float64 { return float64(value(s)) }}
}

func counter(name, help string, value func(*snapshot) uint64) metric {
	return metric{prometheus.NewDesc("wzp_relay_"+name, help, nil, nil), prometheus.CounterValue,
		func(s *snapshot) float64 { return float64(value(s)) }}
}

var metrics = []metric{
	gauge("sessions", "Sessions now.", func(s *snapshot) int { return s.sessions }),
	gauge("rooms", "Rooms now.", func(s *snapshot) int { return s.rooms.Rooms }),
	gauge("members", "Members of rooms now.", func(s *snapshot) int { return s.rooms.Members }),
	gauge("streams", "Streams of media now.", func(s *snapshot) int { return s.rooms.Streams }),

	counter("sessions_accepted_total", "Sessions accepted.", func(s *snapshot) uint64 { return s.relay.stats.accepted.Load() }),
	counter("joins_total", "Joins.", func(s *snapshot) uint64 { return s.relay.stats.joins.Load() }),
	counter("leaves_total", "Leaves.", func(s *snapshot) uint64 { return s.relay.stats.leaves.Load() }),
	counter("media_in_packets_total", "Media packets received from members.", func(s *snapshot) uint64 { return s.relay.stats.mediaIn.Load() }),
	counter("media_out_packets_total", "Media packets forwarded to members, those from peers included.", func(s *snapshot) uint64 { return s.relay.stats.mediaOut.Load() + s.peers.Delivered }),

	counter("sender_keys_total", "Sender keys that members announced.", func(s *snapshot) uint64 { return s.relay.rooms.Keys.Announced.Load() }),
	counter("keys_passed_total", "Sender keys passed on, once for each recipient.", func(s *snapshot) uint64 { return s.relay.rooms.Keys.Passed.Load() }),
	counter("keys_introduced_total", "Members whose entry was sent to one who would not have known whose key or request it is.", func(s *snapshot) uint64 { return s.relay.rooms.Keys.Introduced.Load() }),
	counter("keys_delivered_total", "Talkers told that all recipients have their key.", func(s *snapshot) uint64 { return s.relay.rooms.Keys.Delivered.Load() }),

	gauge("peers_up", "Links with peers now.", func(s *snapshot) int { return s.peers.PeersUp }),
	gauge("bridged_rooms", "Rooms now that are bridged with peers, those of which only peers have members included.", func(s *snapshot) int { return s.peers.Rooms }),
	gauge("remote_members", "Members of other relays in these rooms now.", func(s *snapshot) int { return s.rooms.RemoteMembers }),
	counter("federation_frames_out_total", "Media frames sent to peers, several of which share a packet.", func(s *snapshot) uint64 { return s.peers.Sent }),
	counter("federation_frames_taken_total", "Media frames from peers that were forwarded.", func(s *snapshot) uint64 { return s.peers.Taken }),
	counter("federation_delivered_total", "Media frames from peers sent to members, once for each.", func(s *snapshot) uint64 { return s.peers.Delivered }),
	counter("federation_messages_total", "Messages about keys sent on to peers.", func(s *snapshot) uint64 { return s.peers.Messages }),

	counter("sealed_in_packets_total", "Sealed packets received.", func(s *snapshot) uint64 { return s.link.UDP.SealedInPackets }),
	counter("sealed_in_bytes_total", "Bytes of sealed packets received, without headers of UDP and IP.", func(s *snapshot) uint64 { return s.link.UDP.SealedInBytes }),
	counter("sealed_out_packets_total", "Sealed packets sent.", func(s *snapshot) uint64 { return s.link.UDP.SealedOutPackets }),
	counter("sealed_out_bytes_total", "Bytes of sealed packets sent, without headers of UDP and IP.", func(s *snapshot) uint64 { return s.link.UDP.SealedOutBytes }),
	counter("receive_errors_total", "Failed receive calls.", func(s *snapshot) uint64 { return s.link.UDP.ReceiveErrors }),
	counter("resets_sent_total", "Resets sent.", func(s *snapshot) uint64 { return s.link.ResetsSent }),
	counter("moved_sessions_total", "Sessions that proved a new address.", func(s *snapshot) uint64 { return s.link.Moved }),
	gauge("handshakes", "Connections now that have not proved who they are.", func(s *snapshot) int { return s.link.Handshakes }),
	gauge("web_connections", "Connections of browsers now, by WebTransport and WebSocket, those in their handshake included.", func(s *snapshot) int { return s.link.WebOpen }),
	counter("web_attachments_total", "Attachments that browsers made.", func(s *snapshot) uint64 { return s.link.WebSessions }),
}

// What was dropped, by what it is and why; and in bytes, with all headers, what of that is media. The reasons are those of
// package drops.
var (
	droppedNumber = newDropped("dropped_total", "What was dropped or refused, by the reason.")
	droppedBytes  = newDropped("dropped_bytes_total", "Bytes of media that was not forwarded, with the headers that they have on the wire.")
)

func newDropped(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("wzp_relay_"+name, help, []string{"what", "reason"}, nil)
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range metrics {
		out <- m.desc
	}
	out <- droppedNumber
	out <- droppedBytes
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	r := c.relay
	s := &snapshot{relay: r, link: r.endpoint.Stats(), rooms: r.rooms.Stats(), peers: r.federation.Totals()}
	r.mu.Lock()
	s.sessions = r.sessions
	r.mu.Unlock()
	for _, m := range metrics {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
	ofSystem := s.systemDrops()
	for why := drops.None + 1; why < drops.Reasons; why++ {
		n := r.rooms.Drops.Count(why) + ofSystem[why]
		out <- prometheus.MustNewConstMetric(droppedNumber, prometheus.CounterValue, float64(n), why.What(), why.Label())
		if why.What() == "media" {
			bytes := r.rooms.Drops.Bytes(why)
			out <- prometheus.MustNewConstMetric(droppedBytes, prometheus.CounterValue, float64(bytes), why.What(), why.Label())
		}
	}
}

// systemDrops are those that sockets count, each for itself.
func (s *snapshot) systemDrops() map[drops.Reason]uint64 {
	udp, failed := &s.link.UDP, s.link.UDP.SendErrors
	return map[drops.Reason]uint64{
		drops.BadHeader:  udp.Oversized,
		drops.QUICQueue:  udp.QUICDropped,
		drops.NoBuffer:   udp.SendDropped,
		drops.SendFailed: failed.Unreachable + failed.Refused + failed.Denied + failed.TooBig + failed.Other,
	}
}
