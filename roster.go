package wzp

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/wire"
)

const (
	maxMembers = 20_000          // more than any relay allows
	crowd      = 64              // members from which a list is fetched after a random pause
	crowdPause = 2 * time.Second // so that not all ask at once
)

// roster is who else is in the room. Pages of the list and news of joins and leaves come in any order:
// ids are never used twice, so who left while a list was fetched is not in it.
type roster struct {
	room  string
	relay identity.PublicKey
	self  wire.MemberID

	mu       sync.Mutex // guards what follows
	present  map[wire.MemberID]Member
	fetching bool
	again    bool                       // fetch once more when this is done
	left     map[wire.MemberID]struct{} // while fetching: who left meanwhile
	listed   map[wire.MemberID]struct{} // while fetching: who is there
}

// members returns who is there, by id.
func (ro *roster) members() []Member {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	list := make([]Member, 0, len(ro.present))
	for _, m := range ro.present {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Member) int { return a.ID.Compare(b.ID) })
	return list
}

// join takes entries, drops those that are not genuine, and returns what is new.
func (ro *roster) join(entries [][]byte) (news []Event) {
	for _, b := range entries {
		e, err := wire.ParseEntry(b)
		if err != nil || e.Room != ro.room || e.HomeRelay != ro.relay {
			continue
		}
		if event := ro.add(Member{ID: wire.EntryID(b), Name: e.Name, Identity: e.Identity}); event != nil {
			news = append(news, event)
		}
	}
	return news
}

func (ro *roster) add(m Member) Event {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if m.ID == ro.self {
		return nil
	}
	if ro.fetching {
		if _, gone := ro.left[m.ID]; gone {
			return nil
		}
		ro.listed[m.ID] = struct{}{}
	}
	if _, known := ro.present[m.ID]; known || len(ro.present) >= maxMembers {
		return nil
	}
	if ro.present == nil {
		ro.present = make(map[wire.MemberID]Member)
	}
	ro.present[m.ID] = m
	return MemberJoined{m}
}

// leave removes members and returns what is new.
func (ro *roster) leave(ids []wire.MemberID) (news []Event) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	for _, id := range ids {
		if ro.fetching && len(ro.left) < maxMembers {
			ro.left[id] = struct{}{}
			delete(ro.listed, id)
		}
		if m, known := ro.present[id]; known {
			delete(ro.present, id)
			news = append(news, MemberLeft{m})
		}
	}
	return news
}

// begin starts a fetch, or notes that one more is wanted.
func (ro *roster) begin() bool {
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

// finish ends a fetch; after a complete one, who was not listed is gone. again: start another.
func (ro *roster) finish(complete bool) (news []Event, again bool) {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if complete && !ro.again {
		for id, m := range ro.present {
			if _, listed := ro.listed[id]; !listed {
				delete(ro.present, id)
				news = append(news, MemberLeft{m})
			}
		}
	}
	again = ro.again
	ro.fetching, ro.again, ro.left, ro.listed = false, false, nil, nil
	return news, again
}

// fetch gets the member list, page by page, in the background.
func (r *Room) fetch(pause bool) {
	if !r.roster.begin() {
		return
	}
	r.background(func() {
		select {
		case <-r.ready:
		case <-r.ctx.Done():
			return
		}
		if pause {
			select {
			case <-time.After(rand.N(crowdPause)):
			case <-r.ctx.Done():
				return
			}
		}
		complete := r.fetchPages()
		news, again := r.roster.finish(complete)
		r.announce(news)
		if again {
			r.fetch(pause)
		}
	})
}

// fetchPages asks for one page after the other and reports whether all came.
func (r *Room) fetchPages() bool {
	var after *wire.MemberID
	for range maxMembers/wire.MaxPage + 1 {
		answer, err := r.link.Request(r.ctx, &wire.Members{After: after})
		if err != nil {
			return false
		}
		page, ok := answer.(*wire.MemberPage)
		if !ok {
			return false
		}
		r.announce(r.roster.join(page.Entries))
		if page.Next == nil {
			return true
		}
		after = page.Next
	}
	return false
}

// announce passes news of the roster on, and lets go of what belongs to who left.
func (r *Room) announce(news []Event) {
	for _, e := range news {
		r.events.put(e)
		if left, ok := e.(MemberLeft); ok {
			r.forgetStreams(left.Member.ID)
		}
	}
}
