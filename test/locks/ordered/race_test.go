//go:build race

package ordered

import (
	"os"
	"strings"
	"testing"
)

// TestRaceIsSeen has two goroutines write one variable, each with a lock of its own: that these know what
// goroutines hold must not look like an order between them.
func TestRaceIsSeen(t *testing.T) {
	if os.Getenv("WZP_SCENE") != "" {
		n := 0
		done := make(chan struct{})
		write := func() {
			var mu Mutex[first]
			for range 1000 {
				mu.Lock()
				n++
				mu.Unlock()
			}
		}
		go func() {
			write()
			close(done)
		}()
		write()
		<-done
		return
	}
	if out, status := playScene(t, "TestRaceIsSeen", "race"); status == 0 ||
		!strings.Contains(out, "DATA RACE") {
		t.Errorf("status %d:\n%s", status, out)
	}
}
