package test

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
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

// pushToTalk switches the microphone on and off, and checks that the listener hears that and nothing else.
func pushToTalk(t *testing.T, r *relay, c *client, keys io.Writer) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "heard.wav")
	listener := join(t, r.addr, "room", "--in", "none", "--out", out)
	c.talking(1, false)
	time.Sleep(500 * time.Millisecond)
	if _, heard := listener.find(0, func(e event) bool { return e.Event == "talker" }); heard {
		t.Error("something was sent before the space bar was pressed")
	}
	c.press(keys, " ")
	on := c.talking(2, true)
	time.Sleep(time.Second)
	c.press(keys, "x ") // other keys do nothing
	off := c.talking(3, false)
	time.Sleep(time.Second)
	got := listener.leave()

	said := off.TS.Sub(on.TS) + audio.DefaultPreRoll
	if s := got.talker(t, "anna"); s.Received < 40 || int64(s.Received) > int64(said/(20*time.Millisecond))+10 {
		t.Errorf("%d packets were heard of %v", s.Received, said)
	}
	pcm := heard(t, out)
	loud := 0
	for at := 0; at+480 <= len(pcm); at += 480 {
		if audio.Level(pcm[at:at+480]) > -40 {
			loud++
		}
	}
	if sounded := time.Duration(loud) * 10 * time.Millisecond; sounded < said*3/4 || sounded > said*5/4+100*time.Millisecond {
		t.Errorf("%v are heard of %v", sounded, said)
	}
	if level := audio.Level(pcm[len(pcm)-4800:]); level > -60 {
		t.Errorf("after the microphone was closed %.0f dBFS are heard", level)
	}
}
