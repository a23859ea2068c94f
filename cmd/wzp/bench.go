package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// benchCmd measures.
type benchCmd struct {
	Relay benchRelayCmd `cmd:"" help:"Measure a relay's CPU, latency and memory, next to a bare forwarder."`
	Floor benchFloorCmd `cmd:"" hidden:"" help:"Be the bare forwarder."`
}

// benchRelayCmd starts a relay as a process of its own, puts listeners and one talker into a room, and
// reads what the relay costs from the operating system.
type benchRelayCmd struct {
	Listeners string        `default:"50,200,1000" placeholder:"N,..." help:"Numbers of listeners."`
	For       time.Duration `default:"10s" help:"How long to talk for each number."`
	Rate      int           `default:"50" help:"Packets a second of the talker."`
	Size      int           `default:"100" help:"Bytes of UDP payload of a media packet."`
	JSON      bool          `name:"json" help:"Print one JSON object for each number."`
}

// benchResult is one line of the result.
type benchResult struct {
	Listeners   int     `json:"listeners"`
	US          float64 `json:"us_per_packet"`
	FloorUS     float64 `json:"floor_us_per_packet"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	Lost        uint64  `json:"lost"`
	Forwarded   uint64  `json:"forwarded"`
	KBPerMember float64 `json:"kb_per_member"`
}

func (c *benchRelayCmd) Run(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("bench relay reads /proc, which only Linux has")
	}
	counts, err := c.counts()
	if err != nil {
		return err
	}
	for _, n := range counts {
		result, err := c.measure(ctx, n)
		if err != nil {
			return err
		}
		if c.JSON {
			b, _ := json.Marshal(result) // numbers only
			os.Stdout.Write(append(b, '\n'))
			continue
		}
		fmt.Printf("%5d listeners: %.2f us of CPU a packet, floor %.2f (%.2f times), "+
			"p50 %.2f ms, p99 %.2f ms, %d of %d lost, %.0f KB a member\n",
			n, result.US, result.FloorUS, result.US/result.FloorUS, result.P50, result.P99,
			result.Lost, result.Forwarded+result.Lost, result.KBPerMember)
	}
	return nil
}

// counts reads --listeners and checks the other flags.
func (c *benchRelayCmd) counts() (counts []int, err error) {
	if c.Rate < 1 || c.Rate > 1000 {
		return nil, usagef("--rate must be 1 to 1000")
	}
	if c.Size < benchOverhead+8 || c.Size > 1000 {
		return nil, usagef("--size must be %d to 1000", benchOverhead+8)
	}
	if c.For < time.Second {
		return nil, usagef("--for must be at least 1s")
	}
	for field := range strings.SplitSeq(c.Listeners, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > 10_000 {
			return nil, usagef("--listeners takes numbers from 1 to 10000, not %q", field)
		}
		counts = append(counts, n)
	}
	return counts, nil
}

// measure does one line: half of the floor's time, the relay, the other half of the floor's, so that
// both see the machine in the same mood.
func (c *benchRelayCmd) measure(ctx context.Context, listeners int) (result benchResult, err error) {
	result.Listeners = listeners
	before, err := c.floor(ctx, listeners)
	if err == nil {
		err = c.relay(ctx, listeners, &result)
	}
	if err != nil {
		return result, err
	}
	after, err := c.floor(ctx, listeners)
	result.FloorUS = (before + after) / 2
	return result, err
}

// pace calls send rate times a second for d, by an absolute clock.
func pace(ctx context.Context, rate int, d time.Duration, send func()) error {
	start := time.Now()
	for i := 0; ; i++ {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if due.Sub(start) >= d {
			return nil
		}
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return ctx.Err()
		}
		send()
	}
}
