package main

import (
	"context"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/wzp-voice/wzp"
)

// pushToTalk lets the space bar open and close the microphone, and q or Ctrl-C leave. A terminal does not
// tell when a key is released, so each press switches. Without a terminal the same bytes are read from
// standard input.
func pushToTalk(ctx context.Context, stop context.CancelFunc, p *wzp.Publication, out *joinOutput, wg *sync.WaitGroup) {
	fd := int(os.Stdin.Fd())
	if term.IsTerminal(fd) {
		if state, err := term.MakeRaw(fd); err == nil {
			out.raw.Store(true)
			wg.Go(func() {
				<-ctx.Done()
				out.raw.Store(false)
				_ = term.Restore(fd, state) // a terminal that is gone needs none
			})
		}
	}
	out.talking(false)
	// A read from a terminal cannot be interrupted; this goroutine ends with the process.
	go func() {
		var key [1]byte
		for {
			if n, err := os.Stdin.Read(key[:]); n == 0 || err != nil {
				return
			}
			switch key[0] {
			case ' ':
				on := !p.Talking()
				p.SetTalking(on)
				out.talking(on)
			case 'q', 3: // Ctrl-C does not raise a signal in raw mode
				stop()
				return
			}
		}
	}()
}
