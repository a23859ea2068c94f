package call

import (
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	maxMembers = 20_000 // more than any relay allows
	// doubtTime is how far apart two contradicting pieces of news are surely in order: urgent messages are
	// repeated ten times a second, but delivered as they come.
	doubtTime  = 10 * time.Second
	maxDoubted = 4096
)

// roster is who else is in the room. It is pure but for its lock.
//
//	pages of the list ── addPage ──> members <── addJoined, removeLeft ── news, in any order
//	                        ^                              |
//	                        +── beginFetch, finishFetch <── doubt: news that contradict each other
//
// A member id stands for one stay in the room. Who comes back to a relay that forgot it (after a restart, or
// an outage of more than a minute) has the same one again, so of "joined" and "left" close to each other
// nobody knows which one is true: then the list is fetched, which is the truth of the moment.
//
// Who comes back by a new entry that replaces its old one is not shown twice: the old one leaves with the
// news of the new one, and what is still said of it contradicts nothing.
type roster struct {
	room   string
	relay  identity.PublicKey
	self   wire.MemberID
	before wire.Stay                                     // our own that we replace; zero: none
	secret *e2ee.Secret                                  // nil: the room has none, for us
	read   func(entry []byte) (*wire.MemberEntry, error) // wire.ParseEntry, or that for calls

	mu       sync.Mutex // guards what follows
	complete bool       // the whole list came once
	members  map[wire.MemberID]member
	replaced map[wire.Stay]int       // stays that members replace, and how many of them do
	labels   map[wire.RelayID]string // what our relay calls others
	gone     recent                  // who was told to have left
	absent   recent                  // who was not in a list any more
	twice    recent                  // who was told to have joined, but was here, or lately
	fetching bool
	again    bool                       // fetch once more when this is done
	left     map[wire.MemberID]struct{} // while fetching: who left meanwhile
	listed   map[wire.MemberID]struct{} // while fetching: who is there
}

// member is somebody who is there, as keys are wrapped for it.
type member struct {
	Member
	hash     wire.EntryHash
	joinKey  [32]byte
	home     identity.PublicKey // the relay that it is attached to
	stay     wire.Stay
	replaces wire.Stay // zero: none
}

// recent remembers when something was said of members, for doubtTime.
type recent map[wire.MemberID]time.Time

func (r *recent) add(id wire.MemberID, now time.Time) {
	if *r == nil {
		*r = make(recent)
	}
	if len(*r) >= maxDoubted {
		for id, at := range *r {
			if now.Sub(at) >= doubtTime {
				delete(*r, id)
			}
		}
	}
	if len(*r) >= maxDoubted {
		clear(*r)
	}
	(*r)[id] = now
}

func (r recent) has(id wire.MemberID, now time.Time) bool {
	at, ok := r[id]
	return ok && now.Sub(at) < doubtTime
}

// list returns who is there, by id.
func (ro *roster) list() []Member {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	list := make([]Member, 0, len(ro.members))
	for _, m := range ro.members {
		list = append(list, m.Member)
	}
	slices.SortFunc(list, func(a, b Member) int { return a.ID.Compare(b.ID) })
	return list
}

// member returns who has an id, if somebody here has.
func (ro *roster) member(id wire.MemberID) (member, bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	m, ok := ro.members[id]
	return m, ok
}

// inside returns whoever gets our keys; complete: the whole list came once, and all news since then is in it.
func (ro *roster) inside() (list []member, complete bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	list = make([]member, 0, len(ro.members))
	for _, m := range ro.members {
		if !m.Outside {
			list = append(list, m)
		}
	}
	return list, ro.complete
}

// size returns how many others are there.
func (ro *roster) size() int {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	return len(ro.members)
}

// parse reads an entry; ok: it is genuine, and for this room, at any relay. Who is known is not read again.
func (ro *roster) parse(entry []byte) (m member, ok bool) {
	hash := wire.HashEntry(entry)
	id := hash.Member()
	if m, ok := ro.member(id); ok {
		// Ids are short enough to be searched for: another entry with the same one is refused.
		return m, m.hash == hash
	}
	e, err := ro.read(entry)
	if err != nil || e.Room != ro.room || id == ro.self {
		return member{}, false
	}
	outside := e.Proof != nil
	if ro.secret != nil {
		outside = !ro.secret.Check(e.Room, e.Proved(), e.Proof)
	}
	m.Member = Member{ID: id, Name: e.Name, Identity: e.Identity, Outside: outside}
	m.hash, m.joinKey, m.home = hash, e.JoinKey, e.HomeRelay
	m.stay = e.Stay(hash)
	m.replaces, _ = e.Replaced()
	return m, true
}

// addPage adds a page of the list and returns what is new.
func (ro *roster) addPage(entries [][]byte) (news []Event) {
	for _, b := range entries {
		m, ok := ro.parse(b)
		if !ok {
			continue
		}
		ro.mu.Lock()
		if _, gone := ro.left[m.ID]; !gone && ro.fetching {
			ro.listed[m.ID] = struct{}{}
			news = ro.addLocked(news, m)
		}
		ro.mu.Unlock()
	}
	return news
}

// addJoined adds who is said to have joined. doubt: fetch the list, for somebody is said to have left, too.
func (ro *roster) addJoined(entries [][]byte, now time.Time) (news []Event, doubt bool) {
	for _, b := range entries {
		m, ok := ro.parse(b)
		if !ok {
			continue
		}
		ro.mu.Lock()
		if ro.isReplacedLocked(m) {
			ro.mu.Unlock()
			continue
		}
		gone := ro.gone.has(m.ID, now)
		if _, known := ro.members[m.ID]; known || gone || ro.absent.has(m.ID, now) {
			ro.twice.add(m.ID, now)
		}
		if ro.fetching && !gone {
			ro.listed[m.ID] = struct{}{}
		}
		if gone {
			doubt = true
		} else {
			news = ro.addLocked(news, m)
		}
		ro.mu.Unlock()
	}
	return news, doubt
}

// addLocked adds a member, in the place of the one that it replaces.
func (ro *roster) addLocked(news []Event, m member) []Event {
	if _, known := ro.members[m.ID]; known || ro.isReplacedLocked(m) {
		return news
	}
	if old, here := ro.members[m.replaces.Entry.Member()]; here && old.stay == m.replaces {
		news = ro.removeLocked(news, old)
	}
	if len(ro.members) >= maxMembers {
		return news
	}
	if ro.members == nil {
		ro.members, ro.replaced = make(map[wire.MemberID]member), make(map[wire.Stay]int)
	}
	m.Relay = ro.relayNameLocked(m.home)
	ro.members[m.ID] = m
	if m.replaces != (wire.Stay{}) {
		ro.replaced[m.replaces]++
	}
	return append(news, MemberJoined{m.Member})
}

// isReplacedLocked reports whether somebody who is here has taken m's place.
func (ro *roster) isReplacedLocked(m member) bool {
	return m.stay == ro.before || ro.replaced[m.stay] > 0
}

// removeLocked removes a member who is here.
func (ro *roster) removeLocked(news []Event, m member) []Event {
	delete(ro.members, m.ID)
	if ro.replaced[m.replaces]--; ro.replaced[m.replaces] <= 0 {
		delete(ro.replaced, m.replaces)
	}
	return append(news, MemberLeft{m.Member})
}

// removeLeft removes who is said to have left and returns what is new. doubt is as with addJoined.
func (ro *roster) removeLeft(ids []wire.MemberID, now time.Time) (news []Event, doubt bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	for _, id := range ids {
		doubt = doubt || ro.twice.has(id, now)
		ro.gone.add(id, now)
		if ro.fetching && len(ro.left) < maxMembers {
			ro.left[id] = struct{}{}
			delete(ro.listed, id)
		}
		if m, known := ro.members[id]; known {
			news = ro.removeLocked(news, m)
		}
	}
	return news, doubt
}

// beginFetch starts a fetch, or notes that one more is wanted.
func (ro *roster) beginFetch() bool {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if ro.fetching {
		ro.again = true
		return false
	}
	ro.fetching = true
	ro.left, ro.listed = make(map[wire.MemberID]struct{}), make(map[wire.MemberID]struct{})
	return true
}

// finishFetch ends a fetch; after a complete one, who was not listed is gone. again: start another.
func (ro *roster) finishFetch(complete bool, now time.Time) (news []Event, again bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if complete && !ro.again {
		for id, m := range ro.members {
			if _, listed := ro.listed[id]; !listed {
				ro.absent.add(id, now)
				news = ro.removeLocked(news, m)
			}
		}
		slices.SortFunc(news, func(a, b Event) int {
			return a.(MemberLeft).Member.ID.Compare(b.(MemberLeft).Member.ID)
		})
	}
	ro.complete = ro.complete || complete
	again = ro.again
	ro.fetching, ro.again, ro.left, ro.listed = false, false, nil, nil
	return news, again
}

// maxLabels bounds how many relays' labels are kept.
const maxLabels = 1024

// setLabels notes what our relay calls other relays.
func (ro *roster) setLabels(list []wire.RelayLabel) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if ro.labels == nil {
		ro.labels = make(map[wire.RelayID]string)
	}
	for _, l := range list {
		if _, known := ro.labels[l.Relay]; known || len(ro.labels) < maxLabels {
			ro.labels[l.Relay] = l.Label
		}
	}
	for id, m := range ro.members {
		m.Relay = ro.relayNameLocked(m.home)
		ro.members[id] = m
	}
}

// relayNameLocked returns Member.Relay: nothing if it is ours, our relay's label for it, or its id.
func (ro *roster) relayNameLocked(home identity.PublicKey) string {
	if home == ro.relay {
		return ""
	}
	id := wire.RelayIDOf(home)
	if label := ro.labels[id]; label != "" {
		return label
	}
	return id.String()
}
