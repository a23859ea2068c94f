package relay

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// eventLine is what a test looks at of a line of an event log.
type eventLine struct {
	Event, Room, Src, Reason string
	Hash                     string `json:"room_hash"`
	Seq                      uint64
	ToCount                  int `json:"to_count"`
	Participants             int
}

// readEvents returns the lines of some kinds.
func readEvents(t testing.TB, file string, kinds ...string) (lines []eventLine) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e eventLine
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(kinds, e.Event) {
			lines = append(lines, e)
		}
	}
	return lines
}

// TestEventLogRooms wants the log to tell when a room has members here.
func TestEventLogRooms(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events")
	inLab(t, Config{EventLog: file}, func(l *lab) {
		a, b, c := l.joined("r"), l.joined("r"), l.joined("other")
		a.ep.Close()
		time.Sleep(time.Second)
		b.ep.Close()
		time.Sleep(time.Second)
		l.joined("r")
		c.ep.Close()
		time.Sleep(time.Second)
		l.stop() // that the relay ends is an end for the last one, too
		var got []string
		for _, e := range readEvents(t, file, "room_active", "room_inactive", "member_joined",
			"member_left") {
			got = append(got, e.Event+" "+e.Room)
		}
		want := []string{
			"room_active r", "member_joined r", "member_joined r", "room_active other", "member_joined other",
			"member_left r", "member_left r", "room_inactive r", "room_active r", "member_joined r",
			"member_left other", "room_inactive other", "member_left r", "room_inactive r",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
	})
}

// TestEventLogUndelivered wants the log to name each packet that a member did not get, and why.
func TestEventLogUndelivered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events")
	inLab(t, Config{EventLog: file, MediaRate: 60}, func(l *lab) {
		a, b, c := l.joined("r"), l.joined("r"), l.joined("r")
		const seconds = 12
		for i := range 50 * seconds {
			if i == 100 {
				l.net.Block(relayAddr.Addr(), c.addr.Addr(), true)
				l.net.Block(c.addr.Addr(), relayAddr.Addr(), true)
			}
			a.say(a.kid(0), 0, i, 1)
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond)))
		a.say(a.kid(0), 0, 50*seconds, 100)
		time.Sleep(time.Second)
		held := len(readEvents(t, file, "local_deliver_error"))
		if held < 50 {
			t.Errorf("%d packets were held back from a member who is gone", held)
		}
		for _, e := range readEvents(t, file, "local_deliver_error") {
			if e.Room != "r" || e.Src != a.member.String() || e.Seq < 100 ||
				!strings.Contains(e.Reason, c.member.String()) {
				t.Fatalf("%+v", e)
			}
		}
		delivered := 0
		for _, e := range readEvents(t, file, "local_deliver") {
			delivered += e.ToCount
		}
		limited := readEvents(t, file, "rate_limit_drop")
		if in := len(readEvents(t, file, "media_in")); delivered+held != 2*(in-len(limited)) ||
			len(limited) < 40 {
			t.Errorf("%d packets came, %d of them were dropped, %d delivered, %d held back", in, len(limited),
				delivered, held)
		}
		if n := b.ears.heard(a.kid(0)); n < 50*seconds {
			t.Errorf("the other member heard %d", n)
		}
	})
}
