package simnet

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// With returns p with the values that s overrides, such as "loss=0.6,delay=150ms": names and forms
// as in [Profile.Set], each name at most once, no blanks. The result is not validated, so that
// several overrides may be applied before [Profile.Validate].
func (p Profile) With(s string) (Profile, error) {
	seen := make(map[string]bool)
	for item := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return Profile{}, fmt.Errorf("%q is not name=value, as in loss=0.6,delay=150ms", item)
		}
		if seen[name] {
			return Profile{}, fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		if err := p.Set(name, value); err != nil {
			return Profile{}, err
		}
	}
	return p, nil
}

// Set parses one value: loss, reorder, duplicate (0 to 1), burst (packets), burst-time, delay,
// jitter (Go durations), rate ([ParseRate]), queue ([ParseSize]) or seed (a whole number).
func (p *Profile) Set(name, value string) error {
	var err error
	switch name {
	case "loss":
		p.Loss, err = parseNumber(value)
	case "burst":
		p.Burst, err = parseNumber(value)
	case "burst-time":
		p.BurstTime, err = parseDuration(value)
	case "delay":
		p.Delay, err = parseDuration(value)
	case "jitter":
		p.Jitter, err = parseDuration(value)
	case "reorder":
		p.Reorder, err = parseNumber(value)
	case "duplicate":
		p.Duplicate, err = parseNumber(value)
	case "rate":
		p.Rate, err = ParseRate(value)
	case "queue":
		p.Queue, err = ParseSize(value)
	case "seed":
		if p.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
			err = fmt.Errorf("%q is not a whole number", value)
		}
	default:
		return fmt.Errorf("unknown name %q: use loss, burst, burst-time, delay, jitter, reorder, duplicate, rate, queue or seed", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ParseRate reads a rate in bit/s with an optional decimal unit: "32k" is 32,000 and "1.5M" is
// 1,500,000; 0 is no limit.
func ParseRate(s string) (int64, error) {
	v, err := parseScaled(s, 1000)
	if err != nil {
		return 0, fmt.Errorf("%q is not a rate in bit/s, as in 32k or 1.5M", s)
	}
	return v, nil
}

// ParseSize reads a size in bytes with an optional binary unit: "64k" is 65,536.
func ParseSize(s string) (int, error) {
	v, err := parseScaled(s, 1024)
	if err != nil || v > math.MaxInt32 {
		return 0, fmt.Errorf("%q is not a size in bytes, as in 1500 or 64k", s)
	}
	return int(v), nil
}

// parseScaled reads digits, a fraction at most, and one of k, M and G.
func parseScaled(s string, base float64) (int64, error) {
	scale := 1.0
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 'k', 'K':
			scale = base
		case 'M':
			scale = base * base
		case 'G':
			scale = base * base * base
		}
		if scale > 1 {
			s = s[:n-1]
		}
	}
	v, err := parseNumber(s)
	if err != nil {
		return 0, err
	}
	v = math.Round(v * scale)
	if v > 1<<53 {
		return 0, errors.New("too large")
	}
	return int64(v), nil
}

// parseNumber reads plain decimals: no sign, exponent, hexadecimal digits, Inf or NaN.
func parseNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.Trim(s, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a number, as in 0.3", s)
	}
	return v, nil
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration, as in 150ms or 2s", s)
	}
	return d, nil
}

// Direction is one of the two ways through a [Proxy], or both of them.
type Direction uint8

const (
	Up   Direction = 1 << iota // from the client to the target
	Down                       // from the target to the client

	Both = Up | Down
)

// String returns "up", "down" or "both".
func (d Direction) String() string {
	switch d {
	case Up:
		return "up"
	case Down:
		return "down"
	case Both:
		return "both"
	}
	return fmt.Sprintf("Direction(%d)", uint8(d))
}

// Blackout is a time in which nothing gets through.
type Blackout struct {
	Direction Direction
	At        time.Duration // since the start
	For       time.Duration // positive
}

// ParseBlackout reads "DIRECTION@START+DURATION", such as "both@10s+55s".
func ParseBlackout(s string) (Blackout, error) {
	bad := fmt.Errorf("%q is not up|down|both@START+DURATION, as in both@10s+55s", s)
	direction, span, ok := strings.Cut(s, "@")
	at, length, ok2 := strings.Cut(span, "+")
	if !ok || !ok2 {
		return Blackout{}, bad
	}
	var b Blackout
	switch direction {
	case "up":
		b.Direction = Up
	case "down":
		b.Direction = Down
	case "both":
		b.Direction = Both
	default:
		return Blackout{}, bad
	}
	var err, err2 error
	b.At, err = parseDuration(at)
	b.For, err2 = parseDuration(length)
	if err != nil || err2 != nil || b.For == 0 || b.At+b.For < b.At { // overflow
		return Blackout{}, bad
	}
	return b, nil
}

// String returns what [ParseBlackout] reads.
func (b Blackout) String() string {
	return fmt.Sprintf("%v@%v+%v", b.Direction, b.At, b.For)
}
