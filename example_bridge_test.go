//go:build unix

package wzp_test

import (
	"context"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/wzp-voice/wzp"
)

// A bridge to another program, by two named pipes: what the room says goes into one as a WAV file without
// end, and what the program writes into the other is said in the room. Here the program is cat, so anna hears
// herself; it could as well be ffmpeg, sox or a telephone.
func Example_bridge() {
	addr, key, stop := startRelay()
	defer stop()
	dir, err := os.MkdirTemp("", "bridge")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	heard, said := filepath.Join(dir, "heard"), filepath.Join(dir, "said")
	for _, pipe := range []string{heard, said} {
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			log.Fatal(err)
		}
	}
	program := exec.Command("sh", "-c", `cat <"$0" >"$1"`, heard, said)
	if err := program.Start(); err != nil {
		log.Fatal(err)
	}

	client, room := join(addr, key, "bridge")
	defer client.Close()
	sink, err := wzp.CreateStream(heard)
	if err != nil {
		log.Fatal(err)
	}
	source, err := wzp.OpenStream(said)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := room.Publish(source, wzp.PublishConfig{}); err != nil {
		log.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := room.Play(context.Background(), wzp.PlayConfig{Mix: sink}); err != nil {
			log.Print(err)
		}
	})

	hearsItself(addr, key, "anna")

	room.Leave()
	wg.Wait()
	sink.Close()       // the program sees the end of its input,
	_ = program.Wait() // and ends, however it says so
	// Output:
	// anna is heard by bridge, and hears it
}
