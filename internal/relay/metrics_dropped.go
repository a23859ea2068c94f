package relay

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wzp-voice/wzp/internal/room"
)

// Media that came and was not forwarded, by the reason: in packets, and in bytes as each listener would have got them,
// with all headers.

var (
	droppedPackets = prometheus.NewDesc("wzp_relay_media_dropped_packets_total", "Media frames that were not forwarded, by the reason.", []string{"reason"}, nil)
	droppedBytes   = prometheus.NewDesc("wzp_relay_media_dropped_bytes_total", "Bytes of these, with the headers that they have on the wire.", []string{"reason"}, nil)
)

var droppedMetrics = slices.Concat(
	dropped("packet_rate", func(s *snapshot) room.Dropped {
		return room.Dropped{Packets: s.relay.stats.mediaLimited.Load(), Bytes: s.relay.stats.limitedBytes.Load()}
	}),
	dropped("member_rate", func(s *snapshot) room.Dropped { return s.dropped[room.OverMemberRate] }),
	dropped("room_rate", func(s *snapshot) room.Dropped { return s.dropped[room.OverRoomRate] }),
	dropped("send_rate", func(s *snapshot) room.Dropped { return s.dropped[room.OverSendRate] }),
	dropped("room_rate_to_peers", func(s *snapshot) room.Dropped { return s.dropped[room.OverAwayRate] }),
	dropped("listener_path", func(s *snapshot) room.Dropped {
		return room.Dropped{Packets: s.link.NarrowPackets, Bytes: s.link.NarrowBytes}
	}),
	dropped("peer_rate", func(s *snapshot) room.Dropped { return room.Dropped(s.peers.Limited) }),
)

// dropped returns the two metrics of a reason.
func dropped(reason string, value func(*snapshot) room.Dropped) []metric {
	return []metric{
		{droppedPackets, prometheus.CounterValue, func(s *snapshot) float64 { return float64(value(s).Packets) }, []string{reason}},
		{droppedBytes, prometheus.CounterValue, func(s *snapshot) float64 { return float64(value(s).Bytes) }, []string{reason}},
	}
}
