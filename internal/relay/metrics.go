package relay

import (
	"cmp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// collector reads the relay's counters when Prometheus asks, so that the hot path only counts. A metric is a
// line of one of its functions; a reason to drop something is one of package drops.
type collector struct{ relay *Relay }

// Describe implements prometheus.Collector: what there is, Collect says.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	to, r := metricSet{out: out, prefix: "wzp_relay_"}, c.relay
	stats := r.endpoint.Stats()
	to.sessions(r, &stats)
	to.media(r)
	to.packets(&stats)
	to.dropped(r, &stats)
	to.routes(r)
	to.calls(r)
	to.probes(r)
	known := to.presence(r)
	for _, s := range r.federation.Peers() {
		peer := metricSet{out, "wzp_relay_peer_", []string{"peer"}, []string{cmp.Or(s.Label,
			s.Fingerprint.String())}}
		peer.gauge("up", "Whether the link with the peer is up.", map[bool]float64{true: 1}[s.Up])
		peer.gauge("rtt_seconds", "Round trip to the peer; 0: not measured yet.", s.Path.RTT.Seconds())
		peer.gauge("rtt_least_seconds", "The least round trip of the last minute.", s.Path.Least.Seconds())
		peer.gauge("jitter_seconds", "How much round trips differ from each other.", s.Path.Jitter.Seconds())
		peer.gauge("ping_loss_ratio", "Share of the last minute's pings without an answer.", s.Path.Loss)
		peer.gauge("loss_ratio", "Share of what is sent to the peer that is lost.", s.Loss)
		peer.gauge("loss_in_ratio", "Share of what the peer sends that is lost.", s.LossIn)
		peer.gauge("rooms", "Parts of rooms that the peer announces.", float64(s.Rooms))
		peer.gauge("participants", "Members that are reached through the peer.", float64(s.Participants))
		peer.gauge("presence", "Identities that can be called at other relays, as the peer tells.",
			float64(known.Entries[wire.RelayID(s.Fingerprint[:len(wire.RelayID{})])]))
		// These are of one link: they begin again with the next one.
		peer.counter("packets_out_total", "Sealed packets sent to the peer.", s.PacketsOut)
		peer.counter("packets_in_total", "Sealed packets received from the peer.", s.PacketsIn)
		peer.counter("frames_out_total", "Media frames sent to the peer.", s.FramesOut)
		peer.counter("frames_in_total", "Media frames from the peer, with duplicates.", s.FramesIn)
		peer.counter("duplicates_total", "Those of them that had come before.", s.Duplicates)
		peer.counter("aliases_taken_total", "Aliases of the link given to who had fewer.", s.AliasesTaken)
		peer.counter("unnamed_total", "Media frames not sent: the link had no alias for them.", s.Unnamed)
		peer.counter("limited_total", "Media frames and messages that were over a rate limit.", s.Limited)
	}
}

// presence is who can be called, and what it costs to know.
func (to *metricSet) presence(r *Relay) presence.Counts {
	c := r.federation.PresenceCounts()
	to.gauge("identities", "Identities that are connected.", float64(c.Identities))
	to.gauge("identities_available", "Those of them that take calls.", float64(c.Available))
	away, offers := r.federation.MissedCounts()
	to.gauge("devices_away", "Devices that are away, and have offers of calls kept.", float64(away))
	to.gauge("offers_kept", "Offers of calls that are kept for devices.", float64(offers))
	to.gauge("presence_homes", "Other relays of which is known who can be called there.", float64(c.Homes))
	to.counter("presence_bytes_out_total", "Bytes of messages that told peers who can be called.", c.Sent)
	to.counter("presence_bytes_in_total", "Bytes of such messages from peers.", c.Received)
	to.counter("presence_mismatches_total",
		"Signed states of other relays that did not agree with what peers had told of them.", c.Mismatches)
	return c
}

// probes are the relays that are measured.
func (to *metricSet) probes(r *Relay) {
	for _, s := range r.probes.Status() {
		probe := metricSet{to.out, to.prefix + "probe_", []string{"probe", "addr"}, []string{s.Label, s.Addr}}
		up := s.State == peer.Up || s.State == peer.Silent
		probe.gauge("up", "Whether there is a link to measure with.", map[bool]float64{true: 1}[up])
		probe.gauge("rtt_seconds", "Round trip to the relay; 0: not measured.", s.Path.RTT.Seconds())
		probe.gauge("rtt_least_seconds", "The least round trip of the last minute.", s.Path.Least.Seconds())
		probe.gauge("jitter_seconds", "How much round trips differ from each other.", s.Path.Jitter.Seconds())
		probe.gauge("ping_loss_ratio", "Share of the last minute's pings without an answer.", s.Path.Loss)
	}
}

// metricSet is where metrics go to, all with the same labels.
type metricSet struct {
	out           chan<- prometheus.Metric
	prefix        string
	names, labels []string
}

func (to *metricSet) gauge(name, help string, value float64) {
	desc := prometheus.NewDesc(to.prefix+name, help, to.names, nil)
	to.out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, to.labels...)
}

func (to *metricSet) counter(name, help string, value uint64) {
	desc := prometheus.NewDesc(to.prefix+name, help, to.names, nil)
	to.out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), to.labels...)
}

// seconds is a counter of time.
func (to *metricSet) seconds(name, help string, value time.Duration) {
	desc := prometheus.NewDesc(to.prefix+name, help, to.names, nil)
	to.out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, value.Seconds(), to.labels...)
}

// sessions are who is there, and how.
func (to *metricSet) sessions(r *Relay, stats *link.Stats) {
	r.mu.Lock()
	sessions := r.sessions
	r.mu.Unlock()
	rooms, peers := r.rooms.Stats(), r.federation.Totals()
	to.gauge("sessions", "Sessions now.", float64(sessions))
	to.gauge("rooms", "Rooms now.", float64(rooms.Rooms))
	to.gauge("members", "Members of rooms now.", float64(rooms.Members))
	to.gauge("streams", "Streams of media now.", float64(rooms.Streams))
	to.gauge("peers_up", "Links with peers now.", float64(peers.PeersUp))
	to.gauge("bridged_rooms", "Rooms now that are bridged with peers, also without members here.",
		float64(peers.Rooms))
	to.gauge("remote_members", "Members of other relays in these rooms now.", float64(rooms.RemoteMembers))
	to.gauge("handshakes", "Connections now that have not proved who they are.", float64(stats.Handshakes))
	to.gauge("probed", "Relays that measure the way to this one now, without being peers.",
		float64(stats.Probes))
	to.gauge("web_connections", "Connections of browsers now, those in their handshake included.",
		float64(stats.WebOpen))
	to.counter("sessions_accepted_total", "Sessions accepted.", r.stats.accepted.Load())
	to.counter("joins_total", "Joins.", r.stats.joins.Load())
	to.counter("leaves_total", "Leaves.", r.stats.leaves.Load())
	to.counter("moved_sessions_total", "Sessions that proved a new address.", stats.Moved)
	to.counter("web_attachments_total", "Attachments that browsers made.", stats.WebSessions)
}

// media is what was forwarded, and keys.
func (to *metricSet) media(r *Relay) {
	peers, keys := r.federation.Totals(), &r.rooms.Keys
	to.counter("media_in_packets_total", "Media packets received from members.", r.stats.mediaIn.Load())
	to.counter("media_out_packets_total", "Media packets forwarded to members, those from peers included.",
		r.stats.mediaOut.Load()+peers.Delivered)
	to.counter("federation_frames_out_total", "Media frames sent to peers.", peers.Sent)
	to.counter("federation_frames_taken_total", "Media frames from peers that were forwarded.", peers.Taken)
	to.counter("federation_delivered_total", "Those, once for each member.", peers.Delivered)
	to.counter("federation_messages_total", "Messages about keys sent on to peers.", peers.Messages)
	to.counter("sender_keys_total", "Sender keys that members announced.", keys.Announced.Load())
	to.counter("keys_passed_total", "Sender keys passed on, once for each recipient.", keys.Passed.Load())
	to.counter("keys_introduced_total", "Entries sent to who would not know whose key or request it is.",
		keys.Introduced.Load())
	to.counter("keys_delivered_total", "Talkers told that all have their key.", keys.Delivered.Load())
}

// routes is how often somebody asked where somebody can be called.
func (to *metricSet) routes(r *Relay) {
	counts := r.federation.RouteCounts()
	counts.Each(func(by, answer string, n uint64) {
		to := metricSet{to.out, to.prefix, []string{"by", "answer"}, []string{by, answer}}
		to.counter("route_queries_total", "Queries for the way to somebody, by who asked.", n)
	})
}

// calls is the paths of calls that go through this relay.
func (to *metricSet) calls(r *Relay) {
	t := r.federation.Calls()
	to.gauge("call_paths", "Paths of calls now.", float64(t.Open))
	to.gauge("call_paths_asked", "Paths of calls now that wait for an answer of the next relay.",
		float64(t.SettingUp))
	to.gauge("call_legs_waiting", "Clients now that wait for their call to come again.", float64(t.Waiting))
	to.counter("call_paths_set_up_total", "Paths of calls set up, new ways of a call included.", t.SetUp)
	to.counter("call_paths_ended_total", "Paths of calls that are over.", t.Ended)
	to.counter("call_answers_total", "Paths that were set up by the next relay.", t.Asked)
	to.seconds("call_answer_seconds_total", "How long those took, together.", t.Took)
	to.counter("call_frames_total", "Media frames of calls that were forwarded.", t.Frames)
	for why, n := range t.Refused {
		by := metricSet{to.out, to.prefix, []string{"why"}, []string{why}}
		by.counter("call_paths_refused_total", "Paths of calls refused.", n)
	}
	for relays, n := range t.Hops {
		by := metricSet{to.out, to.prefix, []string{"relays"}, []string{strconv.Itoa(relays)}}
		by.counter("call_relays_total", "Paths to clients here, by how many relays are on them.", n)
	}
}

// packets is what the sockets did.
func (to *metricSet) packets(stats *link.Stats) {
	const size = ", without headers of UDP and IP."
	to.counter("sealed_in_packets_total", "Sealed packets received.", stats.UDP.SealedInPackets)
	to.counter("sealed_in_bytes_total", "Bytes of sealed packets received"+size, stats.UDP.SealedInBytes)
	to.counter("sealed_out_packets_total", "Sealed packets sent.", stats.UDP.SealedOutPackets)
	to.counter("sealed_out_bytes_total", "Bytes of sealed packets sent"+size, stats.UDP.SealedOutBytes)
	to.counter("receive_errors_total", "Failed receive calls.", stats.UDP.ReceiveErrors)
	to.counter("resets_sent_total", "Resets sent.", stats.ResetsSent)
}

// dropped is what was dropped, by what it is and why; and what of that is media in bytes.
func (to *metricSet) dropped(r *Relay, stats *link.Stats) {
	ofSockets := map[drops.Reason]uint64{
		drops.BadHeader:  stats.UDP.Oversized,
		drops.QUICQueue:  stats.UDP.QUICDropped,
		drops.NoBuffer:   stats.UDP.SendDropped,
		drops.SendFailed: stats.UDP.SendErrors,
	}
	for why := drops.None + 1; why < drops.Reasons; why++ {
		by := metricSet{to.out, to.prefix, []string{"what", "reason"}, []string{why.What(), why.Label()}}
		by.counter("dropped_total", "What was dropped or refused.", r.rooms.Drops.Count(why)+ofSockets[why])
		if why.What() == "media" {
			by.counter("dropped_bytes_total", "Bytes of media that was not forwarded, with all headers.",
				r.rooms.Drops.Bytes(why))
		}
	}
}
