package call

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
)

// comesBack returns the person with a new client in the place of the one that is cut off, as after a crash,
// at a relay that may be another one.
func (p *person) comesBack(l *lab, room string) *person {
	l.t.Helper()
	stay := p.room.Stay()
	l.setPaths(simnet.Profile{Loss: 1}, p)
	again := l.personOf(p.client.config.Name, p.client.Identity())
	again.config.Replaces = &stay
	if err := again.join(room); err != nil {
		l.t.Fatal(err)
	}
	return again
}

// TestComesBack: who comes back after a crash is seen once, heard, and not told of itself, at its old relay
// and at another one.
func TestComesBack(t *testing.T) {
	for name, to := range map[string]int{"to the same relay": 0, "to another relay": 1} {
		t.Run(name, func(t *testing.T) {
			inUnion(t, 2, chain(2), simnet.Profile{Delay: 30 * time.Millisecond}, func(u *union) {
				here, there := u.relays[0].joined("bert", "room"), u.relays[1].joined("carl", "room")
				old := u.relays[0].joined("anna", "room")
				people := []*person{here, there}
				l := u.relays[to]
				sees := func(n int) bool {
					return len(here.room.Members()) == n && len(there.room.Members()) == n
				}
				l.eventually("all see each other", 5*time.Second, func() bool { return sees(2) })
				for _, p := range people {
					l.eventually("it is told", 5*time.Second, func() bool {
						return slices.Contains(p.log(), "+anna")
					})
					p.news()
				}
				fresh := old.comesBack(l, "room")
				l.eventually("the others see the new one", 5*time.Second, func() bool {
					return sees(2) && here.has(fresh) && there.has(fresh)
				})
				synctest.Wait()
				for _, p := range people {
					if got, want := p.news(), []string{"-anna", "+anna"}; !slices.Equal(got, want) {
						t.Errorf("%s was told %v, want %v", p.client.config.Name, got, want)
					}
				}
				l.eventually("it sees the two others", 5*time.Second, func() bool {
					return len(fresh.room.Members()) == 2
				})
				fresh.say(&samples{pcm: tone(4 * time.Second)}, PublishConfig{})
				for _, p := range people {
					l.eventually("it is heard", 5*time.Second, func() bool {
						return slices.Contains(p.log(), "hear anna 0")
					})
				}
			})
		})
	}
}

// has reports whether a person sees another.
func (p *person) has(other *person) bool {
	return slices.ContainsFunc(p.room.Members(), func(m Member) bool { return m.ID == other.room.ID() })
}
