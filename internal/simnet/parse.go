package simnet

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// values are those of a Profile as they are written, in the order of [Profile.String].
var values = []struct {
	name string
	of   func(*Profile) any
}{
	{"loss", func(p *Profile) any { return &p.Loss }},
	{"burst", func(p *Profile) any { return &p.Burst }},
	{"burst-time", func(p *Profile) any { return &p.BurstTime }},
	{"delay", func(p *Profile) any { return &p.Delay }},
	{"jitter", func(p *Profile) any { return &p.Jitter }},
	{"reorder", func(p *Profile) any { return &p.Reorder }},
	{"duplicate", func(p *Profile) any { return &p.Duplicate }},
	{"rate", func(p *Profile) any { return &p.Rate }},
	{"queue", func(p *Profile) any { return &p.Queue }},
	{"seed", func(p *Profile) any { return &p.Seed }},
}

// With returns p with the values that s overrides, such as "loss=0.6,delay=150ms": names and forms as in
// [Profile.Set], each name at most once, no blanks. The result is not validated, so that several overrides
// may be applied before [Profile.Validate].
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

// Set parses one value: loss, reorder, duplicate (0 to 1), burst (packets), burst-time, delay, jitter (Go
// durations), rate (bit/s, such as 1.5M), queue (bytes, such as 64k) or seed (a whole number).
func (p *Profile) Set(name, value string) (err error) {
	names := make([]string, len(values))
	for i, v := range values {
		if names[i] = v.name; v.name != name {
			continue
		}
		switch into := v.of(p).(type) {
		case *float64:
			*into, err = parseNumber(value)
		case *time.Duration:
			*into, err = parseDuration(value)
		case *int64:
			*into, err = parseRate(value)
		case *int:
			*into, err = parseSize(value)
		case *uint64:
			if *into, err = strconv.ParseUint(value, 10, 64); err != nil {
				err = fmt.Errorf("%q is not a whole number", value)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	last := len(names) - 1
	return fmt.Errorf("unknown name %q: use %s or %s", name, strings.Join(names[:last], ", "), names[last])
}

// String returns the values that are not zero in the form that [Profile.With] reads, such as
// "loss=0.3,delay=150ms".
func (p Profile) String() string {
	var list []string
	for _, v := range values {
		value := reflect.ValueOf(v.of(&p)).Elem()
		if value.IsZero() {
			continue
		}
		text := fmt.Sprint(value)
		if value.Kind() == reflect.Float64 {
			text = strconv.FormatFloat(value.Float(), 'f', -1, 64)
		}
		list = append(list, v.name+"="+text)
	}
	return strings.Join(list, ",")
}

// parseScaled reads a number with one of the units k, M and G, if any; a rate in bit/s has decimal ones
// ("32k" is 32,000), a size in bytes binary ones ("64k" is 65,536). Rates of 0 are no limit.
func parseScaled(s string, base, most float64, what string) (int64, error) {
	digits, scale := s, 1.0
	for i, unit := range []string{"k", "M", "G"} {
		if number, ok := strings.CutSuffix(strings.Replace(s, "K", "k", 1), unit); ok {
			digits, scale = number, math.Pow(base, float64(i+1))
		}
	}
	v, err := parseNumber(digits)
	if v = math.Round(v * scale); err != nil || v > most {
		return 0, fmt.Errorf("%q is not %s", s, what)
	}
	return int64(v), nil
}

// parseRate reads a rate in bit/s.
func parseRate(s string) (int64, error) {
	return parseScaled(s, 1000, 1<<53, "a rate in bit/s, as in 32k or 1.5M")
}

// parseSize reads a size in bytes.
func parseSize(s string) (int, error) {
	v, err := parseScaled(s, 1024, math.MaxInt32, "a size in bytes, as in 1500 or 64k")
	return int(v), err
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
func (d Direction) String() string { return [...]string{"none", "up", "down", "both"}[d&Both] }

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
	b := Blackout{Direction: map[string]Direction{"up": Up, "down": Down, "both": Both}[direction]}
	var err, err2 error
	b.At, err = parseDuration(at)
	b.For, err2 = parseDuration(length)
	if b.Direction == 0 || err != nil || err2 != nil || b.For == 0 || b.At+b.For < b.At { // overflow
		return Blackout{}, bad
	}
	return b, nil
}

// String returns what [ParseBlackout] reads.
func (b Blackout) String() string { return fmt.Sprintf("%v@%v+%v", b.Direction, b.At, b.For) }
