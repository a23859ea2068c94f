package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/wzp-voice/wzp/internal/names"
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

	Block []string `sep:"none" placeholder:"up|down|both@START+DURATION" help:"Let nothing through for a while, such as both@10s+55s; repeatable."`

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
	proxy, err := simnet.ListenProxy(simnet.ProxyConfig{
		Listen: c.Listen, To: asciiAddress(c.To), Up: up, Down: down,
	})
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
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	if err := follow(ctx, proxy, timetable, c.RebindEvery, out); err != nil {
		return err
	}
	proxy.Close()
	out.summary(proxy.Stats(), time.Since(start))
	return nil
}

// asciiAddress is HOST:PORT as the resolver takes it, and other text as it is: the resolver says what is
// wrong.
func asciiAddress(text string) string {
	host, port, err := names.ParseAddress(text)
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
		{"loss", c.Loss}, {"burst", c.Burst}, {"burst-time", c.BurstTime}, {"delay", c.Delay},
		{"jitter", c.Jitter}, {"rate", c.Rate}, {"queue", c.Queue}, {"reorder", c.Reorder},
		{"duplicate", c.Duplicate}, {"seed", &c.Seed},
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
func overridden(p simnet.Profile, flag string, values *string) (_ simnet.Profile, err error) {
	prefix := "--" // an error of Validate begins with a flag's name
	if values != nil {
		prefix = "--" + flag + ": "
		p, err = p.With(*values)
	}
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		err = usagef("%s%w", prefix, err)
	}
	return p, err
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

// follow blocks and rebinds the proxy on time until ctx ends.
func follow(
	ctx context.Context, proxy *simnet.Proxy, timetable []switchover, rebindEvery time.Duration,
	out netsimOutput,
) error {
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
			out.event("rebind", struct{}{}, "clients moved to new ports")
		case <-next:
			s := timetable[0]
			timetable = timetable[1:]
			state := "open"
			if depth[s.direction]--; s.on {
				depth[s.direction] += 2
			}
			on := depth[s.direction] > 0
			if on {
				state = "blocked"
			}
			proxy.Block(s.direction, on)
			out.event("block", struct {
				Direction string `json:"direction"`
				On        bool   `json:"on"`
			}{s.direction.String(), on}, fmt.Sprintf("%v is %s", s.direction, state))
		}
	}
}

// netsimOutput prints for people or, with --json, for programs.
type netsimOutput struct {
	w    io.Writer
	json bool
}

// event prints what happened: v, or words for people.
func (o netsimOutput) event(name string, v any, human string) {
	if o.json {
		_ = printEvent(o.w, name, v) // whoever reads has gone
		return
	}
	fmt.Fprintln(o.w, human)
}

func (o netsimOutput) listening(proxy *simnet.Proxy, up, down simnet.Profile) {
	o.event("listening", struct {
		Addr string `json:"addr"`
		To   string `json:"to"`
		Up   string `json:"up_profile"`
		Down string `json:"down_profile"`
	}{proxy.Addr().String(), proxy.Target().String(), up.String(), down.String()},
		fmt.Sprintf("listening on %v, forwarding to %v\nup:   %v\ndown: %v",
			proxy.Addr(), proxy.Target(), up, down))
}

func (o netsimOutput) summary(s simnet.ProxyStats, took time.Duration) {
	s.Up.Failed += s.Up.Overflow
	s.Down.Failed += s.Down.Overflow
	o.event("summary", struct {
		simnet.ProxyStats
		Seconds float64 `json:"seconds"`
	}{s, took.Seconds()}, fmt.Sprintf("up:   %s\ndown: %s\n%d clients in %v",
		directionText(s.Up), directionText(s.Down), s.ClientsTotal, took.Round(time.Millisecond)))
}

// directionText is what became of the packets of a direction, without the counts that are rarely anything but
// 0.
func directionText(d simnet.ProxyDirectionStats) string {
	lost := 0.0
	if d.Sent > 0 {
		lost = 100 * float64(d.Lost) / float64(d.Sent)
	}
	text := fmt.Sprintf("%d packets in (%d bytes), %d lost (%.1f %%), %d dropped by the queue, "+
		"%d out (%d bytes)", d.Sent, d.BytesSent, d.Lost, lost, d.QueueDropped, d.Out, d.BytesOut)
	for _, rare := range []struct {
		count uint64
		what  string
	}{
		{d.Blocked, "blocked"}, {d.Duplicated, "duplicated"}, {d.Reordered, "reordered"},
		{d.Failed, "refused by the system"}, {d.InFlight, "still under way"},
	} {
		if rare.count > 0 {
			text += fmt.Sprintf(", %d %s", rare.count, rare.what)
		}
	}
	return text
}
