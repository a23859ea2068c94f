package federation

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/callpath"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/missed"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// missedCalls are the offers that are kept for devices of our clients, while those do not get them.
type missedCalls struct {
	box *missed.Box // guarded by Federation.mu
	// here are the sessions as which such devices are here; owned by run.
	here map[presence.SessionID]keptDevice
}

// keptDevice is a device for which offers are kept.
type keptDevice struct {
	who identity.Fingerprint
	id  wire.DeviceID
}

func newMissedCalls() missedCalls {
	return missedCalls{box: missed.New(missed.Limits{}), here: make(map[presence.SessionID]keptDevice)}
}

// changed notes what became of a session, of which c.connected says nothing here. Federation.mu is held.
func (m *missedCalls) changed(id presence.SessionID, c *sessionChange) {
	device, known := m.here[id]
	switch {
	case c.says && c.reach != nil:
		now := keptDevice{c.reach.Identity.Fingerprint(), c.reach.Device()}
		m.box.Here(uint64(id), c.reach, c.record, c.holder)
		if known && device != now {
			m.box.Gone(uint64(id), device.who, device.id)
		}
		if device, known = now, c.reach.Keep; known {
			m.here[id] = device
		} else {
			delete(m.here, id)
		}
	case known && c.says && c.left:
		m.box.Gone(uint64(id), device.who, device.id)
		delete(m.here, id)
	case known && c.says:
		m.box.Forget(device.who, device.id)
		delete(m.here, id)
	}
	if c.over && known {
		m.box.Gone(uint64(id), device.who, device.id)
		delete(m.here, id)
	}
}

// holderOf is a client as who takes places for what is kept.
func holderOf(from budget.Group, who identity.PublicKey) missed.Holder {
	return missed.Holder{Group: from, Who: budget.ID(who[:])}
}

// legHolder is who brings what comes by a leg.
func (f *Federation) legHolder(leg callpath.Leg) missed.Holder {
	if l := f.calls.lines.get(presence.SessionID(leg.Session)); l != nil {
		return holderOf(l.group, l.to.Identity())
	}
	return missed.Holder{Group: budget.Group{Link: true, ID: budget.ID(leg.Peer[:])}}
}

// Keep implements callpath.Directory.
func (f callDirectory) Keep(from callpath.Leg, m *wire.CallForward, now time.Time) bool {
	if from.Peer != (wire.RelayID{}) && f.who.WordOf(from.Peer) == presence.None {
		return false
	}
	return f.missed.box.Away(m.Target, m.Device, now) && f.missed.box.Keep(m, f.legHolder(from), now)
}

// keepOffer keeps an offer that its session has not got, where its device wants that.
func (f *Federation) keepOffer(offer []byte, by callpath.Leg, now time.Time) {
	m, err := wire.Parse[wire.CallForward](offer)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.missed.box.Keep(&m, f.legHolder(by), now)
}

// keptWanted tells a client what is kept for devices of its identity.
func (f *Federation) keptWanted(l *line, body []byte) {
	m, err := wire.Parse[wire.KeptWanted](body)
	if err != nil {
		f.rooms.Drops.Add(drops.Malformed, 1)
		return
	}
	who := l.to.Identity().Fingerprint()
	var list []wire.KeptCall
	f.mu.Lock()
	for _, id := range m.Devices {
		list = append(list, f.missed.box.Claim(uint64(l.id), who, id)...)
	}
	f.mu.Unlock()
	for _, one := range list {
		err := l.to.SendUrgentThen(wire.UrgentKeptCall, wire.Append(nil, &one), func(acked bool) {
			if acked && one.Of > 0 {
				f.later(func(time.Time) {
					f.mu.Lock()
					f.missed.box.Delivered(who, one.Device, one.Key)
					f.mu.Unlock()
				})
			}
		})
		if err != nil { // it is over, or has not read what it asked for before: its next session asks again
			f.rooms.Drops.Add(drops.CallRate, 1)
			return
		}
	}
}

// MissedCounts returns for how many devices that are away offers are kept, and how many offers are.
func (f *Federation) MissedCounts() (away, offers int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.missed.box.Counts()
}

// routeDirectory is what the resolver asks about who is where. Federation.mu is held then.
type routeDirectory struct {
	*presence.Table
	missed *missedCalls
}

// Away implements presence.Directory.
func (d routeDirectory) Away(f identity.Fingerprint, now time.Time) (record []byte, sequence uint64) {
	return d.missed.box.Record(f, now)
}
