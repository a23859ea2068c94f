package relay

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// device is a client that names its stay before in its next entry, as one that was killed does when it is
// back.
type device struct {
	id   *identity.Identity
	stay *wire.StayProof // the newest; nil: none yet
}

// joined has the device join at a relay, as a client of its own.
func (d *device) joined(l *lab, room string) *person {
	l.t.Helper()
	p := l.personAt(l.host(), d.id)
	p.edit = func(p *person, j *wire.Join) {
		secret := wire.NewStaySecret()
		b, err := wire.SignEntry(d.id, wire.MemberEntry{Room: room, HomeRelay: l.key.Public(),
			Commitment: secret.Commitment(), Replaces: d.stay})
		if err != nil {
			l.t.Error(err)
		}
		j.Entry = b
		d.stay = &wire.StayProof{Entry: wire.HashEntry(b), Secret: secret}
	}
	if err := p.join(room); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// over reports whether the person's client has ended.
func (p *person) over() bool {
	select {
	case <-p.client.Done():
		return true
	default:
		return false
	}
}

// wasReplaced reports whether the person's client was told so.
func (p *person) wasReplaced() bool {
	return p.over() && errors.Is(p.client.Err(), &wire.Goodbye{Code: wire.CodeReplaced})
}

// TestReplaced: a device that comes back takes the place of its old stay at once, in the numbers of its relay
// and for the others; the old client is told, and another device of the same person stays.
func TestReplaced(t *testing.T) {
	inLab(t, Config{MaxMembersPerAddress: 10}, func(l *lab) {
		phone, laptop := &device{id: newIdentity(100)}, &device{id: newIdentity(100)}
		other, desk := l.joined("room"), laptop.joined(l, "room")
		old := phone.joined(l, "room")
		for range 5 {
			fresh := phone.joined(l, "room")
			want := ids([]*person{other, desk, fresh})
			slices.SortFunc(want, wire.MemberID.Compare)
			if got := other.list(); !slices.Equal(got, want) {
				t.Errorf("the list is %v, want %v", got, want)
			}
			l.eventually("all are told", time.Second, func() bool {
				return old.wasReplaced() && other.told(fresh.member) && !other.told(old.member)
			})
			old = fresh
		}
		l.want("after five", map[string]float64{"members": 3, "sessions": 3, "joins_total": 8,
			"leaves_total": 5})
		if desk.over() {
			t.Errorf("the other device: %v", desk.client.Err())
		}
	})
}

// TestReplacedDoesNotComeBack: the old client cannot attach with its entry again, at a relay that was
// restarted either, while the new one is there.
func TestReplacedDoesNotComeBack(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		phone := &device{id: newIdentity(100)}
		old := phone.joined(l, "room")
		fresh := phone.joined(l, "room")
		again := l.personAt(l.host(), phone.id)
		again.edit = func(_ *person, j *wire.Join) { j.Entry = old.entry }
		if err := again.join("room"); code(err) != wire.CodeReplaced {
			t.Errorf("the old entry again: %v", err)
		}
		l.stop()
		l.start(Config{})
		l.eventually("the new one is back", 20*time.Second, func() bool { return len(fresh.list()) == 1 })
	})
}

// TestReplacedAcross: a device moves from relay to relay without leaving. At each relay only its newest stay
// is seen, as soon as news of that come, whatever is lost on the way between relays; no list ever has two.
func TestReplacedAcross(t *testing.T) {
	for pairs, count := range map[string]int{"AB": 2, "AB BC": 3, "AB BC CA": 3} {
		for _, loss := range []float64{0, 0.4} {
			t.Run(fmt.Sprint(pairs, loss), func(t *testing.T) {
				inMesh(t, func(m *mesh) {
					n := m.running(count, pairs)
					var others []*person
					for _, n := range n {
						others = append(others, n.joined(globalRoom))
					}
					m.agree("the others", 5*time.Second, others...)
					bad := simnet.Profile{Delay: 50 * time.Millisecond, Loss: loss}
					for i, a := range n {
						for _, b := range n[:i] {
							if err := m.net.SetPaths(a.addr.Addr(), b.addr.Addr(), bad); err != nil {
								t.Fatal(err)
							}
						}
					}
					phone := &device{id: newIdentity(100)}
					var stays []*person
					for i := range 7 {
						stays = append(stays, phone.joined(n[i*i%count].lab, globalRoom))
						m.eventually("only the newest is seen", 10*time.Second, func() bool {
							return m.onlyNewest(stays, others)
						})
						if i > 0 {
							old := stays[i-1]
							m.eventually("the old client is told", 10*time.Second, old.wasReplaced)
						}
					}
				})
			})
		}
	}
}

// onlyNewest reports whether all see the last one of a device's stays; nobody may see two.
func (m *mesh) onlyNewest(stays, others []*person) bool {
	m.t.Helper()
	newest := 0
	for _, p := range others {
		list, seen := p.list(), 0
		for i, stay := range stays {
			if slices.Contains(list, stay.member) {
				seen++
				if i == len(stays)-1 {
					newest++
				}
			}
		}
		if seen > 1 {
			m.t.Fatalf("%d stays of one device are seen at once", seen)
		}
	}
	return newest == len(others)
}

// TestReplacedWhileApart: the relay of the old stay is cut off when the device comes back at another one. It
// drops the old one when it hears of that, and the third relay sees the new one alone at once.
func TestReplacedWhileApart(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(3, "AB BC")
		others := []*person{n[0].joined(globalRoom), n[1].joined(globalRoom), n[2].joined(globalRoom)}
		m.agree("the others", 5*time.Second, others...)
		phone := &device{id: newIdentity(100)}
		old := phone.joined(n[0].lab, globalRoom)
		m.eventually("the old one is seen", 5*time.Second, func() bool {
			return m.onlyNewest([]*person{old}, others)
		})
		m.cut(n[0], n[1], true)
		fresh := phone.joined(n[2].lab, globalRoom)
		m.eventually("the new one is seen where it can be", 5*time.Second, func() bool {
			return m.onlyNewest([]*person{old, fresh}, others[1:])
		})
		if !slices.Contains(others[0].list(), old.member) {
			t.Error("the relay that is cut off has dropped the old one already")
		}
		m.cut(n[0], n[1], false)
		m.eventually("it drops it", 30*time.Second, func() bool {
			return m.onlyNewest([]*person{old, fresh}, others)
		})
		m.eventually("the old client is told", time.Second, old.wasReplaced)
	})
}
