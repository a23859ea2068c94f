package wzp_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
)

// echo is a Sink and the Source that says the same again, half a second later.
type echo struct {
	frames chan []float32
	left   []float32 // of the frame that is being read
	start  time.Time
}

func newEcho() *echo { return &echo{frames: make(chan []float32, 1000)} }

func (e *echo) WriteFrame(pcm []float32) error {
	select {
	case e.frames <- append([]float32(nil), pcm...):
	default: // a Sink does not block
	}
	return nil
}

func (e *echo) ReadFrame(ctx context.Context, dst []float32) (int, error) {
	if e.start.IsZero() {
		e.start = time.Now()
		e.left = make([]float32, wzp.SampleRate/2)
	}
	for n := 0; n < len(dst); {
		if len(e.left) == 0 {
			select {
			case e.left = <-e.frames: // comes as fast as time, for Play writes it so
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		copied := copy(dst[n:], e.left)
		n, e.left = n+copied, e.left[copied:]
	}
	return len(dst), nil
}

func (e *echo) Start() time.Time { return e.start }
func (e *echo) Close() error     { return nil }

// An echo, to test one's own sound: whatever is said in the room is said again.
func Example_echo() {
	addr, key, stop := startRelay()
	defer stop()

	client, room := join(addr, key, "echo")
	defer client.Close()
	echo := newEcho()
	if _, err := room.Publish(echo, wzp.PublishConfig{}); err != nil {
		log.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := room.Play(context.Background(), wzp.PlayConfig{Mix: echo}); err != nil {
			log.Print(err)
		}
	})

	hearsItself(addr, key, "anna")

	room.Leave()
	wg.Wait()
	// Output:
	// anna is heard by echo, and hears it
}

// hearsItself joins the room, says a tone and returns when sound comes back.
func hearsItself(addr string, key identity.Fingerprint, name string) {
	client, room := join(addr, key, name)
	defer client.Close()
	tone, err := wzp.NewTone(440)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := room.Publish(tone, wzp.PublishConfig{}); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	speaker := &meter{heard: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := room.Play(ctx, wzp.PlayConfig{Mix: speaker}); err != nil {
			log.Print(err)
		}
	})
	<-speaker.heard
	cancel()
	wg.Wait()
	for _, stream := range room.Heard() {
		fmt.Println(name, "is heard by", stream.Member().Name+", and hears it")
	}
	room.Leave()
}
