package drops

import (
	"os"
	"strings"
	"testing"
)

// TestEveryReasonIsListed wants each reason to have labels and words of its own, and a line of
// docs/operations.md that has both labels.
func TestEveryReasonIsListed(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for r := None + 1; r < Reasons; r++ {
		name := r.What() + " " + r.Label()
		if r.What() == "" || r.Label() == "" || r.String() == "" || seen[name] {
			t.Errorf("reason %d is %q: %q", r, name, r)
		}
		seen[name] = true
		listed := false
		for line := range strings.Lines(string(text)) {
			listed = listed || strings.HasPrefix(line, "| "+r.What()+" |") &&
				strings.Contains(line, "`"+r.Label()+"`")
		}
		if !listed {
			t.Errorf("docs/operations.md does not list %s", name)
		}
	}
}

// TestCounters counts some of everything.
func TestCounters(t *testing.T) {
	var c Counters
	c.Add(Forged, 2)
	c.AddBytes(MemberRate, 100)
	c.AddBytes(MemberRate, 50)
	if c.Count(Forged, MemberRate) != 4 || c.Bytes(MemberRate) != 150 || c.Count(Replayed) != 0 {
		t.Errorf("%s, %d bytes", &c, c.Bytes(MemberRate))
	}
	if got := c.String(); got != "media member_rate: 2; packet forged: 2; " {
		t.Errorf("%q", got)
	}
}
