package wzp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"time"

	"github.com/wzp-voice/wzp"
)

// beeps is a Source of so many beeps of 150 ms, with pauses as long between them.
type beeps struct {
	count int
	start time.Time
	read  int64 // samples
}

const beep = wzp.SampleRate * 150 / 1000

func (b *beeps) ReadFrame(ctx context.Context, dst []float32) (int, error) {
	if b.start.IsZero() {
		b.start = time.Now()
	}
	left := int64(2*b.count*beep) - b.read
	if left <= 0 {
		return 0, io.EOF
	}
	n := int(min(left, int64(len(dst))))
	clear(dst)
	for i := range dst[:n] {
		if at := b.read + int64(i); at/beep%2 == 0 {
			dst[i] = float32(0.3 * math.Sin(2*math.Pi*880*float64(at)/wzp.SampleRate))
		}
	}
	b.read += int64(n)
	select { // a source is as fast as time
	case <-time.After(time.Until(b.start.Add(time.Duration(b.read) * time.Second / wzp.SampleRate))):
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (b *beeps) Start() time.Time { return b.start }
func (b *beeps) Close() error     { return nil }

// A bot that says the time: it joins, beeps once for each hour, and leaves. What it needs is a Source of its
// own.
func Example_clock() {
	addr, key, stop := startRelay()
	defer stop()

	client, clock := join(addr, key, "clock")
	defer client.Close()
	now := time.Date(2026, time.March, 3, 15, 0, 0, 0, time.UTC) // or time.Now()
	hour := (now.Hour()+11)%12 + 1
	said, err := clock.Publish(&beeps{count: hour}, wzp.PublishConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if err := said.Err(); err != nil { // waits until all was said
		log.Fatal(err)
	}
	if err := clock.Leave(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(hour, "beeps, packets sent:", clock.Stats().PacketsSent > 0)
	// Output:
	// 3 beeps, packets sent: true
}
