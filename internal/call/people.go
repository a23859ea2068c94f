package call

import (
	"fmt"
	"sync"

	"github.com/wzp-voice/wzp/identity"
)

const (
	// maxNewNames is how many names one stay may add to the known ones: the file is bounded, and one room full of
	// strangers must not fill it. Names of people who are known do not count.
	maxNewNames = 256
	noNames     = "names cannot be remembered, so you will not be warned when they come with another key later: "
)

// people looks at who joins: whether their names are known with another key. It has a goroutine of its own, for names
// are kept on disk, and the news of members come on those that receive packets. At most maxMembers wait.
//
//	announce ── meet ──> new ── meetPeople, all at once ──> identity.KnownNames ──> Warning
//	                                                        Client.names: of whom the file does not remember
type people struct {
	wake chan struct{}

	mu  sync.Mutex // guards what follows
	new []Member
}

// greeter is what meetPeople knows.
type greeter struct {
	room      *Room
	kept      int  // new names that this stay has added to the file
	outsiders bool // somebody who is outside was told of
	unkept    bool // and that names are not kept
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
	g := greeter{room: r}
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
		g.meet(list)
	}
}

func (g *greeter) meet(list []Member) {
	inside := make([]Member, 0, len(list))
	for _, m := range list {
		if !m.Outside {
			inside = append(inside, m)
		} else if !g.outsiders {
			g.outsiders = true
			g.room.warnOutside(m)
		}
	}
	if len(inside) > 0 && g.room.ctx.Err() == nil {
		g.checkNames(inside)
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

// checkNames warns of who has a name that somebody else had before, and once if names are not kept.
func (g *greeter) checkNames(members []Member) {
	c := g.room.client
	verdicts := make([]identity.NameVerdict, len(members))
	var err error
	if c.config.KnownNames != nil {
		people := make([]identity.NamedKey, len(members))
		for i, m := range members {
			people[i] = identity.NamedKey{Name: m.Name, Key: m.Identity}
		}
		verdicts, err = c.config.KnownNames.Check(people, maxNewNames-g.kept)
	}
	unkept := false
	for i, m := range members {
		verdict := verdicts[i]
		if verdict == identity.NameKept {
			g.kept++
		}
		known := verdict != identity.NameOther && !c.ownName(m)
		if known && (verdict == identity.NameNotKept || c.config.KnownNames == nil) {
			var remembered bool
			known, remembered = c.sameKey(m)
			unkept = unkept || verdict == identity.NameNotKept || !remembered
		}
		if !known {
			g.warnName(m)
		}
	}
	if unkept {
		g.warnUnkept(err)
	}
}

// ownName reports whether somebody else calls itself what we do.
func (c *Client) ownName(m Member) bool {
	name := identity.FoldName(m.Name)
	return name != "" && name == identity.FoldName(c.config.Name) && m.Identity != c.config.Identity.Public()
}

// sameKey reports whether a member has the key of the first who came with its name since Dial, as far as that is
// remembered: for as many names as there may be members.
func (c *Client) sameKey(m Member) (same, remembered bool) {
	name := identity.FoldName(m.Name)
	if name == "" {
		return true, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key, met := c.names[name]
	if met {
		return key == m.Identity, true
	}
	if len(c.names) >= maxMembers {
		return true, false
	}
	c.names[name] = m.Identity
	return true, true
}

func (g *greeter) warnName(m Member) {
	g.room.events.put(Warning{Code: WarnName, Member: m, Text: called(m) + " has another key than who called itself that before: " +
		"it may be somebody else; its fingerprint is " + m.Identity.Fingerprint().String()})
}

// warnUnkept says once in a stay that names are not remembered; err says why, nil: there are too many new ones.
func (g *greeter) warnUnkept(err error) {
	if g.unkept {
		return
	}
	g.unkept = true
	text := noNames
	if err != nil {
		text += err.Error()
	} else {
		text += fmt.Sprintf("more than %d new ones came in this room", maxNewNames)
	}
	g.room.client.log().Warn("names are not kept", "err", err)
	g.room.events.put(Warning{Code: WarnNames, Text: text})
}

// called is how a member is spoken of. Names are what members call themselves, so they are quoted.
func called(m Member) string {
	switch {
	case m.Name != "":
		return identity.QuoteName(m.Name)
	case m.Identity != (identity.PublicKey{}):
		return m.Identity.Fingerprint().String()
	}
	return "member " + m.ID.String()
}
