//go:build !race

package call

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	siegeRoom = "siege"
	// siegeTurns are how often somebody else talks, for siegeTurn each: two talk at a time.
	siegeTurns, siegeTurn = 10, 6 * time.Second
	mobSize               = 1000
	siegeHandshakes       = 256 // that west takes at once
	// siegeSends is how many packets a second west may send: it is a small machine, for this test has to run
	// on one.
	siegeSends = 50_000
	// siegeMemory bounds what defenders and attackers hold together more than in peace.
	siegeMemory = 300 << 20
)

// siege is ten people in a private room on two relays, and who wants them to be silent.
//
//	5 people ── west ════ east ── 5 people
//	            |  | \
//	          mob  |  rogue ── homes that it made up
//	               loiterers
type siege struct {
	*lab   // west
	east   *lab
	log    *simtest.Log // west's
	people []*person
	before map[*person]map[*person]uint64 // what each had sent when somebody came
	peace  int64                          // bytes of heap before the attack
	most   int64                          // since then
}

// TestSiege has ten people talk for a minute, while a stranger with a thousand sessions at one address, a
// hostile peer, and sixteen networks that begin handshakes without end do at once whatever could silence
// them. Somebody leaves, and another one comes. Every frame is heard by everybody, nobody is warned of the
// wrong people, the log names who does it, and memory stays bounded.
func TestSiege(t *testing.T) {
	inNetwork(t, func(l *lab) {
		s := newSiege(l)
		over, cancel := context.WithCancel(context.Background())
		attackers := []interface{ attack(context.Context) }{newMob(s), newRogue(s), newLoiterers(s)}
		done := make(chan struct{})
		for _, a := range attackers {
			go func() {
				defer func() { done <- struct{}{} }()
				a.attack(over)
			}()
		}
		defer func() {
			cancel()
			for range attackers {
				<-done
			}
		}()
		s.talk()
		s.judge()
	})
}

func newSiege(l *lab) *siege {
	s := &siege{lab: l, log: new(simtest.Log), before: make(map[*person]map[*person]uint64)}
	s.east = &lab{t: l.t, net: l.net, addr: simtest.Relay(2), key: newIdentity(201), hosts: 100}
	global := []string{siegeRoom}
	s.config = relay.Config{
		HelloRate: 1000, MaxHandshakes: siegeHandshakes, // so that a minute is enough for the mob to come in
		SendRate: siegeSends,
		Log:      slog.New(slog.NewTextHandler(s.log, nil)),
		Federation: relay.FederationConfig{GlobalRooms: global, Peers: []relay.FederationPeer{
			{Fingerprint: s.east.key.Fingerprint(), Label: "east"},
			{Fingerprint: newIdentity(rogueIdentity).Fingerprint(), Label: "rogue"},
		}},
	}
	s.east.config = relay.Config{Federation: relay.FederationConfig{GlobalRooms: global,
		Peers: []relay.FederationPeer{
			{Address: s.addr.String(), Fingerprint: s.key.Fingerprint(), Label: "west"},
		}}}
	for _, side := range []*lab{s.lab, s.east} {
		side.startRelay()
		s.t.Cleanup(func() { side.stop() })
	}
	secret := e2ee.NewSecret()
	for i := range 11 { // one of whom comes later
		side := s.lab
		if i%2 == 1 {
			side = s.east
		}
		p := side.person(fmt.Sprint("person ", i))
		p.config.Secret, p.deaf = secret, true
		s.people = append(s.people, p)
	}
	for _, p := range s.people[:10] {
		s.enters(p)
	}
	simtest.Eventually(s.t, "all are there", 30*time.Second, func() bool {
		return !slices.ContainsFunc(s.people[:10], func(p *person) bool { return len(p.room.Members()) != 9 })
	})
	time.Sleep(5 * time.Second)
	s.peace = heap()
	return s
}

// enters has somebody join, with the microphone muted.
func (s *siege) enters(p *person) {
	s.t.Helper()
	if err := p.join(siegeRoom); err != nil {
		s.t.Fatal(err)
	}
	s.before[p] = make(map[*person]uint64)
	for _, q := range s.people {
		if q.room != nil {
			s.before[p][q] = q.room.Stats().PacketsSent
		}
	}
	p.say(&drone{hz: 300}, PublishConfig{PushToTalk: true})
}

// talk has two people talk at a time. One leaves, and another one comes, when half of it is over: keys
// change.
func (s *siege) talk() {
	here := slices.Clone(s.people[:10])
	for turn := range siegeTurns {
		if turn == siegeTurns/2 {
			s.enters(s.people[10])
			s.heard("before somebody leaves", here)
			here[9].leave()
			here[9] = s.people[10]
			time.Sleep(2 * time.Second)
		}
		pair := []*person{here[turn], here[(turn+1)%len(here)]}
		for _, p := range pair {
			p.talks(true)
		}
		time.Sleep(siegeTurn)
		s.most = max(s.most, heap())
		for _, p := range pair {
			p.talks(false)
		}
		time.Sleep(200 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	s.heard("in the end", here)
}

func (p *person) talks(on bool) {
	p.room.mu.Lock()
	publication := p.room.publication
	p.room.mu.Unlock()
	publication.SetTalking(on)
}

// heard wants all to have heard each frame of all others since they came.
func (s *siege) heard(what string, here []*person) {
	s.t.Helper()
	for _, p := range here {
		for _, q := range here {
			if p == q {
				continue
			}
			got := StreamStats{}
			for _, st := range p.room.Heard() {
				if st.Member().ID == q.room.ID() {
					got = st.Stats()
				}
			}
			if want := q.room.Stats().PacketsSent - s.before[p][q]; got.Received != want || got.Lost > 0 {
				s.t.Errorf("%s: %s heard %d of %d frames of %s, %d lost", what, p.name(), got.Received, want,
					q.name(), got.Lost)
			}
		}
	}
}

func (p *person) name() string { return p.client.config.Name }

// judge looks at who was warned of whom, who is named in the log, and what was held.
func (s *siege) judge() {
	for _, p := range s.people {
		p.mu.Lock()
		for _, e := range p.events {
			switch e := e.(type) {
			case Warning:
				if e.Code != WarnOutside || e.Member.Name != "mob" && e.Member.Name != "made up" {
					s.t.Errorf("%s is warned: %s of %q: %s", p.name(), e.Code, e.Member.Name, e.Text)
				}
			case Detached:
				s.t.Errorf("%s was detached: %s", p.name(), e.Cause)
			}
		}
		p.mu.Unlock()
	}
	for _, culprit := range []string{mobAddr.Addr().String(), "peer=rogue", "2001:db8:"} {
		if len(s.log.Lines("level=WARN", culprit)) == 0 {
			s.t.Errorf("the log does not name %s", culprit)
		}
	}
	for _, victim := range []string{"10.0.1.", "peer=east", "label=east"} {
		if lines := s.log.Lines("level=WARN", victim); len(lines) > 0 {
			s.t.Errorf("the log blames %s %d times:\n%s", victim, len(lines), lines[0])
		}
	}
	s.t.Logf("%d MiB in peace, %d MiB at most", s.peace>>20, s.most>>20)
	if s.most > s.peace+siegeMemory {
		s.t.Errorf("%d MiB are held, %d MiB in peace", s.most>>20, s.peace>>20)
	}
	if s.t.Failed() {
		s.t.Logf("the log of west:\n%s", s.log.String())
	}
}

func nonce() (n wire.Commitment) {
	rand.Read(n[:])
	return n
}
