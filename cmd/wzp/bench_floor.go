package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/udp"
)

// benchSockets is how many sockets share the listeners.
const benchSockets = 32

// benchFloorCmd is what a relay cannot be faster than: it sends each packet that comes to so many
// destinations with sendmmsg, and does nothing else.
type benchFloorCmd struct {
	To    string `required:"" help:"Addresses, in turn."`
	Count int    `required:"" help:"Copies of each packet."`
}

func (c *benchFloorCmd) Run(ctx context.Context) error {
	var to []udp.Path
	for field := range strings.SplitSeq(c.To, ",") {
		addr, err := netip.ParseAddrPort(field)
		if err != nil {
			return usagef("--to: %w", err)
		}
		to = append(to, udp.Path{Remote: addr})
	}
	mux, err := udp.Listen("127.0.0.1:0", 0)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { mux.Close() })
	defer stop()
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info("listening", "udp", mux.LocalAddr().String())
	return mux.Serve(func(b *udp.Batch, p []byte, _ udp.Path) {
		for i := range c.Count {
			b.Commit(copy(b.Buffer()[:len(p)], p), to[i%len(to)])
		}
	})
}

// floor returns the CPU time a packet of the bare forwarder, in microseconds.
func (c *benchRelayCmd) floor(ctx context.Context, listeners int) (float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var received atomic.Uint64
	var wg sync.WaitGroup
	defer wg.Wait()
	var to []string
	for range min(listeners, benchSockets) {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return 0, err
		}
		_ = conn.SetReadBuffer(4 << 20) // as much as is allowed
		defer conn.Close()
		to = append(to, conn.LocalAddr().String())
		wg.Go(func() {
			buf := make([]byte, udp.MaxPacket)
			for {
				if _, _, err := conn.ReadFromUDPAddrPort(buf); err != nil {
					return
				}
				received.Add(1)
			}
		})
	}
	child, err := startProcess(ctx,
		"bench", "floor", "--to", strings.Join(to, ","), "--count", fmt.Sprint(listeners))
	if err != nil {
		return 0, err
	}
	defer child.stop()
	conn, err := net.Dial("udp", child.addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	packet := make([]byte, c.Size)
	sent := 0
	send := func() {
		if _, err := conn.Write(packet); err == nil {
			sent++
		}
	}
	if err := pace(ctx, c.Rate, 500*time.Millisecond, send); err != nil { // to warm up
		return 0, err
	}
	us, err := child.cost(func() (uint64, error) {
		sent = 0
		err := pace(ctx, c.Rate, c.For/2, send)
		return uint64(sent * listeners), err
	})
	if err == nil && received.Load() == 0 {
		err = fmt.Errorf("nothing came through the bare forwarder")
	}
	return us, err
}
