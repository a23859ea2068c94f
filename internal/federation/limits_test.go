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

type throttled struct {
	why     string
	dropped uint64
}

func (l *intakeLog) reports() intakeReports {
	return intakeReports{
		throttled: func(why string, dropped uint64) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.throttled = append(l.throttled, throttled{why, dropped})
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

// inRoom returns an intake's allowMedia of a room.
func inRoom(in *intake, name string) func(now time.Time) bool {
	room := wire.HashRoom(name)
	return func(now time.Time) bool { return in.allowMedia(room, now) }
}

func TestIntakeStandards(t *testing.T) {
	want := intakeLimits{Media: 20_000, RoomMedia: 5_000, MemberMedia: 500, MediaBytes: 2_500_000,
		Urgent: 200, UrgentBurst: 2_000, Calls: 2_000, CallsBurst: 8_000}
	if d := cmp.Diff(want, intakeLimits{}.withDefaults()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	want = intakeLimits{Media: 1, RoomMedia: 2, MemberMedia: 5, MediaBytes: 7, Urgent: 3, UrgentBurst: 30,
		Calls: 4, CallsBurst: 16}
	if d := cmp.Diff(want,
		intakeLimits{Media: 1, RoomMedia: 2, MemberMedia: 5, MediaBytes: 7,
			Urgent: 3, Calls: 4}.withDefaults()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestIntakeLimitsMedia(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 1000, RoomMedia: 600}, log.reports())
	for i, name := range []string{"a", "b", "c"} {
		taken := 0
		for range 700 {
			if in.allowMedia(wire.HashRoom(name), mediaEpoch) {
				taken++
			}
		}
		// The burst of a room; what is left of that of the peer; nothing.
		if want := []int{600, 300, 0}[i]; taken != want {
			t.Errorf("room %s: %d frames, want %d", name, taken, want)
		}
	}
	if in.count(overRoom) != 100 || in.count(overMedia) != 400+700 {
		t.Errorf("counted %+v", &in.counts)
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
		if in.allowUrgent(mediaEpoch) {
			taken++
		}
	}
	if taken != 2000 {
		t.Errorf("%d at once, want 2000", taken)
	}
	if n := offer(in.allowUrgent, 300, mediaEpoch, 10*time.Second); n < 1995 || n > 2000 {
		t.Errorf("%d in 10 s, want 200 a second", n)
	}
	if got := in.count(overUrgent); got < 1500 || got > 1505 {
		t.Errorf("%d were counted as not taken, want 1500", got)
	}
	if !in.allowMedia(wire.HashRoom("a"), mediaEpoch) {
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
	if want := (throttled{"more than 100 media frames a second in one room", 1}); first != want {
		t.Errorf("reported %+v, want %+v", first, want)
	}
	if second.dropped < 2900 || second.dropped > 3100 {
		t.Errorf("%d dropped in a minute, want some 50 a second", second.dropped)
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
				take = in.allowUrgent
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
			if late := mediaTime(time.Minute); in.allowMedia(wire.HashRoom("b"), late) ||
				in.allowUrgent(late) {
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
		if in.allowMedia(hash(i), mediaEpoch) != (i < maxIntakeRooms) {
			t.Fatalf("room %d", i)
		}
	}
	if n := len(in.rooms.busy); n != maxIntakeRooms {
		t.Errorf("%d rooms", n)
	}
	if !in.allowMedia(hash(maxIntakeRooms), mediaTime(intakeSweep)) {
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
			offer(in.allowUrgent, 100, mediaEpoch, 5*time.Second)
		})
	}
	wg.Wait()
	if sum := in.count(overMedia, overRoom); sum < 4*15_000-17_000 || len(log.cuts) > 1 {
		t.Errorf("%+v, %d cuts", &in.counts, len(log.cuts))
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
		return func(now time.Time) bool {
			return in.allowFrame(memberKey{hash, wire.MemberID{id}},
				now) == forwarded
		}
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
	if in.count(overMember) < 40_000 || in.count(overRoom) != 0 {
		t.Errorf("%+v", &in.counts)
	}
	if log.throttled[0].why != "more than 500 media frames a second of one member" {
		t.Errorf("reported %+v", log.throttled[0])
	}
}

func TestIntakeBoundsMembers(t *testing.T) {
	var log intakeLog
	in := newIntake(intakeLimits{Media: 1 << 20, RoomMedia: 1 << 20}, log.reports())
	key := func(i int) memberKey { return memberKey{id: wire.MemberID{1, byte(i >> 8), byte(i)}} }
	for i := range maxIntakeMembers + 10 {
		if (in.allowFrame(key(i), mediaEpoch) == forwarded) != (i < maxIntakeMembers) {
			t.Fatalf("member %d", i)
		}
	}
	if in.allowFrame(key(maxIntakeMembers), mediaTime(intakeSweep)) != forwarded ||
		len(in.members.busy) != 1 {
		t.Errorf("%d members are busy", len(in.members.busy))
	}
}
