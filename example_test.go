package wzp_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/relay"
)

// startRelay runs a relay in this process, on a free port. Programs connect to one that runs elsewhere.
func startRelay() (addr string, key identity.Fingerprint, stop func()) {
	id := identity.NewSeed().Identity()
	r, err := relay.New(relay.Config{Identity: id, Listen: "127.0.0.1:0", Sockets: 1})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			log.Print(err)
		}
	})
	return r.Addr().String(), id.Fingerprint(), func() {
		cancel()
		wg.Wait()
	}
}

// join joins the room "kitchen".
func join(addr string, key identity.Fingerprint, name string) (*wzp.Client, *wzp.Room) {
	client, err := wzp.NewClient(addr, wzp.Config{Name: name, RelayKey: key})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	room, err := client.Join(ctx, "kitchen", wzp.JoinConfig{})
	if err != nil {
		log.Fatal(err)
	}
	return client, room
}

// NewClient names a relay and how to know it: by its fingerprint, or by what was kept of the first visit.
func ExampleNewClient() {
	addr, key, stop := startRelay()
	defer stop()

	client, err := wzp.NewClient(addr, wzp.Config{Name: "anna", RelayKey: key})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Println("a fingerprint has", len(client.Identity().Fingerprint().String()), "characters")

	_, err = wzp.NewClient("relay.example", wzp.Config{RelayKey: key})
	fmt.Println(err)
	// Output:
	// a fingerprint has 39 characters
	// the relay's address: "relay.example" has no port; HOST:PORT is wanted, such as relay.example:4433
}

// Join returns once the relay has let the client in; Events then tells what happens there.
func ExampleClient_Join() {
	addr, key, stop := startRelay()
	defer stop()
	anna, kitchen := join(addr, key, "anna")
	defer anna.Close()

	bert, his := join(addr, key, "bert")
	defer bert.Close()

	for event := range kitchen.Events() {
		switch e := event.(type) {
		case wzp.MemberJoined:
			fmt.Println(e.Member.Name, "is here")
			his.Leave()
		case wzp.MemberLeft:
			fmt.Println(e.Member.Name, "has left")
			kitchen.Leave() // ends the loop
		case wzp.Ended:
			fmt.Println("ended:", e.Err)
		}
	}
	// Output:
	// bert is here
	// bert has left
	// ended: <nil>
}

// Publish sends what a source captures; with push-to-talk nothing leaves before the key is pressed.
func ExampleRoom_Publish() {
	addr, key, stop := startRelay()
	defer stop()
	anna, kitchen := join(addr, key, "anna")
	defer anna.Close()
	defer kitchen.Leave()

	tone, err := wzp.NewTone(440)
	if err != nil {
		log.Fatal(err)
	}
	p, err := kitchen.Publish(tone, wzp.PublishConfig{Bitrate: 16_000, PushToTalk: true})
	if err != nil {
		log.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	fmt.Println("packets sent while muted:", kitchen.Stats().PacketsSent)

	p.SetTalking(true)
	for kitchen.Stats().PacketsSent == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	p.Stop()
	fmt.Println("sent after the key was pressed:", kitchen.Stats().PacketsSent > 0, p.Err())
	// Output:
	// packets sent while muted: 0
	// sent after the key was pressed: true <nil>
}

// meter is a Sink that tells when it has been given sound.
type meter struct{ heard chan struct{} }

func (m *meter) WriteFrame(pcm []float32) error {
	for _, v := range pcm {
		if v > 0.1 {
			select {
			case m.heard <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

func (m *meter) Close() error { return nil }

// Play mixes what all others say into one sink, or gives each of them one of their own.
func ExampleRoom_Play() {
	addr, key, stop := startRelay()
	defer stop()
	anna, kitchen := join(addr, key, "anna")
	defer anna.Close()
	bert, his := join(addr, key, "bert")
	defer bert.Close()

	tone, err := wzp.NewTone(440)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := his.Publish(tone, wzp.PublishConfig{}); err != nil {
		log.Fatal(err)
	}

	speaker := &meter{heard: make(chan struct{}, 1)}
	config := wzp.PlayConfig{Mix: speaker, Each: func(stream wzp.Stream) (wzp.Sink, error) {
		fmt.Println(stream.Member().Name, "is heard")
		return &meter{}, nil
	}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := kitchen.Play(ctx, config); err != nil {
			log.Print(err)
		}
	})
	<-speaker.heard
	cancel()
	wg.Wait()
	kitchen.Leave()
	his.Leave()
	// Output:
	// bert is heard
}
