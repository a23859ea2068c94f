package federation

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wzp-voice/wzp/internal/wire"
)

// intakeLog is what an intake reported.
type intakeLog struct {
	mu        sync.Mutex // guards what follows
	throttled []throttled
	cuts      []string
}

func (l *intakeLog) reports() intakeReports {
	return intakeReports{
		throttled: func(t throttled) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.throttled = append(l.throttled, t)
		},
		cut: func(reason string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.cuts = append(l.cuts, reason)
		},
	}
}

// offer calls take rate times a second from begin on, for d, and returns how many it took.
func offer(take func(now time.Time) bool, rate int, begin time.Time, d time.Duration) (taken int) {
	n := int(d.Seconds() * float64(rate))
	for i := range n {
		if take(begin.Add(d * time.Duration(i) / time.Duration(n))) {
			taken++
		}
	}
	return taken
}

// inRoom returns an intake's takeMedia of a room.
func inRoom(in *intake, name string) func(now time.Time) bool {
	room := wire.HashRoom(name)
	return func(now time.Time) bool { return in.takeMedia(room, now) }
}

func TestIntakeStandards(t *testing.T) {
	want := intakeLimits{Media: 20_000, RoomMedia: 5_000, MemberMedia: 500, MediaBytes: 2_500_000, Urgent: 200, UrgentBurst: 2_000}
	if d := cmp.Diff(want, intakeLimits{}.withDefaults()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	want = intakeLimits{Media: 1, RoomMedia: 2, MemberMedia: 5, MediaBytes: 7, Urgent: 3, UrgentBurst: 30}
	if d := cmp.Diff(want, intakeLimits{Media: 1, RoomMedia: 2, MemberMedia: 5, MediaBytes: 7, Urgent: 3}.withDefaults()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestIntakeLimitsMedia(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 1000, RoomMedia: 600}, log.reports())
	for i, name := range []string{"a", "b", "c"} {
		taken := 0
		for range 700 {
			if in.takeMedia(wire.HashRoom(name), mediaEpoch) {
				taken++
			}
		}
		// The burst of a room; what is left of that of the peer; nothing.
		if want := []int{600, 300, 0}[i]; taken != want {
			t.Errorf("room %s: %d frames, want %d", name, taken, want)
		}
	}
	if got := in.total(); got.RoomLimited != 100 || got.MediaLimited != 400+700 {
		t.Errorf("counted %+v", got)
	}
	if n := offer(inRoom(in, "a"), 900, mediaTime(time.Second), 5*time.Second); n < 3595 || n > 3600 {
		t.Errorf("%d frames of a room in 5 s, want 600 and 600 a second", n)
	}
}

func TestIntakeLimitsUrgentMessages(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{}, log.reports())
	taken := 0
	for range 2500 {
		if in.takeUrgent(mediaEpoch) {
			taken++
		}
	}
	if taken != 2000 {
		t.Errorf("%d at once, want 2000", taken)
	}
	if n := offer(in.takeUrgent, 300, mediaEpoch, 10*time.Second); n < 1995 || n > 2000 {
		t.Errorf("%d in 10 s, want 200 a second", n)
	}
	if got := in.total().UrgentLimited; got < 1500 || got > 1505 {
		t.Errorf("%d were counted as not taken, want 1500", got)
	}
	if !in.takeMedia(wire.HashRoom("a"), mediaEpoch) {
		t.Error("media suffers from urgent messages")
	}
}

func TestIntakeReportsOnceAMinute(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 1000, RoomMedia: 100}, log.reports())
	offer(inRoom(in, "a"), 150, mediaEpoch, 70*time.Second)
	if len(log.throttled) != 2 {
		t.Fatalf("%d reports in 70 s: %+v", len(log.throttled), log.throttled)
	}
	first, second := log.throttled[0], log.throttled[1]
	want := throttled{Reason: "more than 100 media frames a second in one room", Room: wire.HashRoom("a"), Dropped: 1}
	if d := cmp.Diff(want, first); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if second.Dropped < 2900 || second.Dropped > 3100 {
		t.Errorf("%d dropped in a minute, want some 50 a second", second.Dropped)
	}
	if len(log.cuts) != 0 {
		t.Errorf("cut: %q", log.cuts)
	}
}

func TestIntakeCutsAFlood(t *testing.T) {
	limits := intakeLimits{Media: 1000, RoomMedia: 1000, Urgent: 100}
	for _, c := range []struct {
		name   string
		urgent bool
		rate   int
		cut    string
	}{
		{"media, not twice as much", false, 1900, ""},
		{"media", false, 2100, "2 times as much as 1000 media frames a second for 10 s"},
		{"urgent messages, repeats of what was not taken", true, 900, ""},
		{"urgent messages", true, 1100, "10 times as much as 100 urgent messages a second for 10 s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log intakeLog
			in := newIntake(limits, log.reports())
			take := inRoom(in, "a")
			if c.urgent {
				take = in.takeUrgent
			}
			if offer(take, c.rate, mediaEpoch, 9*time.Second); len(log.cuts) != 0 {
				t.Fatalf("cut within 9 s: %q", log.cuts)
			}
			offer(take, c.rate, mediaTime(9*time.Second), 6*time.Second)
			if c.cut == "" {
				if len(log.cuts) != 0 {
					t.Errorf("cut: %q", log.cuts)
				}
				return
			}
			if len(log.cuts) != 1 || log.cuts[0] != c.cut {
				t.Fatalf("cuts %q, want %q", log.cuts, c.cut)
			}
			if late := mediaTime(time.Minute); in.takeMedia(wire.HashRoom("b"), late) || in.takeUrgent(late) {
				t.Error("something was taken after the cut")
			}
			offer(take, c.rate, mediaTime(2*time.Minute), 15*time.Second)
			if len(log.cuts) != 1 {
				t.Errorf("cut %d times", len(log.cuts))
			}
		})
	}
}

func TestIntakeForgivesAPause(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 1000, RoomMedia: 1000}, log.reports())
	for i := range 4 {
		offer(inRoom(in, "a"), 3000, mediaTime(time.Duration(i)*15*time.Second), 8*time.Second)
	}
	if len(log.cuts) != 0 {
		t.Errorf("cut: %q", log.cuts)
	}
}

// A room that gets too much is throttled; the link stays for the others.
func TestIntakeOfOneRoomCutsNothing(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 10_000, RoomMedia: 100}, log.reports())
	begin := mediaEpoch
	for range 20 { // seconds
		offer(inRoom(in, "a"), 1000, begin, time.Second)
		if n := offer(inRoom(in, "b"), 50, begin, time.Second); n != 50 {
			t.Fatalf("%d of 50 frames of the other room", n)
		}
		begin = begin.Add(time.Second)
	}
	if len(log.cuts) != 0 {
		t.Errorf("cut: %q", log.cuts)
	}
}

func TestIntakeBoundsRooms(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{}, log.reports())
	hash := func(i int) wire.RoomHash { return wire.RoomHash{byte(i >> 8), byte(i)} }
	for i := range maxIntakeRooms + 10 {
		if in.takeMedia(hash(i), mediaEpoch) != (i < maxIntakeRooms) {
			t.Fatalf("room %d", i)
		}
	}
	if n := len(in.rooms.busy); n != maxIntakeRooms {
		t.Errorf("%d rooms", n)
	}
	if !in.takeMedia(hash(maxIntakeRooms), mediaTime(intakeSweep)) {
		t.Error("idle rooms leave no place for others")
	}
	if n := len(in.rooms.busy); n != 1 {
		t.Errorf("%d rooms, want 1", n)
	}
}

func TestIntakeConcurrently(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 1000, RoomMedia: 1000, Urgent: 10, UrgentBurst: 10}, log.reports())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			offer(inRoom(in, strings.Repeat("a", 1+i%2)), 1000, mediaEpoch, 15*time.Second)
			offer(in.takeUrgent, 100, mediaEpoch, 5*time.Second)
		})
	}
	wg.Wait()
	got := in.total()
	if sum := got.MediaLimited + got.RoomLimited; sum < 4*15_000-17_000 || len(log.cuts) > 1 {
		t.Errorf("%+v, %d cuts", got, len(log.cuts))
	}
}

func TestIntakeAllocatesNothing(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 100, RoomMedia: 50}, log.reports())
	take, now := inRoom(in, "a"), mediaEpoch
	take(now)
	if allocs := testing.AllocsPerRun(2000, func() { // more than may be
		now = now.Add(6 * time.Millisecond)
		take(now)
	}); allocs > 0 {
		t.Errorf("%v allocations a frame", allocs)
	}
}

// TestIntakeOfOneMember wants one member not to send more than a client may, nor to take from what others of
// its room have.
func TestIntakeOfOneMember(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{RoomMedia: 1000}, log.reports())
	hash := wire.HashRoom("a")
	of := func(id byte) func(now time.Time) bool {
		return func(now time.Time) bool { return in.takeFrame(memberKey{hash, wire.MemberID{id}}, now) }
	}
	if n := offer(of(1), 5000, mediaEpoch, time.Second); n < 995 || n > 1000 {
		t.Errorf("%d frames of one member in the first second, want 500 and 500", n)
	}
	for s := 1; s < 10; s++ {
		at := mediaTime(time.Duration(s) * time.Second)
		if n := offer(of(1), 5000, at, time.Second); n < 499 || n > 501 {
			t.Errorf("%d frames of one member in a second", n)
		}
		if n := offer(of(2), 50, at, time.Second); n != 50 {
			t.Errorf("%d of another member's 50 frames", n)
		}
	}
	if got := in.total(); got.MemberLimited < 40_000 || got.RoomLimited != 0 {
		t.Errorf("%+v", got)
	}
	if log.throttled[0].Reason != "more than 500 media frames a second of one member" || log.throttled[0].Room != hash {
		t.Errorf("reported %+v", log.throttled[0])
	}
}

func TestIntakeBoundsMembers(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 1 << 20, RoomMedia: 1 << 20}, log.reports())
	key := func(i int) memberKey { return memberKey{id: wire.MemberID{1, byte(i >> 8), byte(i)}} }
	for i := range maxIntakeMembers + 10 {
		if in.takeFrame(key(i), mediaEpoch) != (i < maxIntakeMembers) {
			t.Fatalf("member %d", i)
		}
	}
	if !in.takeFrame(key(maxIntakeMembers), mediaTime(intakeSweep)) || len(in.members.busy) != 1 {
		t.Errorf("%d members are busy", len(in.members.busy))
	}
}
