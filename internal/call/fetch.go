package call

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	crowd      = 64              // members from which a list is fetched after a random pause
	crowdPause = 2 * time.Second // so that not all ask at once
	// restartGrace is how long those who were in a room have to come back to a relay that was restarted
	// before its list is believed.
	restartGrace = 5 * time.Second
	// pageRate and pageBurst keep requests for pages well below what relays allow.
	pageRate  = 5
	pageBurst = 32
	fetchTime = 2 * time.Minute // for a whole list
)

// crowdWait returns how long to wait before a list of about so many members is fetched.
func crowdWait(members int) time.Duration {
	if members <= crowd {
		return 0
	}
	return rand.N(crowdPause)
}

// fetch gets the member list, page by page, in the background.
func (r *Room) fetch(wait time.Duration) {
	if !r.roster.begin() {
		return
	}
	r.background(func() {
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
			return
		}
		complete := r.fetchPages()
		news, again := r.roster.finish(complete, time.Now())
		r.announce(news)
		r.keeper.membersChanged() // that the list is complete, too
		if again {
			r.fetch(crowdWait(r.roster.size()))
		}
	})
}

// fetchPages asks for one page after the other and reports whether all came.
func (r *Room) fetchPages() bool {
	var after *wire.MemberID
	ctx, cancel := context.WithTimeout(r.ctx, fetchTime)
	defer cancel()
	for range maxMembers/wire.MaxPage + 1 {
		if r.pages.Wait(ctx) != nil {
			return false
		}
		answer, err := r.link.Request(ctx, &wire.Members{After: after})
		if err != nil {
			return false
		}
		page, ok := answer.(*wire.MemberPage)
		if !ok {
			return false
		}
		r.announce(r.roster.page(page.Entries))
		if page.Next == nil {
			return true
		}
		if after != nil && page.Next.Compare(*after) <= 0 {
			return false // it goes in circles
		}
		after = page.Next
	}
	return false
}

// joined takes the relay's news of joins.
func (r *Room) joined(entries [][]byte) {
	news, doubt := r.roster.joined(entries, time.Now())
	r.announce(news)
	if doubt {
		r.fetch(crowdWait(r.roster.size()))
	}
}

// othersLeft takes the relay's news of leaves.
func (r *Room) othersLeft(ids []wire.MemberID) {
	news, doubt := r.roster.leave(ids, time.Now())
	r.announce(news)
	for _, id := range ids { // of who had not been told of, too
		r.forgetStreams(Member{ID: id})
	}
	if doubt {
		r.fetch(crowdWait(r.roster.size()))
	}
}

// announce passes news of the roster on, and lets go of what belongs to who left.
func (r *Room) announce(news []Event) {
	for _, e := range news {
		r.events.put(e)
		switch e := e.(type) {
		case MemberLeft:
			r.logMember(eventlog.MemberLeft, e.Member)
			r.forgetStreams(e.Member)
		case MemberJoined:
			r.logMember(eventlog.MemberJoined, e.Member)
			r.people.meet(e.Member)
		}
	}
	if len(news) > 0 {
		r.keeper.membersChanged()
	}
}
