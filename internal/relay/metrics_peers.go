package relay

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wzp-voice/wzp/internal/federation"
)

// peerMetric is one number of each peer.
type peerMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*federation.PeerStatus) float64
}

func peerGauge(name, help string, value func(*federation.PeerStatus) float64) peerMetric {
	return peerMetric{prometheus.NewDesc("wzp_relay_peer_"+name, help, []string{"peer"}, nil), prometheus.GaugeValue, value}
}

// peerCounter is of one link: it begins again with the next one.
func peerCounter(name, help string, value func(*federation.PeerStatus) uint64) peerMetric {
	return peerMetric{prometheus.NewDesc("wzp_relay_peer_"+name, help, []string{"peer"}, nil), prometheus.CounterValue,
		func(s *federation.PeerStatus) float64 { return float64(value(s)) }}
}

var peerMetrics = []peerMetric{
	peerGauge("up", "Whether the link with the peer is up.", func(s *federation.PeerStatus) float64 {
		if s.Up {
			return 1
		}
		return 0
	}),
	peerGauge("rtt_seconds", "Round trip to the peer; 0: not measured yet.", func(s *federation.PeerStatus) float64 { return s.RTT.Seconds() }),
	peerGauge("loss_ratio", "Share of what is sent to the peer that is lost.", func(s *federation.PeerStatus) float64 { return s.Loss }),
	peerGauge("rooms", "Parts of rooms that the peer announces.", func(s *federation.PeerStatus) float64 { return float64(s.Rooms) }),
	peerGauge("participants", "Members of other relays that are reached through the peer.", func(s *federation.PeerStatus) float64 { return float64(s.Participants) }),
	peerCounter("packets_out_total", "Sealed packets sent to the peer.", func(s *federation.PeerStatus) uint64 { return s.PacketsOut }),
	peerCounter("packets_in_total", "Sealed packets received from the peer.", func(s *federation.PeerStatus) uint64 { return s.PacketsIn }),
	peerCounter("frames_out_total", "Media frames sent to the peer, several of which share a packet.", func(s *federation.PeerStatus) uint64 { return s.FramesOut }),
	peerCounter("frames_in_total", "Media frames received from the peer, duplicates included.", func(s *federation.PeerStatus) uint64 { return s.FramesIn }),
	peerCounter("duplicates_total", "Media frames from the peer dropped because they came before.", func(s *federation.PeerStatus) uint64 { return s.Duplicates }),
	peerCounter("aliases_taken_total", "Aliases of the link that a stream had to give to one of somebody with fewer.", func(s *federation.PeerStatus) uint64 { return s.AliasesTaken }),
	peerCounter("unnamed_total", "Media frames not sent to the peer because the link had no alias for their stream.", func(s *federation.PeerStatus) uint64 { return s.Unnamed }),
	peerCounter("limited_total", "Media frames and messages of the peer that were not taken for a rate limit.", func(s *federation.PeerStatus) uint64 { return s.Limited }),
}

// peerCollector reads the peers' counters when Prometheus asks.
type peerCollector struct{ relay *Relay }

// Describe implements prometheus.Collector.
func (c *peerCollector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range peerMetrics {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *peerCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.relay.federation.Peers() {
		label := s.Label
		if label == "" {
			label = s.Fingerprint.String()
		}
		for _, m := range peerMetrics {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&s), label)
		}
	}
}
