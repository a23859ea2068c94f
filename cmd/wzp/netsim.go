package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// netsimCmd forwards UDP from --listen to --to through a path as bad as the flags say. The values
// are strings, and pointers to tell an empty one from none: simnet parses them and those of --up
// and --down alike.
type netsimCmd struct {
	Listen string `required:"" placeholder:"HOST:PORT" help:"UDP address for clients; port 0 is any."`
	To     string `required:"" placeholder:"HOST:PORT" help:"UDP address to forward to."`

	Loss      *string `placeholder:"P" help:"Share of packets lost, 0 to 1."`
	Burst     *string `placeholder:"PACKETS" help:"Mean length of a run of lost packets."`
	BurstTime *string `placeholder:"DURATION" help:"Mean duration of a loss burst, instead of --burst."`
	Delay     *string `placeholder:"DURATION" help:"One-way delay."`
	Jitter    *string `placeholder:"DURATION" help:"Vary the delay by up to this much either way; keeps the order."`
	Rate      *string `placeholder:"BIT/S" help:"Capacity with IP and UDP headers, such as 32k or 1.5M."`
	Queue     *string `placeholder:"BYTES" help:"Queue in front of --rate, such as 16k (default: 64k)."`
	Reorder   *string `placeholder:"P" help:"Probability that a packet skips the delay and overtakes others."`
	Duplicate *string `placeholder:"P" help:"Probability that a packet arrives twice."`
	Seed      string  `default:"1" placeholder:"N" help:"The same seed loses the same packets (default: 1)."`
	Up        *string `placeholder:"NAME=VALUE,..." help:"Other values from clients to the target, such as loss=0.6,delay=150ms."`
	Down      *string `placeholder:"NAME=VALUE,..." help:"Other values from the target to clients."`

	Block       []string      `sep:"none" placeholder:"up|down|both@START+DURATION" help:"Let nothing through for a while, such as both@10s+55s; repeatable."`
	RebindEvery time.Duration `placeholder:"DURATION" help:"Move clients to new ports, as the target sees them, this often."`
	For         time.Duration `placeholder:"DURATION" help:"End after this time (default: when interrupted)."`
	JSON        bool          `help:"Print one JSON object per line."`
}

func (c netsimCmd) Run(ctx context.Context) error {
	up, down, err := c.profiles()
	if err != nil {
		return err
	}
	if c.For < 0 || c.RebindEvery < 0 {
		return usagef("--for and --rebind-every must not be negative")
	}
	timetable, err := c.timetable()
	if err != nil {
		return err
	}
	proxy, err := simnet.ListenProxy(simnet.ProxyConfig{Listen: c.Listen, To: asciiAddress(c.To), Up: up, Down: down})
	if err != nil {
		return err
	}
	defer proxy.Close()
	out := netsimOutput{w: os.Stdout, json: c.JSON}
	for _, s := range timetable {
		if s.at == 0 && s.on { // before anybody knows the address
			proxy.Block(s.direction, true)
		}
	}
	out.listening(proxy, up, down)
	start := time.Now()
	if err := follow(ctx, proxy, timetable, c.For, c.RebindEvery, out); err != nil {
		return err
	}
	proxy.Close()
	out.summary(proxy.Stats(), time.Since(start))
	return nil
}

// asciiAddress is HOST:PORT as the resolver takes it, and other text as it is: the resolver says what is wrong.
func asciiAddress(text string) string {
	host, port, err := identity.ParseAddress(text)
	if err != nil {
		return text
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// profiles returns what the flags say about each direction.
func (c netsimCmd) profiles() (up, down simnet.Profile, err error) {
	var both simnet.Profile
	for _, flag := range []struct {
		name  string
		value *string
	}{
		{"loss", c.Loss}, {"burst", c.Burst}, {"burst-time", c.BurstTime}, {"delay", c.Delay}, {"jitter", c.Jitter},
		{"rate", c.Rate}, {"queue", c.Queue}, {"reorder", c.Reorder}, {"duplicate", c.Duplicate}, {"seed", &c.Seed},
	} {
		if flag.value == nil {
			continue
		}
		if err := both.Set(flag.name, *flag.value); err != nil {
			return up, down, usagef("--%w", err)
		}
	}
	if up, err = overridden(both, "up", c.Up); err != nil {
		return up, down, err
	}
	down, err = overridden(both, "down", c.Down)
	return up, down, err
}

// overridden returns p with the values of --up or --down.
func overridden(p simnet.Profile, flag string, values *string) (simnet.Profile, error) {
	if values == nil {
		if err := p.Validate(); err != nil { // which begins with a flag's name
			return p, usagef("--%w", err)
		}
		return p, nil
	}
	p, err := p.With(*values)
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return p, usagef("--%s: %w", flag, err)
	}
	return p, nil
}

// switchover is the begin or the end of a blackout.
type switchover struct {
	at        time.Duration // since the start
	direction simnet.Direction
	on        bool
}

// timetable returns the switchovers of all blackouts in order.
func (c netsimCmd) timetable() ([]switchover, error) {
	var all []switchover
	for _, s := range c.Block {
		b, err := simnet.ParseBlackout(s)
		if err != nil {
			return nil, usagef("--block: %w", err)
		}
		for _, d := range []simnet.Direction{simnet.Up, simnet.Down} {
			if b.Direction&d != 0 {
				all = append(all, switchover{b.At, d, true}, switchover{b.At + b.For, d, false})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b switchover) int { return cmp.Compare(a.at, b.at) })
	return all, nil
}

// follow blocks and rebinds the proxy on time until ctx ends or the duration is over, if any.
func follow(ctx context.Context, proxy *simnet.Proxy, timetable []switchover, duration, rebindEvery time.Duration, out netsimOutput) error {
	if duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, duration)
		defer cancel()
	}
	var rebind <-chan time.Time
	if rebindEvery > 0 {
		ticker := time.NewTicker(rebindEvery)
		defer ticker.Stop()
		rebind = ticker.C
	}
	start := time.Now()
	depth := map[simnet.Direction]int{} // blackouts may overlap
	for {
		var next <-chan time.Time
		if len(timetable) > 0 {
			next = time.After(time.Until(start.Add(timetable[0].at)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-rebind:
			if err := proxy.Rebind(); err != nil {
				return err
			}
			out.rebound()
		case <-next:
			s := timetable[0]
			timetable = timetable[1:]
			if s.on {
				depth[s.direction]++
			} else {
				depth[s.direction]--
			}
			proxy.Block(s.direction, depth[s.direction] > 0)
			out.blocked(s.direction, depth[s.direction] > 0)
		}
	}
}

// netsimOutput prints for people or, with --json, for programs.
type netsimOutput struct {
	w    io.Writer
	json bool
}

// netsimDirection is the JSON form of one direction's counts. Bytes are with IP and UDP headers.
type netsimDirection struct {
	PacketsIn           uint64 `json:"packets_in"`
	PacketsLost         uint64 `json:"packets_lost"`
	PacketsQueueDropped uint64 `json:"packets_queue_dropped"`
	PacketsBlocked      uint64 `json:"packets_blocked"`
	PacketsDuplicated   uint64 `json:"packets_duplicated"`
	PacketsReordered    uint64 `json:"packets_reordered"`
	PacketsFailed       uint64 `json:"packets_failed"`    // the socket refused them, or too many were under way
	PacketsInFlight     uint64 `json:"packets_in_flight"` // at the end
	PacketsOut          uint64 `json:"packets_out"`
	BytesIn             uint64 `json:"bytes_in"`
	BytesOut            uint64 `json:"bytes_out"`
}

func newNetsimDirection(s simnet.ProxyDirectionStats) netsimDirection {
	return netsimDirection{
		PacketsIn: s.Sent, PacketsLost: s.Lost, PacketsQueueDropped: s.QueueDropped, PacketsBlocked: s.Blocked,
		PacketsDuplicated: s.Duplicated, PacketsReordered: s.Reordered, PacketsFailed: s.Failed + s.Overflow,
		PacketsInFlight: s.InFlight, PacketsOut: s.Out, BytesIn: s.BytesSent, BytesOut: s.BytesOut,
	}
}

func (o netsimOutput) listening(proxy *simnet.Proxy, up, down simnet.Profile) {
	if o.json {
		o.line(struct {
			Event string `json:"event"`
			Addr  string `json:"addr"`
			To    string `json:"to"`
			Up    string `json:"up_profile"`
			Down  string `json:"down_profile"`
		}{"listening", proxy.Addr().String(), proxy.Target().String(), up.String(), down.String()})
		return
	}
	fmt.Fprintf(o.w, "listening on %v, forwarding to %v\n", proxy.Addr(), proxy.Target())
	fmt.Fprintf(o.w, "up:   %v\ndown: %v\n", up, down)
}

func (o netsimOutput) blocked(d simnet.Direction, on bool) {
	if o.json {
		o.line(struct {
			Event     string `json:"event"`
			Direction string `json:"direction"`
			On        bool   `json:"on"`
		}{"block", d.String(), on})
		return
	}
	fmt.Fprintf(o.w, "%v is %s\n", d, map[bool]string{true: "blocked", false: "open"}[on])
}

func (o netsimOutput) rebound() {
	if o.json {
		o.line(struct {
			Event string `json:"event"`
		}{"rebind"})
		return
	}
	fmt.Fprintln(o.w, "clients moved to new ports")
}

func (o netsimOutput) summary(s simnet.ProxyStats, took time.Duration) {
	up, down := newNetsimDirection(s.Up), newNetsimDirection(s.Down)
	if o.json {
		o.line(struct {
			Event          string          `json:"event"`
			Up             netsimDirection `json:"up"`
			Down           netsimDirection `json:"down"`
			Clients        uint64          `json:"clients"`
			ClientsExpired uint64          `json:"clients_expired"`
			ClientsRefused uint64          `json:"clients_refused"`
			Rebinds        uint64          `json:"rebinds"`
			Seconds        float64         `json:"seconds"`
		}{"summary", up, down, s.ClientsTotal, s.ClientsExpired, s.ClientsRefused, s.Rebinds, took.Seconds()})
		return
	}
	up.print(o.w, "up:  ")
	down.print(o.w, "down:")
	fmt.Fprintf(o.w, "%d clients in %v\n", s.ClientsTotal, took.Round(time.Millisecond))
}

// print writes one line, without the counts that are rarely anything but 0.
func (d netsimDirection) print(w io.Writer, name string) {
	lost := 0.0
	if d.PacketsIn > 0 {
		lost = 100 * float64(d.PacketsLost) / float64(d.PacketsIn)
	}
	fmt.Fprintf(w, "%s %d packets in (%d bytes), %d lost (%.1f %%), %d dropped by the queue, %d out (%d bytes)",
		name, d.PacketsIn, d.BytesIn, d.PacketsLost, lost, d.PacketsQueueDropped, d.PacketsOut, d.BytesOut)
	for _, rare := range []struct {
		count uint64
		what  string
	}{
		{d.PacketsBlocked, "blocked"}, {d.PacketsDuplicated, "duplicated"}, {d.PacketsReordered, "reordered"},
		{d.PacketsFailed, "refused by the system"}, {d.PacketsInFlight, "still under way"},
	} {
		if rare.count > 0 {
			fmt.Fprintf(w, ", %d %s", rare.count, rare.what)
		}
	}
	fmt.Fprintln(w)
}

func (o netsimOutput) line(event any) {
	b, err := json.Marshal(event)
	if err != nil {
		panic(err) // a mistake in the structs above
	}
	fmt.Fprintf(o.w, "%s\n", b)
}
