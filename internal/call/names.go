package call

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/wire"
)

// maxNewNames is how many names one stay may add to the known ones: the file is bounded, and one room full of
// strangers must not fill it. Names of people who are known do not count.
const maxNewNames = 256

// nameBook holds the names that a client knows, for all its rooms.
type nameBook struct {
	own  string
	self identity.PublicKey
	file *identity.KnownNames // nil: none

	mu  sync.Mutex                    // guards met
	met map[string]identity.PublicKey // by folded name: of whom the file does not remember
}

// arrivals checks whether the names of those who join are known with another key. It has a goroutine of its
// own, for names are kept on disk, and the news of members come on those that receive packets. At most
// maxMembers wait.
//
//	announce ── add ──> new ── run, all at once ──> identity.KnownNames ──> Warning
//	                                                nameBook.met: of whom the file does not remember
type arrivals struct {
	book   *nameBook
	secret bool // we have an invite secret
	events *events
	log    *slog.Logger
	here   func(wire.MemberID) bool // whether somebody is in the room now

	wake chan struct{}
	mu   sync.Mutex // guards new
	new  []Member

	// Owned by run.
	kept      int                   // new names that this stay has added to the file
	named     map[string]*namesakes // by folded name, with our own; at most maxMembers
	alike     int                   // namesakes that this stay has added to the file
	outsiders bool                  // somebody who is outside was told of
	unkept    bool                  // and that names are not kept
}

// add queues somebody who joined.
func (a *arrivals) add(m Member) {
	a.mu.Lock()
	if len(a.new) < maxMembers {
		a.new = append(a.new, m)
	}
	a.mu.Unlock()
	signal(a.wake)
}

// run checks who joins until done is closed.
func (a *arrivals) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-a.wake:
		}
		a.mu.Lock()
		list := a.new
		a.new = nil
		a.mu.Unlock()
		a.check(list)
	}
}

// check warns of the first one who is outside, and of names of those inside.
func (a *arrivals) check(list []Member) {
	inside := make([]Member, 0, len(list))
	for _, m := range list {
		if !m.Outside {
			inside = append(inside, m)
		} else if !a.outsiders {
			a.outsiders = true
			a.warnOutside(m)
		}
	}
	if len(inside) > 0 {
		a.checkNames(inside)
	}
}

func (a *arrivals) warnOutside(m Member) {
	what := " has an invite secret that you do not have: you do not hear each other"
	if a.secret {
		what = " does not have the invite secret: whoever is outside hears nothing that is said here"
	}
	a.events.warn(WarnOutside, m, what)
}

// checkNames warns of who has a name that somebody else had before, says which names several have who are
// here, and once if names are not kept. Other devices of ours are nothing to be said of.
func (a *arrivals) checkNames(members []Member) {
	members = slices.DeleteFunc(members, func(m Member) bool { return m.Identity == a.book.self })
	verdicts := make([]identity.NameVerdict, len(members))
	var err error
	if a.book.file != nil {
		people := make([]identity.NamedKey, len(members))
		for i, m := range members {
			people[i] = identity.NamedKey{Name: m.Name, Key: m.Identity}
		}
		verdicts, err = a.book.file.Check(people, maxNewNames-a.kept)
	}
	unkept := false
	for i, m := range members {
		verdict := verdicts[i]
		if verdict == identity.NameKept {
			a.kept++
		}
		known := verdict != identity.NameOther
		if known && (verdict == identity.NameNotKept || a.book.file == nil) {
			var remembered bool
			known, remembered = a.book.sameKey(m)
			unkept = unkept || verdict == identity.NameNotKept || !remembered
		}
		n := a.namesakesOf(m, known, verdict)
		if known || a.believe(m, n) {
			a.meet(m, n)
		} else {
			a.events.warn(WarnName, m, " has another key than who called itself that before: "+
				"it may be somebody else; its fingerprint is "+m.Identity.Fingerprint().String())
		}
	}
	if unkept {
		a.warnUnkept(err)
	}
}

// warnUnkept says once that names are not remembered; err says why, nil: there are too many new ones.
func (a *arrivals) warnUnkept(err error) {
	if a.unkept {
		return
	}
	a.unkept = true
	why := fmt.Sprintf("more than %d new ones came in this room", maxNewNames)
	if err != nil {
		why = err.Error()
	}
	a.log.Warn("names are not kept", "err", err)
	a.events.put(Warning{Code: WarnNames, Text: "names cannot be remembered, " +
		"so you will not be warned when they come with another key later: " + why})
}

// sameKey reports whether a member has the key of the first who came with its name since the client was made,
// as far as that is remembered: for as many names as there may be members.
func (b *nameBook) sameKey(m Member) (same, remembered bool) {
	name := names.Fold(m.Name)
	if name == "" {
		return true, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key, met := b.met[name]
	if met {
		return key == m.Identity, true
	}
	if len(b.met) >= maxMembers {
		return true, false
	}
	b.met[name] = m.Identity
	return true, true
}

// called is how a member is spoken of. Names are what members call themselves, so they are quoted.
func called(m Member) string {
	switch {
	case m.Name != "":
		return names.Quote(m.Name)
	case m.Identity != (identity.PublicKey{}):
		return m.Identity.Fingerprint().String()
	}
	return "member " + m.ID.String()
}
