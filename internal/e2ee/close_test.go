package e2ee

import (
	"bytes"
	"errors"
	"sync"
	"testing"
)

func TestClosedTalker(t *testing.T) {
	a, b, c, s := armed(t)
	other := a.stream(t, 1)
	a.sees(b)
	d, _ := a.talker.Step(at(10)) // c left
	key, waiting := *a.talker.key.w, *a.talker.waiting.w
	a.talker.Close()
	a.talker.Close()
	for _, w := range [][]byte{key, waiting} {
		if !bytes.Equal(w, make([]byte, len(w))) {
			t.Fatalf("a key of %d bytes is still there", len(w))
		}
	}
	for _, sealer := range []*Sealer{s, other} {
		if _, _, _, err := sealer.Seal(nil, []byte("words")); err != ErrStreamClosed {
			t.Fatalf("Seal: %v, want ErrStreamClosed", err)
		}
		if sealer.key != nil {
			t.Fatal("a stream still has its key")
		}
		sealer.Close()
	}
	deliver(t, a, d, at(10), b) // what was made before can still be sent

	// Nothing starts it again.
	a.talker.Arm(suite32)
	if _, err := a.talker.Stream(2); !errors.Is(err, errTalkerClosed) {
		t.Fatalf("Stream: %v", err)
	}
	a.sees(b, c)
	a.talker.Wanted(b.hash.Member())
	a.talker.Delivered(d.Number())
	a.step(t, at(20), false, never)
	a.talker.Disarm()
	if a.talker.key != nil || a.talker.waiting != nil {
		t.Fatal("there is a key")
	}
}

func TestClosingATalkerThatWasNeverArmed(t *testing.T) {
	a := newParty(t, "a")
	a.talker.Close()
	a.step(t, at(0), false, never)
}

// Sealers on other goroutines stop, and say why.
func TestCloseWhileSealing(t *testing.T) {
	a, _, _, s := armed(t)
	sealers := []*Sealer{s, a.stream(t, 1), a.stream(t, 2)}
	var begun, done sync.WaitGroup
	begun.Add(len(sealers))
	for _, sealer := range sealers {
		done.Go(func() {
			begin := sync.OnceFunc(begun.Done)
			for {
				if _, _, _, err := sealer.Seal(nil, []byte("words")); err != nil {
					if err != ErrStreamClosed {
						t.Errorf("Seal: %v, want ErrStreamClosed", err)
					}
					sealer.Close()
					return
				}
				begin()
			}
		})
	}
	begun.Wait()
	a.talker.Close()
	done.Wait()
}
