package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
)

const (
	benchStreams = 20 // talkers, each alone with at most one listener in a room of its own
	benchRounds  = 15 // of the three ways in turn, so that all see the machine in the same moods
)

// benchWay is one of the ways that are compared: what the packets of benchStreams talkers on the measured relay cost it.
type benchWay struct {
	benchRoom
	name    string // the rooms' names begin with it; those of "peer" are bridged
	talkers []*benchMember
	ctr     uint64
	sent    uint64
	us      [2][]float64 // CPU time a packet in each round, by benchStep
}

// benchStep is how talkers keep step: their packets come one after another, evenly spread, each of which wakes the relay;
// or all at once, so that what counts is the work on each.
type benchStep int

const (
	benchApart benchStep = iota
	benchTogether
)

// benchPeerResult is what --peer prints, for each step. Times are medians of the rounds, in microseconds of the relay's CPU for each
// packet of a talker. Net is without what receiving it costs: the median of the differences within rounds.
type benchPeerResult struct {
	Streams     int     `json:"streams"`
	Together    bool    `json:"together"`
	Nobody      float64 `json:"nobody_us_per_packet"`
	Separate    float64 `json:"separate_us_per_packet"`
	Peer        float64 `json:"peer_us_per_packet"`
	SeparateNet float64 `json:"separate_net_us_per_packet"`
	PeerNet     float64 `json:"peer_net_us_per_packet"`
	Ratio       float64 `json:"ratio"` // of the net times
	TotalRatio  float64 `json:"total_ratio"`
}

// comparePeer measures one relay in three ways: its 20 talkers are heard by nobody, by a listener each with a session of
// its own, or by listeners on another relay, to which all packets go over one link.
//
//	nobody    20 talkers ──> relay
//	separate  20 talkers ──> relay ──> 20 listeners
//	peer      20 talkers ──> relay ──> other relay ──> 20 listeners
func (c *benchRelayCmd) comparePeer(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "wzp-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	measured, other, err := startBridged(ctx, dir)
	if err != nil {
		return err
	}
	defer measured.stop()
	var serving sync.WaitGroup
	defer serving.Wait()
	serve, stop := context.WithCancel(ctx)
	defer stop()
	serving.Go(func() { _ = other.Run(serve) }) // if it fails no packet arrives, and that is an error
	ways := []*benchWay{{name: "nobody"}, {name: "separate"}, {name: "peer"}}
	for i, at := range []string{"", measured.addr, other.Addr().String()} {
		defer ways[i].close()
		if err := ways[i].fill(ctx, measured.addr, at); err != nil {
			return err
		}
	}
	if err := c.warm(ctx, ways); err != nil {
		return err
	}
	for range benchRounds {
		for _, step := range []benchStep{benchApart, benchTogether} {
			for _, w := range ways {
				if err := c.round(ctx, measured, w, step); err != nil {
					return err
				}
			}
		}
	}
	return c.printPeer(ways)
}

// startBridged runs the relay that is measured, and in this process the other one, which dials it. Listeners and the other relay
// being in one process, what is sent to them wakes the same threads: on one machine the sender pays for that.
func startBridged(ctx context.Context, dir string) (measured *process, other *relay.Relay, err error) {
	seed, err := identity.LoadOrCreate(filepath.Join(dir, "identity"))
	if err != nil {
		return nil, nil, err
	}
	own := identity.NewSeed().Identity()
	file := filepath.Join(dir, "wzp.toml")
	config := fmt.Sprintf("[[trusted]]\nfingerprint = '%v'\n[[global_rooms]]\nname = 'peer-*'\n", own.Fingerprint())
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, nil, err
	}
	if measured, err = startRelay(ctx, dir, "--config", file); err != nil {
		return nil, nil, err
	}
	other, err = relay.New(relay.Config{
		Identity: own, Version: "wzp bench", Listen: "127.0.0.1:0", HelloRate: 100_000, MaxPerAddress: 100_000,
		Federation: relay.FederationConfig{
			Peers:       []relay.FederationPeer{{Address: measured.addr, Fingerprint: seed.Identity().Fingerprint()}},
			GlobalRooms: []string{"peer-*"},
		},
	})
	if err != nil {
		measured.stop()
		return nil, nil, err
	}
	return measured, other, nil
}

// fill joins the talkers to a relay, and a listener for each to the one at an address, unless that is empty. Each has a socket of
// its own, as people have.
func (w *benchWay) fill(ctx context.Context, measured, at string) error {
	w.start = time.Now()
	join := func(relay, room string) (*benchMember, error) {
		ep, err := w.open()
		if err != nil {
			return nil, err
		}
		return w.join(ctx, ep, relay, room)
	}
	for i := range benchStreams {
		room := fmt.Sprintf("%s-%d", w.name, i)
		talker, err := join(measured, room)
		if err != nil {
			return err
		}
		w.talkers = append(w.talkers, talker)
		if at == "" {
			continue
		}
		if _, err := join(at, room); err != nil {
			return err
		}
	}
	return nil
}

// warm lets all talk until everything arrives: the relays have to find each other, and until aliases are acknowledged
// packets are longer.
func (c *benchRelayCmd) warm(ctx context.Context, ways []*benchWay) error {
	for _, w := range ways {
		for tries := 0; ; tries++ {
			before := w.received.Load()
			sent, err := c.talkAll(ctx, w, benchApart, time.Second)
			if err != nil {
				return err
			}
			if w.name == "nobody" || w.received.Load()-before == sent {
				break
			}
			if tries == 20 {
				return fmt.Errorf("packets do not arrive by the way %q: the machine is too busy, or the relays do not reach each other", w.name)
			}
		}
		w.received.Store(0)
		w.mu.Lock()
		w.latencies = nil
		w.mu.Unlock()
	}
	return nil
}

// talkAll lets the talkers of a way talk for d. It returns how many packets they sent.
func (c *benchRelayCmd) talkAll(ctx context.Context, w *benchWay, step benchStep, d time.Duration) (sent uint64, err error) {
	w.counting.Store(true)
	defer w.counting.Store(false)
	ciphertext := make([]byte, c.Size-benchOverhead)
	rate, burst := c.Rate*benchStreams, 1
	if step == benchTogether {
		rate, burst = c.Rate, benchStreams
	}
	next := 0
	err = pace(ctx, rate, d, func() {
		for range burst {
			w.talkers[next].say(w.ctr, ciphertext)
			sent++
			if next++; next == benchStreams {
				next = 0
				w.ctr++
			}
		}
	})
	w.ctr++ // the next one begins with the first talker
	time.Sleep(100 * time.Millisecond)
	return sent, err
}

// round measures one way once.
func (c *benchRelayCmd) round(ctx context.Context, measured *process, w *benchWay, step benchStep) error {
	us, err := measured.cost(func() (uint64, error) {
		sent, err := c.talkAll(ctx, w, step, c.For/benchRounds)
		w.sent += sent
		return sent, err
	})
	w.us[step] = append(w.us[step], us)
	return err
}

func (c *benchRelayCmd) printPeer(ways []*benchWay) error {
	for _, step := range []benchStep{benchApart, benchTogether} {
		nobody, separate, peer := ways[0].us[step], ways[1].us[step], ways[2].us[step]
		r := benchPeerResult{
			Streams: benchStreams, Together: step == benchTogether, Nobody: median(nobody), Separate: median(separate), Peer: median(peer),
			SeparateNet: medianNet(separate, nobody), PeerNet: medianNet(peer, nobody),
		}
		r.Ratio, r.TotalRatio = r.PeerNet/r.SeparateNet, r.Peer/r.Separate
		if c.JSON {
			if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
				return err
			}
			continue
		}
		how := "one after another"
		if r.Together {
			how = "all at once"
		}
		fmt.Printf("%d talkers, %s: us of the relay's CPU for each of their packets\n", r.Streams, how)
		fmt.Printf("  heard by nobody                %6.2f\n", r.Nobody)
		fmt.Printf("  by a listener each             %6.2f, net %6.2f\n", r.Separate, r.SeparateNet)
		fmt.Printf("  over one link to another relay %6.2f, net %6.2f: %.2f times as much (with receiving %.2f times)\n", r.Peer, r.PeerNet, r.Ratio, r.TotalRatio)
	}
	for _, w := range ways[1:] {
		if got := w.received.Load(); got != w.sent {
			return fmt.Errorf("of %d packets by the way %q %d arrived: the machine is too busy to measure", w.sent, w.name, got)
		}
	}
	return nil
}

// medianNet returns the median of what a way costs more than another one in the same round.
func medianNet(us, than []float64) float64 {
	net := make([]float64, len(us))
	for i := range net {
		net[i] = us[i] - than[i]
	}
	return median(net)
}

// median returns the value in the middle of an odd number of them.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
