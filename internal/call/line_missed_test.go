package call

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/simnet"
)

// back returns somebody anew, with their identity, contacts and stay keys, and a line of their own.
func (p *party) back(name string) *party {
	p.lab.t.Helper()
	again := p.lab.strangerOf(name, p.client.config.Identity)
	again.known, again.stays = p.known, p.stays
	if err := again.open(true); err != nil {
		p.lab.t.Fatal(err)
	}
	return again
}

// network has somebody's network to their relay be like that.
func (p *party) network(profile simnet.Profile) {
	p.lab.t.Helper()
	if err := p.lab.net.SetPaths(p.addr.Addr(), p.lab.addr.Addr(), profile); err != nil {
		p.lab.t.Fatal(err)
	}
}

// missed are the calls that they were told they missed, and of how many strangers.
func (p *party) missed() (names []string, strangers int) {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	for _, e := range p.seen {
		switch e := e.(type) {
		case MissedCall:
			names = append(names, e.Name)
		case StrangerCalled:
			strangers++
		}
	}
	return names, strangers
}

// keepsMissed opens a line of somebody who wants missed calls kept, whom some know.
func (l *lab) keepsMissed(name string, known ...*party) *party {
	l.t.Helper()
	p := l.stranger(name)
	var err error
	if p.stays, err = identity.OpenStayKeys(filepath.Join(l.t.TempDir(), "stay_keys")); err != nil {
		l.t.Fatal(err)
	}
	for _, k := range known {
		p.known[k.client.Identity().Public()] = true
	}
	if err := p.open(true); err != nil {
		l.t.Fatal(err)
	}
	return p
}

func (p *party) wantMissed(what string, want string) {
	p.lab.t.Helper()
	time.Sleep(2 * time.Second)
	names, strangers := p.missed()
	if got := fmt.Sprint(names, strangers); got != want {
		p.lab.t.Errorf("%s: missed were %s, want %s; events %v", what, got, want, p.words())
	}
}

// TestMissedCalls: the home of somebody who wants it keeps the calls that come while they are away, over
// however many relays, and tells them when they are back: once, and of strangers only that they called. The
// key to them is forgotten then.
func TestMissedCalls(t *testing.T) {
	for _, tc := range []struct {
		relays int
		word   presence.Word
	}{{1, presence.Mesh}, {2, presence.Peer}, {4, presence.Mesh}} {
		t.Run(fmt.Sprintf("%d relays, word %v", tc.relays, tc.word), func(t *testing.T) {
			paths := simnet.Profile{Delay: 20 * time.Millisecond, Seed: 1}
			inUnionOf(t, tc.relays, chain(tc.relays), paths, tc.word, func(u *union) {
				far := u.relays[tc.relays-1]
				anna, eve := u.relays[0].party("anna", false), u.relays[0].party("eve", false)
				bert := far.keepsMissed("bert", anna)
				time.Sleep(3 * time.Second)
				if err := bert.line.Close(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(12 * time.Second) // what was found of bert is forgotten
				for _, p := range []*party{anna, eve} {
					p.ended(p.dial(bert), signalling.Away, 10*time.Second)
				}
				time.Sleep(10 * time.Minute) // the record has expired
				anna.ended(anna.dial(bert), signalling.Away, 10*time.Second)
				again := bert.back("bert")
				again.wantMissed("back", "[anna anna] 1")
				keys, err := bert.stays.Of(bert.client.Identity().Public())
				if err != nil || len(keys) != 1 {
					t.Errorf("%d keys are kept, %v", len(keys), err)
				}
				time.Sleep(3 * time.Second)
				anna.dial(again)
				again.incoming(5 * time.Second)
				if err := again.line.Close(); err != nil {
					t.Fatal(err)
				}
				bert.back("bert").wantMissed("back again", "[] 0")
			})
		})
	}
}

// TestMissedUnawares: who loses the network is away before the relay knows it. A call that comes then is not
// lost, whether they come back with a new program or the same one.
func TestMissedUnawares(t *testing.T) {
	inTelephone(t, 2, chain(2), simnet.Profile{Delay: 20 * time.Millisecond, Seed: 1}, func(u *union) {
		anna, adam := u.relays[0].party("anna", false), u.relays[0].party("adam", false)
		bert, cleo := u.relays[1].keepsMissed("bert", anna), u.relays[1].keepsMissed("cleo", anna, adam)
		time.Sleep(3 * time.Second)
		for _, p := range []*party{bert, cleo} {
			p.network(simnet.Profile{Loss: 1})
		}
		time.Sleep(2 * time.Second)
		one, other := anna.dial(bert), adam.dial(cleo)
		anna.ended(one, signalling.NoAnswer, time.Minute)
		adam.ended(other, signalling.NoAnswer, time.Minute)
		time.Sleep(5 * time.Minute)
		anna.ended(anna.dial(cleo), signalling.Away, 10*time.Second)
		bert.back("bert").wantMissed("a new program", "[anna] 0")
		cleo.network(simnet.Profile{})
		cleo.until("attached", time.Minute, func() bool {
			return cleo.saw(func(e LineEvent) bool { _, ok := e.(LineAttached); return ok })
		})
		cleo.wantMissed("the same program", "[adam anna] 0")
	})
}

// TestMissedNotWanted: nothing is kept for who has not asked for it, or takes no calls any more.
func TestMissedNotWanted(t *testing.T) {
	inTelephone(t, 1, nil, simnet.Profile{}, func(u *union) {
		anna := u.party("anna", false)
		bert, cleo := u.party("bert", true), u.keepsMissed("cleo", anna)
		time.Sleep(time.Second)
		cleo.line.SetAvailable(false)
		time.Sleep(time.Second)
		for _, p := range []*party{bert, cleo} {
			if err := p.line.Close(); err != nil {
				t.Fatal(err)
			}
			anna.ended(anna.dial(p), signalling.NotThere, 20*time.Second)
		}
		p := u.stranger("dora")
		_, err := p.client.OpenLine(t.Context(), LineConfig{Available: true, KeepMissed: true})
		if err != errNoStayKeys {
			t.Errorf("without a place for the keys: %v", err)
		}
	})
}
