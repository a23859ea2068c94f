package federation

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// farMedia is how many times its limit is far too much media.
	farMedia = 2
	// farUrgent is the same of urgent messages. What is not taken is repeated every 100 ms, so a peer with
	// much to say exceeds its limit for a while and means no harm: pacing lets it send some 900 of the
	// smallest a second.
	farUrgent = 10
	// throttledEvery is how far apart reports of what was dropped are, at least.
	throttledEvery = time.Minute
	// maxIntakeRooms bounds the rooms of a peer that are metered at once.
	maxIntakeRooms = 4096
	// maxIntakeMembers bounds the members behind a peer that are metered at once.
	maxIntakeMembers = 1 << 14
	// bytesBurst and bytesLeast bound what is taken at once of a peer that sends too much: see budget.Config.
	bytesBurst = 250 * time.Millisecond
	bytesLeast = 1200
	// intakeSweep is how far apart looks for rooms and members that need no meter are, at least.
	intakeSweep = time.Second
)

// intakeLimits are what one peer may send in a second.
type intakeLimits struct {
	Media       int // media frames, with bursts of a second's worth; 0: 20,000
	RoomMedia   int // those of one room, likewise; 0: 5,000
	MemberMedia int // those of one member, likewise; 0: 500, as of a client
	MediaBytes  int // bytes of media, with the headers that they have to a listener; 0: 2,500,000, which is 20 Mbit/s
	Urgent      int // urgent messages; 0: 200
	UrgentBurst int // and in a burst; 0: ten seconds' worth
}

// withDefaults returns the limits with what is 0 filled in.
func (l intakeLimits) withDefaults() intakeLimits {
	set := func(v *int, standard int) {
		if *v == 0 {
			*v = standard
		}
	}
	set(&l.Media, 20_000)
	set(&l.RoomMedia, 5_000)
	set(&l.MemberMedia, 500)
	set(&l.MediaBytes, 2_500_000)
	set(&l.Urgent, 200)
	set(&l.UrgentBurst, 10*l.Urgent)
	return l
}

// throttled says that a peer sends more than it may.
type throttled struct {
	Reason  string        // for the log
	Room    wire.RoomHash // if it is too much for one room, or a member of it; else zero
	Dropped uint64        // frames and messages of the peer that were not taken since the last report
}

// intakeReports are what an intake tells its owner, on the goroutine that receives, with no lock held.
type intakeReports struct {
	throttled func(throttled)     // at most once a minute
	cut       func(reason string) // once: the link has to be ended
}

// intake is how much one peer may send while its link is up.
//
//	media frame ─────> bytes, shared by rooms and members ──> meter of the peer ──> of the member ──> of the room ──> taken
//	urgent message ──> meter of the peer ────────────────────────────> taken
//	                     |                     └─ too much: dropped, counted, reported once a minute
//	                     └─ far too much for 10 s on end: cut, and nothing more is taken
//
// Of bytes far too much is no reason to cut: an honest peer passes on what members of many rooms send it.
//
// All methods are safe for concurrent use.
type intake struct {
	limits intakeLimits
	report intakeReports

	bytes   *budget.Pool            // its groups are rooms
	took    [verdicts]atomic.Uint64 // media frames, by what became of them
	crowded atomic.Uint64           // of those that were limited: more streams than dedups take

	mu      sync.Mutex // guards what follows
	media   meter
	urgent  meter
	rooms   meters[wire.RoomHash]
	members meters[memberKey]
	refused [excesses]uint64 // frames and messages, by why
	told    time.Time        // when throttled was reported last
	untold  uint64           // refused since then
	cut     bool             // reported
}

// memberKey names a member of a room.
type memberKey struct {
	room wire.RoomHash
	id   wire.MemberID
}

// excess says which limit was exceeded.
type excess uint8

const (
	withinLimits excess = iota
	excessMedia
	excessRoom
	excessMember
	excessUrgent
	excessBytes
	excessRoomBytes   // more than the room passes on
	excessMemberBytes // more than a member may bring
	excesses
)

// intakeCounts are an intake's totals.
type intakeCounts struct {
	Forwarded     uint64 // media frames that were taken
	Duplicates    uint64 // media frames that had come within 2 s
	Late          uint64 // media frames far behind their stream
	MediaLimited  uint64 // media frames over the limit of the peer
	RoomLimited   uint64 // media frames over that of a room
	MemberLimited uint64 // media frames over that of a member
	Crowded       uint64 // media frames of more streams than are told apart
	UrgentLimited uint64 // urgent messages that were not taken; repeats count again
	BytesLimited  uint64 // media frames over a limit of bytes: of the peer, a room or a member
}

func newIntake(limits intakeLimits, report intakeReports) *intake {
	limits = limits.withDefaults()
	return &intake{
		limits: limits,
		report: report,
		bytes:  budget.NewPool(budget.Config{Rate: limits.MediaBytes, Burst: bytesBurst, Least: bytesLeast}),
		media:  meter{rate: limits.Media, burst: limits.Media, far: farMedia},
		urgent: meter{rate: limits.Urgent, burst: limits.UrgentBurst, far: farUrgent},
		rooms: meters[wire.RoomHash]{
			most: maxIntakeRooms, fresh: meter{rate: limits.RoomMedia, burst: limits.RoomMedia},
		},
		members: meters[memberKey]{
			most: maxIntakeMembers, fresh: meter{rate: limits.MemberMedia, burst: limits.MemberMedia},
		},
	}
}

// takeMedia reports whether a media frame of a room may be taken, whoever's it is.
func (in *intake) takeMedia(room wire.RoomHash, now time.Time) bool {
	return in.takeFrame(memberKey{room: room}, now)
}

// takeFrame reports whether a media frame of a member may be taken. What is too much of one takes nothing of
// what its room may have.
func (in *intake) takeFrame(key memberKey, now time.Time) bool {
	in.mu.Lock()
	why := withinLimits
	switch {
	case !in.media.take(now) || in.cut:
		why = excessMedia
	case key.id != wire.MemberID{} && !in.members.take(key, now):
		why = excessMember
	case !in.rooms.take(key.room, now):
		why = excessRoom
	}
	n := in.newsLocked(why, &in.media, now)
	in.mu.Unlock()
	in.tell(n, key.room)
	return why == withinLimits
}

// takeBytes reports whether a frame of a member, of so many bytes, is within what the peer may send. Rooms
// share that, and the members of each: who behind the peer sends much takes nothing from the others. at is a
// time on any clock that does not go back.
func (in *intake) takeBytes(key memberKey, size int, now time.Time, at time.Duration) bool {
	source := budget.Source{Group: budget.Group{ID: budget.ID(key.room[:])}, Member: budget.ID(key.id[:])}
	if in.bytes.Take(source, size, at) {
		return true
	}
	in.drop(excessBytes, key.room, now)
	return false
}

// dropped notes that a room refused a frame.
func (in *intake) dropped(why drops.Reason, hash wire.RoomHash, now time.Time) {
	if why == drops.MemberRate {
		in.drop(excessMemberBytes, hash, now)
	} else {
		in.drop(excessRoomBytes, hash, now)
	}
}

// drop counts and reports a frame that is not taken.
func (in *intake) drop(why excess, hash wire.RoomHash, now time.Time) {
	in.mu.Lock()
	n := in.newsLocked(why, new(meter), now)
	in.mu.Unlock()
	in.tell(n, hash)
}

// takeUrgent reports whether an urgent message may be taken. What is not taken comes again.
func (in *intake) takeUrgent(now time.Time) bool {
	in.mu.Lock()
	why := withinLimits
	if !in.urgent.take(now) || in.cut {
		why = excessUrgent
	}
	n := in.newsLocked(why, &in.urgent, now)
	in.mu.Unlock()
	in.tell(n, wire.RoomHash{})
	return why == withinLimits
}

// intakeNews is what there is to report; the zero value is nothing.
type intakeNews struct {
	why     excess // with dropped
	dropped uint64 // 0: nothing to say of it
	cut     excess // the limit that was exceeded by far; withinLimits: none
}

// newsLocked counts what was refused, and returns what has to be reported. m is the peer's meter for it. The
// caller holds in.mu.
func (in *intake) newsLocked(why excess, m *meter, now time.Time) (n intakeNews) {
	if why == withinLimits {
		return n
	}
	in.refused[why]++
	in.untold++
	if in.cut {
		return n
	}
	if in.told.IsZero() || now.Sub(in.told) >= throttledEvery {
		n.why, n.dropped = why, in.untold
		in.told, in.untold = now, 0
	}
	if m.flooded {
		in.cut = true
		n.cut = why
	}
	return n
}

// tell reports news.
func (in *intake) tell(n intakeNews, room wire.RoomHash) {
	if n.dropped > 0 {
		t := throttled{Reason: "more than " + in.limit(n.why), Dropped: n.dropped}
		switch n.why {
		case excessRoom, excessMember, excessRoomBytes, excessMemberBytes:
			t.Room = room
		}
		in.report.throttled(t)
	}
	if n.cut != withinLimits {
		far := farMedia
		if n.cut == excessUrgent {
			far = farUrgent
		}
		in.report.cut(fmt.Sprintf("%d times as much as %s for %.0f s", far, in.limit(n.cut), cutAfter.Seconds()))
	}
}

// limit names a limit in words.
func (in *intake) limit(why excess) string {
	switch why {
	case excessMedia:
		return fmt.Sprintf("%d media frames a second", in.limits.Media)
	case excessRoom:
		return fmt.Sprintf("%d media frames a second in one room", in.limits.RoomMedia)
	case excessMember:
		return fmt.Sprintf("%d media frames a second of one member", in.limits.MemberMedia)
	case excessBytes:
		return fmt.Sprintf("%d bytes of media a second", in.limits.MediaBytes)
	case excessRoomBytes:
		return "its share of the bytes of media a second of one room"
	case excessMemberBytes:
		return "the bytes of media a second of one member"
	default:
		return fmt.Sprintf("%d urgent messages a second", in.limits.Urgent)
	}
}

// total returns the counts so far.
func (in *intake) total() intakeCounts {
	in.mu.Lock()
	defer in.mu.Unlock()
	return intakeCounts{
		Forwarded:     in.took[verdictForward].Load(),
		Duplicates:    in.took[verdictDuplicate].Load(),
		Late:          in.took[verdictLate].Load(),
		MediaLimited:  in.refused[excessMedia],
		RoomLimited:   in.refused[excessRoom],
		MemberLimited: in.refused[excessMember],
		Crowded:       in.crowded.Load(),
		UrgentLimited: in.refused[excessUrgent],
		BytesLimited:  in.refused[excessBytes] + in.refused[excessRoomBytes] + in.refused[excessMemberBytes],
	}
}
