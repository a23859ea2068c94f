package main

import (
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/wzp-voice/wzp"
)

// rawTerminal is standard input in raw mode: single keys are seen, and lines need carriage returns.
type rawTerminal struct {
	fd    int
	state *term.State
	once  sync.Once
}

// restore gives the terminal back as it was. A terminal that is gone needs nothing.
func (t *rawTerminal) restore() {
	if t != nil {
		t.once.Do(func() { _ = term.Restore(t.fd, t.state) })
	}
}

// pushToTalk lets the space bar open and close the microphone, h raise and lower the hand, and q, Ctrl-C or
// Ctrl-\ leave. A terminal does not tell when a key is released, so each press switches. When the terminal is
// gone the stay ends, for nobody can talk.
func (s *stay) pushToTalk(p *wzp.Publication) {
	fd := int(os.Stdin.Fd())
	if state, err := term.MakeRaw(fd); err == nil {
		s.out.terminal.Store(&rawTerminal{fd: fd, state: state})
		s.run(func() {
			<-s.ctx.Done()
			s.out.restoreTerminal()
		})
	}
	s.out.talking(false)
	// A read from a terminal cannot be interrupted; this goroutine ends with the process.
	go func() {
		defer s.out.rescue()
		defer s.stop()
		var key [1]byte
		for {
			if n, err := os.Stdin.Read(key[:]); n == 0 || err != nil {
				return
			}
			switch key[0] {
			case ' ':
				on := !p.Talking()
				p.SetTalking(on)
				s.out.talking(on)
			case 'h', 'H':
				up := !p.Hand()
				p.SetHand(up)
				s.out.ownHand(up)
			case 'q', 0x03, 0x1c: // Ctrl-C and Ctrl-\ do not raise signals in raw mode
				return
			}
		}
	}()
}
