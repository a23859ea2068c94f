package peer

import (
	"testing"
	"time"
)

// TestCopiedIdentity runs two relays with one identity, which dial the same one. The other one dials them,
// too, or does not.
func TestCopiedIdentity(t *testing.T) {
	for name, dials := range map[string]bool{"it is dialled": false, "it dials as well": true} {
		t.Run(name, func(t *testing.T) {
			inLinkLab(t, func(l *linkLab) {
				hub, original, twin := l.relay(1), l.relay(2), l.relay(3)
				twin.id = original.id
				if dials {
					hub.knows(original)
				} else {
					hub.trusts(original)
				}
				hub.up()
				original.knows(hub).up()
				time.Sleep(10 * time.Second)
				twin.knows(hub).up()
				time.Sleep(3 * time.Minute)
				lines := hub.logged.lines("two relays seem to run with the same identity")
				if len(lines) < 2 || len(lines) > 3 {
					t.Fatalf("in three minutes the log says %q", lines)
				}
				wantTexts(t, lines[0], "level=WARN", `label="relay 2"`, original.id.Fingerprint().String(),
					"10.0.0.2", "10.0.0.3",
					`do="make a new identity on one of them"`)
			})
		})
	}
}

// TestSwaps has links take each other's places, at some seconds.
func TestSwaps(t *testing.T) {
	type one struct {
		at       float64
		old, new string
	}
	for name, test := range map[string]struct {
		swaps []one
		warns int
	}{
		"none":    {nil, 0},
		"two":     {[]one{{0, "a", "b"}, {5, "b", "a"}}, 0},
		"in turn": {[]one{{0, "a", "b"}, {5, "b", "a"}, {10, "a", "b"}}, 1},
		"once a minute": {[]one{{0, "a", "b"}, {5, "b", "a"}, {10, "a", "b"}, {15, "b", "a"},
			{69, "a", "b"}}, 1},
		"on and on": {[]one{{0, "a", "b"}, {20, "b", "a"}, {40, "a", "b"}, {60, "b", "a"},
			{80, "a", "b"}, {101, "b", "a"}}, 2},
		"slowly":              {[]one{{0, "a", "b"}, {31, "b", "a"}, {62, "a", "b"}, {93, "b", "a"}}, 0},
		"restarts":            {[]one{{0, "a", "a"}, {5, "a", "a"}, {10, "a", "a"}}, 0},
		"attempts of a dial":  {[]one{{0, "a", "b"}, {2, "a", "b"}, {4, "a", "b"}, {5, "a", "b"}}, 0},
		"three move together": {[]one{{0, "a", "b"}, {10, "b", "c"}, {20, "c", "a"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var s swaps
			start := time.Now()
			warns := 0
			for _, swap := range test.swaps {
				if s.note(swap.old, swap.new, start.Add(time.Duration(swap.at*float64(time.Second)))) != nil {
					warns++
				}
			}
			if warns != test.warns || len(s.recent) > swapsMany {
				t.Errorf("%d warnings, want %d; %d are kept", warns, test.warns, len(s.recent))
			}
		})
	}
}
