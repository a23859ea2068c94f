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

// expireEvery is how far apart looks for records that have expired are.
const expireEvery = time.Second

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
	devices  int       // of all people
	expireAt time.Time // the next look; zero: there is no device
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
	sessions    int
	devices     []*device // the newest first, at most MaxDevices
}

// device is a Device with what is needed to replace it.
type device struct {
	Device
	sequence uint64
	until    time.Time
}

func newRegistry() registry {
	return registry{sessions: map[SessionID]*session{}, people: map[identity.Fingerprint]*person{}}
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
		p = &person{fingerprint: fingerprint}
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
	until := time.Unix(r.Expiry, 0)
	if latest := now.Add(wire.MaxReach); until.After(latest) {
		until = latest
	}
	d := &device{Device{id, bytes.Clone(record), r.Device()}, r.Sequence, until}
	if old := s.person.device(d.Device.Device); old != nil && old.sequence >= d.sequence {
		return
	} else if old != nil {
		t.registry.remove(s.person, old)
	}
	if s.device != nil {
		t.registry.remove(s.person, s.device)
	}
	if n := len(s.person.devices); n >= MaxDevices {
		t.registry.remove(s.person, s.person.devices[n-1])
	}
	t.registry.add(s, d)
	if t.registry.expireAt.IsZero() {
		t.registry.expireAt = now.Add(expireEvery)
	}
}

// Unavailable says that a session takes no calls any more.
func (t *Table) Unavailable(id SessionID, now time.Time) {
	if s := t.registry.sessions[id]; s != nil && s.device != nil {
		t.registry.remove(s.person, s.device)
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
	r.devices++
}

// remove takes a device from its person, and from its session.
func (r *registry) remove(p *person, d *device) {
	p.devices = slices.DeleteFunc(p.devices, func(o *device) bool { return o == d })
	if s := r.sessions[d.Session]; s != nil && s.device == d {
		s.device = nil
	}
	r.devices--
}

// expire removes devices whose records have expired, if it is time to look. It returns when it is next.
func (r *registry) expire(now time.Time) (next time.Time) {
	if r.expireAt.IsZero() || now.Before(r.expireAt) {
		return r.expireAt
	}
	for _, s := range r.sessions {
		if s.device != nil && !now.Before(s.device.until) {
			r.remove(s.person, s.device)
		}
	}
	r.expireAt = time.Time{}
	if r.devices > 0 {
		r.expireAt = now.Add(expireEvery)
	}
	return r.expireAt
}
