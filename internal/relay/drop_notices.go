package relay

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// noticeEvery is how often a talker is told that media of it is dropped, at most.
	noticeEvery = 5 * time.Second
	// noticeOver is after how long without that it is told that it is over.
	noticeOver = 3 * time.Second
	// noticeLeast is how many frames are dropped before anything is said: nobody hears one or two.
	noticeLeast = 5
	// culpritEvery is how often the log names who sends too much, at most.
	culpritEvery = 10 * time.Second
)

// notices tells talkers that media of theirs is dropped, and the log who they are. Receiving goroutines only
// count; the goroutine of Relay.Run looks at those who are listed.
//
//	Media: dropped ──> session.drops; the first time: list ── Run, every 100 ms ──> urgent message, log
type notices struct {
	mu     sync.Mutex // guards what follows
	listed []*session

	logged time.Time // Run's own
}

// sessionDrops is what was dropped of one session's media, and what its client knows of it.
type sessionDrops struct {
	frames atomic.Uint64
	reason atomic.Uint32 // wire.DropReason of the newest
	taken  atomic.Uint64 // frames that were not dropped
	listed atomic.Bool   // in notices

	// Run's own:
	seen    uint64            // of frames, at the last look
	at      time.Time         // when there were more of them at a look
	since   wire.MediaDropped // since told, or since they began
	taken0  uint64            // of taken, then
	told    time.Time         // when the client was told; zero: it thinks that nothing is dropped
	unnamed uint64            // dropped, since the log said so
}

// dropReasons are what talkers are told.
var dropReasons = map[drops.Reason]wire.DropReason{
	drops.PacketRate: wire.DropPacketRate, drops.MemberRate: wire.DropMemberRate,
	drops.SendRate: wire.DropSendRate, drops.RoomRate: wire.DropRoomRate,
	drops.RoomRateToPeers: wire.DropRoomRate,
}

// notify has a session's client told that a frame of its media was dropped.
func (r *Relay) notify(s *session, why drops.Reason) {
	s.drops.reason.Store(uint32(dropReasons[why]))
	s.drops.frames.Add(1)
	if s.drops.listed.Load() || s.drops.listed.Swap(true) {
		return
	}
	r.notices.mu.Lock()
	r.notices.listed = append(r.notices.listed, s)
	r.notices.mu.Unlock()
	r.flushSoon()
}

// flushNotices tells those who are listed what there is to tell. It reports whether there are any left.
func (r *Relay) flushNotices(now time.Time) (left bool) {
	n := &r.notices
	n.mu.Lock()
	listed := n.listed
	n.listed = nil
	n.mu.Unlock()
	kept := listed[:0]
	for _, s := range listed {
		if s.flushDrops(now) {
			kept = append(kept, s)
		}
	}
	if now.Sub(n.logged) >= culpritEvery && r.nameCulprit(kept) {
		n.logged = now
	}
	n.mu.Lock()
	n.listed = append(kept, n.listed...)
	left = len(n.listed) > 0
	n.mu.Unlock()
	return left
}

// flushDrops tells the session's client what there is to tell. It reports whether there may be more.
func (s *session) flushDrops(now time.Time) (more bool) {
	d := &s.drops
	total := d.frames.Load()
	fresh := total - d.seen
	if d.seen = total; fresh > 0 {
		d.since.Reason = wire.DropReason(d.reason.Load())
		if d.at = now; d.told.IsZero() && d.since.Dropped == 0 {
			d.taken0 = d.taken.Load() // of what went well before
		}
	}
	d.since.Dropped += fresh
	d.unnamed += fresh
	switch {
	case s.Over():
		return false
	case now.Sub(d.at) >= noticeOver:
		if !d.told.IsZero() && s.SendUrgent(wire.UrgentMediaDropped, wire.Append(nil,
			&wire.MediaDropped{})) != nil {
			return true // too many under way
		}
		d.told, d.since = time.Time{}, wire.MediaDropped{}
		d.listed.Store(false)
		// what came meanwhile lists it anew, or keeps it
		return d.frames.Load() != d.seen && !d.listed.Swap(true)
	case d.since.Dropped >= noticeLeast && (d.told.IsZero() || now.Sub(d.told) >= noticeEvery):
		taken := d.taken.Load()
		d.since.Sent = d.since.Dropped + taken - d.taken0
		if s.SendUrgent(wire.UrgentMediaDropped, wire.Append(nil, &d.since)) == nil {
			d.told, d.since, d.taken0 = now, wire.MediaDropped{}, taken
		}
	}
	return true
}

// nameCulprit logs from where the most media was dropped, if any was.
func (r *Relay) nameCulprit(listed []*session) bool {
	type place struct {
		block netip.Prefix
		room  string
	}
	dropped := make(map[place]uint64)
	var worst place
	var loudest *session
	for _, s := range listed {
		m := s.member.Load()
		if m == nil || s.drops.unnamed == 0 {
			continue
		}
		at := place{link.AddressBlock(s.Remote()), m.Room()}
		dropped[at] += s.drops.unnamed
		if dropped[at] > dropped[worst] {
			worst = at
		}
		if loudest == nil || s.drops.unnamed > loudest.drops.unnamed {
			loudest = s
		}
	}
	if dropped[worst] < noticeLeast {
		return false
	}
	r.log.Warn("members send more media than is passed on; the rest is dropped", "room", worst.room,
		"address", worst.block.String(), "frames", dropped[worst], "loudest",
		loudest.member.Load().ID.String(), "of", loudest.Remote().String(), "addresses", len(dropped))
	for _, s := range listed {
		s.drops.unnamed = 0
	}
	return true
}
