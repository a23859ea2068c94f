package wzp

import (
	"fmt"
	"sync"

	"github.com/wzp-voice/wzp/identity"
)

// people looks at who joins: whether their names are known with another key. It has a goroutine of its own, for names
// are kept on disk, and the news of members come on those that receive packets. At most maxMembers wait.
type people struct {
	wake chan struct{}

	mu  sync.Mutex // guards what follows
	new []Member
}

// meet queues somebody who joined.
func (p *people) meet(m Member) {
	p.mu.Lock()
	if len(p.new) < maxMembers {
		p.new = append(p.new, m)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// meetPeople runs until the room is over.
func (r *Room) meetPeople() {
	outsiders := false
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.people.wake:
		}
		r.people.mu.Lock()
		list := r.people.new
		r.people.new = nil
		r.people.mu.Unlock()
		for _, m := range list {
			switch {
			case r.ctx.Err() != nil:
				return
			case !m.Outside:
				r.checkName(m)
			case !outsiders:
				outsiders = true
				r.warnOutside(m)
			}
		}
	}
}

// warnOutside tells of the first one who is outside.
func (r *Room) warnOutside(m Member) {
	text := called(m) + " does not have the invite secret: whoever is outside hears nothing that is said here"
	if r.roster.secret == nil {
		text = called(m) + " has an invite secret that you do not have: you do not hear each other"
	}
	r.events.put(Warning{Code: WarnOutside, Member: m, Text: text})
}

// checkName warns of who has a name that somebody else had before.
func (r *Room) checkName(m Member) {
	known, err := r.client.knownName(m)
	if err != nil {
		r.client.log().Warn("cannot keep known names", "err", err)
		return
	}
	if !known {
		r.events.put(Warning{Code: WarnName, Member: m, Text: called(m) + " has another key than who called itself that before: " +
			"it may be somebody else; its fingerprint is " + m.Identity.Fingerprint().String()})
	}
}

// called is how a member is spoken of. Names are what members call themselves, so they are quoted.
func called(m Member) string {
	switch {
	case m.Name != "":
		return fmt.Sprintf("%q", m.Name)
	case m.Identity != (identity.PublicKey{}):
		return m.Identity.Fingerprint().String()
	}
	return "member " + m.ID.String()
}
