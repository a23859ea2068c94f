package test

import (
	"io"
	"testing"
	"time"
)

// talking waits for the n-th report that push-to-talk was switched, and fails the test unless it is to on.
func (c *client) talking(n int, on bool) event {
	c.t.Helper()
	seen := 0
	e, ok := c.find(soon, func(e event) bool {
		if e.Event == "talking" {
			seen++
		}
		return seen == n
	})
	if !ok || e.Talking == nil || *e.Talking != on {
		c.t.Fatalf("the %d. switch of push-to-talk is %+v (%v), want %v", n, e, ok, on)
	}
	return e
}

func (c *client) press(keys io.Writer, key string) {
	c.t.Helper()
	if _, err := io.WriteString(keys, key); err != nil {
		c.t.Fatal(err)
	}
}

// pushToTalk switches the microphone on and off, and checks that something is sent only while it is on; then
// it raises the hand. How much is sent, and how it sounds, is TestPushToTalk in internal/call.
func pushToTalk(t *testing.T, r *relay, c *client, keys io.Writer) {
	t.Helper()
	listener := join(t, r.addr, "room", "--in", "none", "--out", "none")
	c.talking(1, false)
	time.Sleep(500 * time.Millisecond)
	if _, heard := listener.find(0, func(e event) bool { return e.Event == "talker" }); heard ||
		r.metric("media_in_packets_total") > 0 {
		t.Error("something was sent before the space bar was pressed")
	}
	c.press(keys, " ")
	c.talking(2, true)
	listener.hears("anna")
	c.press(keys, "x ") // other keys do nothing
	c.talking(3, false)
	sent := r.settled("media_in_packets_total")
	time.Sleep(time.Second)
	if more := r.metric("media_in_packets_total") - sent; more > 0 {
		t.Errorf("%v packets were sent after the microphone was closed", more)
	}
	c.press(keys, "h")
	for _, told := range []struct {
		to    *client
		event string
	}{{c, "own_hand"}, {listener, "hand"}} {
		if e := told.to.await(told.event, soon); e.Raised == nil || !*e.Raised {
			t.Errorf("of a hand that is up: %+v", e)
		}
	}
	s := listener.leave().talker(t, "anna")
	sent = r.metric("media_in_packets_total")
	if s.Received == 0 || float64(s.Received) > sent || s.Forged > 0 {
		t.Errorf("the relay got %v packets, the listener %+v", sent, s)
	}
}

// settled waits until a counter has stood still for a while, and returns it.
func (r *relay) settled(name string) float64 {
	r.t.Helper()
	last, since := r.metric(name), time.Now()
	for deadline := time.Now().Add(soon); time.Since(since) < time.Second; time.Sleep(50 * time.Millisecond) {
		if now := r.metric(name); now != last {
			last, since = now, time.Now()
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s goes on growing: %v", name, last)
		}
	}
	return last
}
