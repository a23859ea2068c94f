package test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// contention tells how busy the machine is: while programs wait for a processor, sound comes late, and that
// is not the program's fault. Linux counts it (pressure stall information, Documentation/accounting/psi.rst);
// elsewhere a machine counts as calm.
type contention struct {
	begin  time.Time
	waited time.Duration
}

func measureContention() contention { return contention{time.Now(), cpuPressure()} }

// cpuPressure is the time in which at least one program waited for a processor, since the machine started.
func cpuPressure() time.Duration {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	_, total, _ := strings.Cut(string(text), "total=")
	var us int64
	fmt.Sscan(total, &us)
	return time.Duration(us) * time.Microsecond
}

// stop ends the measurement and says how many of so many 20 ms frames the machine may have spoilt: none
// while measuring, and else one for each 100 ms of waiting, at most an eighth.
func (c contention) stop(t *testing.T) (excuses func(frames int) int) {
	t.Helper()
	waited, took := cpuPressure()-c.waited, time.Since(c.begin)
	if share := waited.Seconds() / took.Seconds(); share > 0.2 || measuring {
		t.Logf("for %.0f %% of the time something waited for a processor", 100*share)
	}
	return func(frames int) int {
		if measuring {
			return 0
		}
		return min(int(waited/(100*time.Millisecond)), frames/8)
	}
}

// latency is the limit for a figure: the strict one while measuring.
func latency(strict, generous time.Duration) time.Duration {
	if measuring {
		return strict
	}
	return generous
}

// besideOthers lets a test run at the same time as others, for it spends most of its time waiting. While measuring it is alone.
func besideOthers(t *testing.T) {
	t.Helper()
	if !measuring {
		t.Parallel()
	}
}
