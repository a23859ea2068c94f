package peer

import (
	"bytes"
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// fakeSession takes urgent messages as a session does, with room for few.
type fakeSession struct {
	room  int
	over  bool
	taken []string
	done  []func(bool)
}

func (s *fakeSession) send(_ wire.UrgentKind, body []byte, done func(bool)) error {
	if s.over {
		return link.ErrOver
	}
	if len(s.done) >= s.room {
		return link.ErrUrgentFull
	}
	s.taken, s.done = append(s.taken, string(body)), append(s.done, done)
	return nil
}

// ack acknowledges the n oldest messages.
func (s *fakeSession) ack(n int) {
	done := s.done[:n:n]
	s.done = slices.Clone(s.done[n:])
	for _, f := range done {
		f(true)
	}
}

// add is put and feed.
func (o *outbox) add(kind wire.UrgentKind, body []byte, then func()) (ok bool) {
	ok = o.put(kind, body, then)
	o.feed()
	return ok
}

// waiting returns how many messages wait.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue)
}

func TestOutboxOrder(t *testing.T) {
	s := &fakeSession{room: 2}
	o := &outbox{send: s.send}
	for _, body := range []string{"a", "b", "c", "d", "e"} {
		if !o.add(wire.UrgentFederationRoom, []byte(body), nil) {
			t.Fatal("no room")
		}
	}
	if !slices.Equal(s.taken, []string{"a", "b"}) {
		t.Errorf("at first %q", s.taken)
	}
	s.ack(1)
	s.ack(2)
	o.add(wire.UrgentFederationRoom, []byte("f"), nil)
	s.ack(2)
	if want := []string{"a", "b", "c", "d", "e", "f"}; !slices.Equal(s.taken, want) {
		t.Errorf("%q, want %q", s.taken, want)
	}
	if n := o.waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// TestOutboxPut wants nothing to be sent while a message is put into the queue, and one goroutine to send
// all, in order, whoever comes while it does.
func TestOutboxPut(t *testing.T) {
	s := &fakeSession{room: 100}
	o := &outbox{send: s.send}
	o.put(wire.UrgentFederationRoom, []byte("a"), nil)
	if len(s.taken) != 0 {
		t.Error("it is sent by put")
	}
	within := true
	o.send = func(kind wire.UrgentKind, body []byte, done func(bool)) error {
		if !within {
			return s.send(kind, body, done)
		}
		within = false
		o.put(wire.UrgentFederationRoom, []byte("b"), nil)
		o.feed() // somebody else's: it leaves this to who is at it
		if len(s.taken) != 0 {
			t.Errorf("%q overtook", s.taken)
		}
		return link.ErrUrgentFull // but meanwhile there is room again
	}
	if o.feed(); !slices.Equal(s.taken, []string{"a", "b"}) {
		t.Errorf("sent %q", s.taken)
	}
	if n := o.waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
	o.send = func(wire.UrgentKind, []byte, func(bool)) error {
		o.close()
		return nil
	}
	o.add(wire.UrgentFederationRoom, []byte("c"), nil)
	if n := o.waiting(); n != 0 {
		t.Errorf("closed while it is sent: %d wait", n)
	}
}

func TestOutboxFull(t *testing.T) {
	s := &fakeSession{room: 1}
	o := &outbox{send: s.send}
	for i := range maxOutbox + 1 { // one is under way
		if !o.add(wire.UrgentFederationRoom, nil, nil) {
			t.Fatalf("no room for message %d", i)
		}
	}
	if o.add(wire.UrgentFederationRoom, nil, nil) {
		t.Error("room for one too many")
	}
	if n := o.waiting(); n != maxOutbox {
		t.Errorf("%d wait, want %d", n, maxOutbox)
	}
	o.close()
	s.ack(1)
	if len(s.taken) != 1 || !o.add(wire.UrgentFederationRoom, nil, nil) {
		t.Error("it goes on after it was closed")
	}
	if n := o.waiting(); n != 0 {
		t.Errorf("closed: %d wait", n)
	}
}

func TestOutboxOver(t *testing.T) {
	s := &fakeSession{room: 1}
	o := &outbox{send: s.send}
	o.add(wire.UrgentFederationRoom, nil, nil)
	o.add(wire.UrgentFederationRoom, nil, nil)
	s.over = true
	s.done[0](false)
	if n := o.waiting(); n != 0 || len(s.taken) != 1 {
		t.Errorf("%d wait, %d were taken", n, len(s.taken))
	}
}

func TestOutboxTooLong(t *testing.T) {
	s := &fakeSession{room: 1}
	o := &outbox{send: s.send}
	if !o.add(wire.UrgentFederationRoom, make([]byte, wire.MaxUrgent+1), nil) || len(s.taken) != 0 ||
		o.waiting() != 0 {
		t.Errorf("a message that is too long: taken %d, %d wait", len(s.taken), o.waiting())
	}
}

func TestOutboxThen(t *testing.T) {
	s := &fakeSession{room: 1}
	o := &outbox{send: s.send}
	var done bytes.Buffer
	for _, name := range "abc" {
		o.add(wire.UrgentFederationRoom, []byte(string(name)), func() {
			done.WriteRune(name)
			o.waiting() // it holds no lock
		})
	}
	s.ack(1)
	s.ack(1)
	s.done[0](false)
	if done.String() != "ab" {
		t.Errorf("done are %q, want ab", done.String())
	}
}
