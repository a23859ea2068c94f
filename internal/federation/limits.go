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
	MediaBytes  int // bytes of media, with the headers that a listener gets; 0: 2,500,000, which is 20 Mbit/s
	Urgent      int // urgent messages; 0: 200
	UrgentBurst int // and in a burst; 0: ten seconds' worth
	Calls       int // those about calls, which are apart; 0: 2,000
	CallsBurst  int // and in a burst; 0: four seconds' worth
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
	set(&l.Calls, 2_000)
	set(&l.CallsBurst, 4*l.Calls)
	return l
}

// verdict is what becomes of a frame or a message of a peer.
type verdict uint8

const (
	forwarded verdict = iota
	duplicate         // its counter came within the last dedupFor
	late              // its counter is dedupWindow or more below the highest that did
	crowded           // of more streams than dedups tells apart
	overMedia         // this and all that follow: more than may be
	overRoom
	overMember
	overUrgent
	overCalls
	overBytes
	overRoomBytes   // more than the room passes on
	overMemberBytes // more than a member may bring
	verdicts
)

// limited reports whether there was too much.
func (v verdict) limited() bool { return v >= crowded }

// String returns the name that the event log gives it.
func (v verdict) String() string {
	if v.limited() {
		return "limited"
	}
	return [...]string{"forward", "duplicate", "late"}[v]
}

// intake is how much one peer may send while its link is up.
//
//	media frame ──> bytes, shared by rooms and members ──> frames of peer, member, room ──> allowed
//	urgent message ──> messages of the peer ──> allowed
//	                     |                     └─ too much: dropped, counted, reported once a minute
//	                     └─ far too much for 10 s on end: cut, and nothing more is taken
//
// Of bytes far too much is no reason to cut: an honest peer passes on what members of many rooms send it.
//
// All methods are safe for concurrent use.
type intake struct {
	limits intakeLimits
	report intakeReports
	bytes  *budget.Pool // its groups are rooms
	counts [verdicts]atomic.Uint64

	mu      sync.Mutex // guards what follows
	media   meter
	urgent  meter
	calls   meter
	rooms   buckets[wire.RoomHash]
	members buckets[memberKey]
	told    time.Time // when something was reported last
	untold  uint64    // refused since then
	over    bool      // the link is cut
}

// intakeReports are what an intake tells its owner, on the goroutine that receives, with no lock held.
type intakeReports struct {
	throttled func(why string, dropped uint64) // at most once a minute; dropped: since the last report
	cut       func(why string)                 // once: the link has to be ended
}

// memberKey names a member of a room.
type memberKey struct {
	room wire.RoomHash
	id   wire.MemberID
}

func newIntake(limits intakeLimits, report intakeReports) *intake {
	limits = limits.withDefaults()
	return &intake{
		limits: limits,
		report: report,
		bytes:  budget.NewPool(budget.Config{Rate: limits.MediaBytes, Burst: bytesBurst, Least: bytesLeast}),
		media:  meter{rate: rate{limits.Media, limits.Media}, far: farMedia},
		urgent: meter{rate: rate{limits.Urgent, limits.UrgentBurst}, far: farUrgent},
		calls:  meter{rate: rate{limits.Calls, limits.CallsBurst}, far: farUrgent},
		rooms:  buckets[wire.RoomHash]{rate: rate{limits.RoomMedia, limits.RoomMedia}, most: maxIntakeRooms},
		members: buckets[memberKey]{rate: rate{limits.MemberMedia, limits.MemberMedia},
			most: maxIntakeMembers},
	}
}

// allowMedia reports whether a media frame of a room may pass, whoever's it is.
func (in *intake) allowMedia(room wire.RoomHash, now time.Time) bool {
	return in.allowFrame(memberKey{room: room}, now) == forwarded
}

// allowFrame decides whether a media frame of a member may pass. What is too much of one takes nothing of
// what its room may have. It counts what may not.
func (in *intake) allowFrame(key memberKey, now time.Time) verdict {
	in.mu.Lock()
	v := forwarded
	switch {
	case !in.media.allow(now) || in.over:
		v = overMedia
	case key.id != wire.MemberID{} && !in.members.allow(key, now):
		v = overMember
	case !in.rooms.allow(key.room, now):
		v = overRoom
	}
	report := in.refuseLocked(v, in.media.flooded, now)
	in.mu.Unlock()
	if report != nil {
		report()
	}
	return v
}

// allowBytes reports whether a frame of a member, of so many bytes, is within what the peer may send. Rooms
// share that, and the members of each: who behind the peer sends much takes nothing from the others. at is a
// time on any clock that does not go back.
func (in *intake) allowBytes(key memberKey, size int, now time.Time, at time.Duration) bool {
	source := budget.Source{Group: budget.Group{ID: budget.ID(key.room[:])}, Member: budget.ID(key.id[:])}
	if in.bytes.Take(source, size, at) {
		return true
	}
	in.refuse(overBytes, now)
	return false
}

// dropped notes that a room refused a frame.
func (in *intake) dropped(why drops.Reason, now time.Time) {
	if why == drops.MemberRate {
		in.refuse(overMemberBytes, now)
	} else {
		in.refuse(overRoomBytes, now)
	}
}

// allowUrgent reports whether an urgent message may pass that is not about a call. What is not taken comes
// again.
func (in *intake) allowUrgent(now time.Time) bool { return in.allow(&in.urgent, overUrgent, now) }

// allowCall is allowUrgent for messages about calls.
func (in *intake) allowCall(now time.Time) bool { return in.allow(&in.calls, overCalls, now) }

func (in *intake) allow(of *meter, over verdict, now time.Time) bool {
	in.mu.Lock()
	v := forwarded
	if !of.allow(now) || in.over {
		v = over
	}
	report := in.refuseLocked(v, of.flooded, now)
	in.mu.Unlock()
	if report != nil {
		report()
	}
	return v == forwarded
}

// refuse counts and reports something that is not taken.
func (in *intake) refuse(v verdict, now time.Time) {
	in.mu.Lock()
	report := in.refuseLocked(v, false, now)
	in.mu.Unlock()
	if report != nil {
		report()
	}
}

// refuseLocked counts what is refused; flooded: that is the end of the link. It returns what reports that,
// without in.mu, which the caller holds; nil: there is nothing to report.
func (in *intake) refuseLocked(v verdict, flooded bool, now time.Time) (report func()) {
	if v == forwarded {
		return nil
	}
	in.counts[v].Add(1)
	in.untold++
	tell := !in.over && (in.told.IsZero() || now.Sub(in.told) >= throttledEvery)
	cut := !in.over && flooded
	if !tell && !cut {
		return nil
	}
	dropped := in.untold
	if tell {
		in.told, in.untold = now, 0
	}
	in.over = in.over || cut
	return func() {
		if tell {
			in.report.throttled("more than "+in.limit(v), dropped)
		}
		if cut {
			far := farMedia
			if v == overUrgent || v == overCalls {
				far = farUrgent
			}
			in.report.cut(fmt.Sprintf("%d times as much as %s for %.0f s",
				far, in.limit(v), cutAfter.Seconds()))
		}
	}
}

// limit names a limit in words.
func (in *intake) limit(v verdict) string {
	switch v {
	case overMedia:
		return fmt.Sprintf("%d media frames a second", in.limits.Media)
	case overRoom:
		return fmt.Sprintf("%d media frames a second in one room", in.limits.RoomMedia)
	case overMember:
		return fmt.Sprintf("%d media frames a second of one member", in.limits.MemberMedia)
	case overBytes:
		return fmt.Sprintf("%d bytes of media a second", in.limits.MediaBytes)
	case overRoomBytes:
		return "its share of the bytes of media a second of one room"
	case overCalls:
		return fmt.Sprintf("%d messages about calls a second", in.limits.Calls)
	case overMemberBytes:
		return "the bytes of media a second of one member"
	default:
		return fmt.Sprintf("%d urgent messages a second", in.limits.Urgent)
	}
}

// count returns how much met with one of some verdicts so far.
func (in *intake) count(of ...verdict) (n uint64) {
	for _, v := range of {
		n += in.counts[v].Load()
	}
	return n
}
