package presence

import (
	"bytes"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// MaxDevices is how many devices of one identity take calls here. One more takes the place of the oldest.
const MaxDevices = 8

// SessionID names one session of a client with this relay. Its owner chooses it.
type SessionID uint64

// Device is one stay of an identity that takes calls here.
type Device struct {
	Session SessionID
	Record  []byte // its reach record; must not be written to
	Device  wire.DeviceID
}

// registry is who is connected here: every identity that has a session, counted by session, and the devices
// that take calls.
type registry struct {
	sessions map[SessionID]*session
	people   map[identity.Fingerprint]*person
	count    int                       // of people who take calls
	taking   map[wire.PresenceHash]int // how many people who take calls have a hash: two only by design
}

// session is one session of a client.
type session struct {
	who    identity.PublicKey
	person *person
	device *device // what it takes calls as; nil: it takes none
}

// person is an identity with at least one session.
type person struct {
	fingerprint identity.Fingerprint
	hash        wire.PresenceHash
	sessions    int
	taking      bool      // it is counted as one who takes calls
	devices     []*device // the newest first, at most MaxDevices
}

// device is a Device with what is needed to replace it.
type device struct {
	Device
	reach wire.Reach
}

func newRegistry() registry {
	return registry{sessions: map[SessionID]*session{}, people: map[identity.Fingerprint]*person{},
		taking: map[wire.PresenceHash]int{}}
}

// Connect says that a session belongs to an identity, as its handshake has proved.
func (t *Table) Connect(id SessionID, who identity.PublicKey) {
	r := &t.registry
	if r.sessions[id] != nil {
		return
	}
	fingerprint := who.Fingerprint()
	p := r.people[fingerprint]
	if p == nil {
		p = &person{fingerprint: fingerprint, hash: wire.HashPresence(fingerprint)}
		r.people[fingerprint] = p
	}
	p.sessions++
	r.sessions[id] = &session{who: who, person: p}
}

// Available says that a session takes calls: r was read from record, verified and fresh, and its home is this
// relay. A record of another identity, or one that is not newer than that of the same stay, is ignored.
func (t *Table) Available(id SessionID, r *wire.Reach, record []byte, now time.Time) {
	s := t.registry.sessions[id]
	if s == nil || r.Identity != s.who {
		return
	}
	d := &device{Device{id, bytes.Clone(record), r.Device()}, *r}
	old := s.person.device(d.Device.Device)
	if old != nil && old.reach.Sequence >= r.Sequence {
		return
	}
	for _, o := range []*device{old, s.device} {
		if o != nil {
			t.registry.remove(s.person, o)
		}
	}
	if n := len(s.person.devices); n >= MaxDevices {
		t.registry.remove(s.person, s.person.devices[n-1])
	}
	t.registry.add(s, d)
	t.personChanged(s.person)
}

// Unavailable says that a session takes no calls any more.
func (t *Table) Unavailable(id SessionID, now time.Time) {
	if s := t.registry.sessions[id]; s != nil && s.device != nil {
		t.registry.remove(s.person, s.device)
		t.personChanged(s.person)
	}
}

// Disconnect says that a session is over.
func (t *Table) Disconnect(id SessionID, now time.Time) {
	s := t.registry.sessions[id]
	if s == nil {
		return
	}
	t.Unavailable(id, now)
	delete(t.registry.sessions, id)
	if s.person.sessions--; s.person.sessions == 0 {
		delete(t.registry.people, s.person.fingerprint)
	}
}

// Local returns the devices of an identity that take calls here, the newest first.
func (t *Table) Local(f identity.Fingerprint) (list []Device) {
	if p := t.registry.people[f]; p != nil {
		for _, d := range p.devices {
			list = append(list, d.Device)
		}
	}
	return list
}

// device returns a person's device; nil: it does not take calls here.
func (p *person) device(id wire.DeviceID) *device {
	for _, d := range p.devices {
		if d.Device.Device == id {
			return d
		}
	}
	return nil
}

// add makes a device the newest one of a session's person.
func (r *registry) add(s *session, d *device) {
	s.device = d
	s.person.devices = slices.Insert(s.person.devices, 0, d)
}

// remove takes a device from its person, and from its session.
func (r *registry) remove(p *person, d *device) {
	p.devices = slices.DeleteFunc(p.devices, func(o *device) bool { return o == d })
	if s := r.sessions[d.Session]; s != nil && s.device == d {
		s.device = nil
	}
}

// expire removes devices whose records are not fresh any more.
func (t *Table) expire(now time.Time) {
	for _, s := range t.registry.sessions {
		if s.device != nil && !s.device.reach.Fresh(now) {
			t.registry.remove(s.person, s.device)
			t.personChanged(s.person)
		}
	}
}

// personChanged has peers told if a person takes calls now and did not, or the other way round.
func (t *Table) personChanged(p *person) {
	taking := len(p.devices) > 0
	if p.taking == taking {
		return
	}
	r := &t.registry
	p.taking = taking
	if taking {
		r.count++
	} else {
		r.count--
	}
	t.do(Taking{p.hash, taking, r.count})
	if !taking {
		if r.taking[p.hash]--; r.taking[p.hash] == 0 {
			delete(r.taking, p.hash)
			t.news[p.hash] = ownChange{}
			return
		}
		for _, o := range r.people { // hours of work have made another one with this hash
			if o.hash == p.hash && o.taking {
				p = o
			}
		}
	} else {
		r.taking[p.hash]++
	}
	t.news[p.hash] = ownChange{here: true, fingerprint: p.fingerprint}
}
