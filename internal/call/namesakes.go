package call

import (
	"fmt"
	"slices"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/wire"
)

// maxNamesakes is how many people of one name one stay remembers.
const maxNamesakes = 5

// namesakes are the people who came with one name in a stay, and are believed. Who shares a name that is new
// with somebody who is here is a namesake, not a change: which of them had the name first is chance, so all
// of them are remembered.
type namesakes struct {
	fresh  bool     // nobody was known by this name before
	people []Member // one for each identity, at most maxNamesakes
	told   bool     // that there are several
}

// namesakesOf returns those of a member's name; nil: the name is empty, or there are too many names. known is
// what the known names say of this first one.
func (a *arrivals) namesakesOf(m Member, known bool, verdict identity.NameVerdict) *namesakes {
	name := names.Fold(m.Name)
	if name == "" { // as ours may be
		return nil
	}
	if a.named == nil {
		own := &namesakes{fresh: true, people: []Member{{Identity: a.book.self}}}
		a.named = map[string]*namesakes{names.Fold(a.book.own): own}
	}
	n := a.named[name]
	if n == nil && known && len(a.named) < maxMembers {
		n = &namesakes{fresh: a.book.file == nil || verdict != identity.NameKnown}
		a.named[name] = n
	}
	return n
}

// believe reports whether somebody whose name is another's, as far as is known, is a namesake of somebody who
// is here, and remembers both then.
func (a *arrivals) believe(m Member, n *namesakes) bool {
	switch {
	case n == nil:
		return false
	case n.has(m.Identity) >= 0:
		return true
	case !n.fresh || !slices.ContainsFunc(n.people, a.isHere):
		return false
	}
	if a.book.file != nil && len(n.people) < maxNamesakes && a.alike < maxNewNames {
		a.alike++
		if err := a.book.file.Trust(m.Name, m.Identity.Fingerprint()); err != nil {
			a.warnUnkept(err)
		}
	}
	return true
}

// meet notes somebody who is believed, and says once of a name that several have it.
func (a *arrivals) meet(m Member, n *namesakes) {
	if n == nil {
		return
	}
	i := n.has(m.Identity)
	other := slices.IndexFunc(n.people, func(p Member) bool {
		return p.Identity != m.Identity && a.isHere(p)
	})
	switch {
	case i >= 0:
		n.people[i].ID = m.ID
	case len(n.people) < maxNamesakes:
		n.people = append(n.people, m)
	}
	if other < 0 || n.told {
		return
	}
	n.told = true
	one, two := m.Identity.Fingerprint(), n.people[other].Identity.Fingerprint()
	what := fmt.Sprintf(" is what two people here call themselves: "+
		"one has the fingerprint %s, the other %s", one, two)
	if n.people[other].Identity == a.book.self {
		what = fmt.Sprintf(" is what you call yourself, too: this one's fingerprint is %s", one)
	}
	a.events.warn(WarnAlike, m, what)
}

// isHere reports whether somebody is in the room now.
func (a *arrivals) isHere(m Member) bool {
	return m.Identity == a.book.self || a.here(m.ID)
}

// has returns where an identity is among the people, -1 if it is not.
func (n *namesakes) has(key identity.PublicKey) int {
	return slices.IndexFunc(n.people, func(m Member) bool { return m.Identity == key })
}

// has reports whether somebody is there.
func (ro *roster) has(id wire.MemberID) bool {
	_, ok := ro.member(id)
	return ok
}
