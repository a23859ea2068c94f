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
	// restartGrace is how long members have to come back to a restarted relay before its list is believed.
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

// fetch gets the member list, page by page, in the background, after a pause if there are many members.
func (r *Room) fetch() { r.fetchAfter(crowdWait(r.roster.size())) }

func (r *Room) fetchAfter(wait time.Duration) {
	if !r.roster.beginFetch() {
		return
	}
	r.background(func() {
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
			return
		}
		complete := r.fetchPages()
		news, again := r.roster.finishFetch(complete, time.Now())
		r.announce(news)
		r.keeper.membersChanged() // that the list is complete, too
		if again {
			r.fetch()
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
		answer, err := r.bearer.Request(ctx, &wire.Members{After: after})
		if err != nil {
			return false
		}
		page, ok := answer.(*wire.MemberPage)
		if !ok {
			return false
		}
		r.announce(r.roster.addPage(page.Entries))
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

// membersJoined handles the relay's news of joins.
func (r *Room) membersJoined(entries [][]byte) {
	news, doubt := r.roster.addJoined(entries, time.Now())
	r.announce(news)
	if doubt {
		r.fetch()
	}
}

// membersLeft handles the relay's news of leaves.
func (r *Room) membersLeft(ids []wire.MemberID) {
	news, doubt := r.roster.removeLeft(ids, time.Now())
	r.announce(news)
	for _, id := range ids { // of who had not been told of, too
		r.hearing.forgetStreams(Member{ID: id})
	}
	if doubt {
		r.fetch()
	}
}

// announce passes news of the roster on, and lets go of what belongs to who left.
func (r *Room) announce(news []Event) {
	for _, e := range news {
		r.events.put(e)
		switch e := e.(type) {
		case MemberLeft:
			r.eventLog.noteMember(eventlog.MemberLeft, e.Member, r.roster.size()+1)
			r.hearing.forgetStreams(e.Member)
		case MemberJoined:
			r.eventLog.noteMember(eventlog.MemberJoined, e.Member, r.roster.size()+1)
			r.arrivals.add(e.Member)
		}
	}
	if len(news) > 0 {
		r.keeper.membersChanged()
	}
}
