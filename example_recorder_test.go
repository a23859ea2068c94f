package wzp_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"

	"github.com/wzp-voice/wzp"
)

// A recorder: what each talker says goes to a file of its own. It leaves when somebody else does.
func Example_recorder() {
	addr, key, stop := startRelay()
	defer stop()
	dir, err := os.MkdirTemp("", "recordings")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	client, room := join(addr, key, "recorder")
	defer client.Close()
	recording := make(chan wzp.Member, 1)
	config := wzp.PlayConfig{Each: func(stream wzp.Stream) (wzp.Sink, error) {
		m := stream.Member()
		recording <- m
		return wzp.CreateWAV(filepath.Join(dir, m.ID.String()+".wav")) // a name may be anything, an id not
	}}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := room.Play(context.Background(), config); err != nil { // until the room is left
			log.Print(err)
		}
	})
	wg.Go(func() {
		for event := range room.Events() {
			if _, left := event.(wzp.MemberLeft); left {
				room.Leave()
			}
		}
	})

	anna, hers := join(addr, key, "anna")
	defer anna.Close()
	said, err := hers.Publish(&beeps{count: 3}, wzp.PublishConfig{})
	if err != nil {
		log.Fatal(err)
	}
	talker := <-recording
	said.Err()
	hers.Leave()

	wg.Wait()
	info, err := os.Stat(filepath.Join(dir, talker.ID.String()+".wav"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(talker.Name, "was recorded:", info.Size() > 10_000)
	// Output:
	// anna was recorded: true
}
