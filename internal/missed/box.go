package missed

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/share"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	maxDevices = 8 // of an identity that are away
	sweepEvery = time.Minute
)

// Limits bound a Box. What is 0 has its default.
type Limits struct {
	Devices int // for which offers are kept: 20,000
	Offers  int // that are kept: 20,000, each up to a kilobyte
}

// Box keeps the offers of calls for devices that do not get them. The zero value is not ready: see New.
type Box struct {
	devices map[deviceKey]*device
	people  map[identity.Fingerprint][]*device // the same

	places share.Places[Holder, *device] // of devices, by the addresses they come from and their owners
	offers share.Places[Holder, *offer]  // of all devices, by who brought them
	swept  time.Time
}

// deviceKey names a device. A stay key is public, so others can have records of one that say it is theirs.
type deviceKey struct {
	who identity.Fingerprint
	id  wire.DeviceID
}

// device is one for which offers are kept.
type device struct {
	deviceKey
	session uint64 // as which it is here; 0: it is away
	claimed bool   // its owner came back for it, as another device: nothing more is kept for it
	record  []byte
	reach   wire.Reach
	place   share.Place[Holder]
	offers  share.Places[Holder, *offer] // for it
	kept    []*offer                     // the same, oldest first
}

// offer is one that is kept.
type offer struct {
	to     *device
	key    identity.PublicKey // of its path
	sealed []byte
	place  share.Place[Holder] // among all
	own    share.Place[Holder] // among those of its device
}

// New returns an empty Box.
func New(l Limits) *Box {
	set := func(v *int, standard int) {
		if *v == 0 {
			*v = standard
		}
	}
	set(&l.Devices, 20_000)
	set(&l.Offers, 20_000)
	return &Box{
		devices: make(map[deviceKey]*device), people: make(map[identity.Fingerprint][]*device),
		places: share.Places[Holder, *device]{Most: l.Devices},
		offers: share.Places[Holder, *offer]{Most: l.Offers},
	}
}

// Here says that a device takes calls here by a session, from 1, and whether it wants what does not reach it
// kept, which its record says: r was read from record, verified and fresh. holder is who it is, by whom
// places are shared.
func (b *Box) Here(session uint64, r *wire.Reach, record []byte, holder Holder) {
	key := deviceKey{r.Identity.Fingerprint(), r.Device()}
	d := b.devices[key]
	switch {
	case d == nil && !r.Keep, d != nil && d.reach.Sequence >= r.Sequence:
		return
	case !r.Keep:
		b.remove(d)
		return
	case d == nil:
		if d = b.add(key, holder); d == nil {
			return
		}
	}
	d.session, d.claimed, d.record, d.reach = session, false, bytes.Clone(record), *r
}

// add makes a device, if it has a place or gets that of another.
func (b *Box) add(key deviceKey, holder Holder) *device {
	d := &device{deviceKey: key, offers: share.Places[Holder, *offer]{Most: wire.MaxKept}}
	path := holder.path()
	if gives, own, full := b.places.Full(path); full {
		if own || gives == nil {
			return nil
		}
		b.remove(gives)
	}
	b.devices[key] = d
	b.people[key.who] = append(b.people[key.who], d)
	b.places.Add(path, &d.place, d)
	return d
}

// Gone says that a session is over: if a device was here by it, that is away now.
func (b *Box) Gone(session uint64, who identity.Fingerprint, id wire.DeviceID) {
	d := b.devices[deviceKey{who, id}]
	if d == nil || d.session != session {
		return
	}
	d.session = 0
	b.removeClaimed(d)
	away := slices.DeleteFunc(slices.Clone(b.people[who]), func(o *device) bool { return o.session != 0 })
	if len(away) > maxDevices {
		b.remove(slices.MinFunc(away, func(a, b *device) int {
			return cmp.Compare(a.reach.Sequence, b.reach.Sequence)
		}))
	}
}

// Forget says that the owner of a device wants nothing kept for it any more.
func (b *Box) Forget(who identity.Fingerprint, id wire.DeviceID) {
	if d := b.devices[deviceKey{who, id}]; d != nil {
		b.remove(d)
	}
}

// Record returns the newest record of an identity's devices that are away, and its sequence; nil: there is
// none.
func (b *Box) Record(who identity.Fingerprint, now time.Time) (record []byte, sequence uint64) {
	var newest *device
	for _, d := range b.people[who] {
		if d.away(now) && (newest == nil || d.reach.Sequence > newest.reach.Sequence) {
			newest = d
		}
	}
	if newest == nil {
		return nil, 0
	}
	return newest.record, newest.reach.Sequence
}

// Away reports whether offers for a device are kept now, instead of being brought to it.
func (b *Box) Away(who identity.Fingerprint, id wire.DeviceID, now time.Time) bool {
	d := b.devices[deviceKey{who, id}]
	return d != nil && d.away(now)
}

func (d *device) away(now time.Time) bool { return d.session == 0 && !d.claimed && d.reach.Away(now) }

// Keep keeps a forward's offer for its device, which is away or did not acknowledge it. It reports whether it
// is kept: it is not if nothing is for that device, or if there is no place for what by brings.
func (b *Box) Keep(f *wire.CallForward, by Holder, now time.Time) bool {
	d := b.devices[deviceKey{f.Target, f.Device}]
	if d == nil || d.claimed || !d.reach.Away(now) || len(f.Offer) == 0 {
		return false
	}
	if slices.ContainsFunc(d.kept, func(o *offer) bool { return o.key == f.Key }) {
		return true
	}
	path := by.path()
	for _, p := range []*share.Places[Holder, *offer]{&d.offers, &b.offers} {
		gives, own, full := p.Full(path)
		if full && (own || gives == nil) {
			return false
		}
		if full {
			b.drop(gives)
		}
	}
	o := &offer{to: d, key: f.Key, sealed: bytes.Clone(f.Offer)}
	d.kept = append(d.kept, o)
	d.offers.Add(path, &o.own, o)
	b.offers.Add(path, &o.place, o)
	return true
}

// Claim returns what is kept for a device whose owner is here by a session: one message for each offer, or
// one that says that there is none. Nothing more is kept for a device that has another session or none: that
// stay is over, whether we know it yet or not.
func (b *Box) Claim(session uint64, who identity.Fingerprint, id wire.DeviceID) (list []wire.KeptCall) {
	d := b.devices[deviceKey{who, id}]
	if d == nil {
		return []wire.KeptCall{{Device: id}}
	}
	d.claimed = d.session != session
	if len(d.kept) == 0 {
		b.removeClaimed(d)
		return []wire.KeptCall{{Device: id}}
	}
	for i, o := range d.kept {
		list = append(list, wire.KeptCall{Device: id, Of: uint8(len(d.kept)), Index: uint8(i), Key: o.key,
			Offer: o.sealed})
	}
	return list
}

// Delivered says that the owner of a device has an offer that Claim returned.
func (b *Box) Delivered(who identity.Fingerprint, id wire.DeviceID, key identity.PublicKey) {
	d := b.devices[deviceKey{who, id}]
	if d == nil {
		return
	}
	if i := slices.IndexFunc(d.kept, func(o *offer) bool { return o.key == key }); i >= 0 {
		b.drop(d.kept[i])
	}
	b.removeClaimed(d)
}

// removeClaimed forgets a device that is over, and of which all was told.
func (b *Box) removeClaimed(d *device) {
	if d.claimed && d.session == 0 && len(d.kept) == 0 {
		b.remove(d)
	}
}

// Tick forgets devices that were away for too long. It returns when to call it again; zero: there is nothing.
func (b *Box) Tick(now time.Time) (next time.Time) {
	if len(b.devices) == 0 {
		return time.Time{}
	}
	if now.Sub(b.swept) >= sweepEvery {
		b.swept = now
		for _, d := range b.devices {
			if d.session == 0 && !d.reach.Away(now) {
				b.remove(d)
			}
		}
	}
	return b.swept.Add(sweepEvery)
}

// Counts returns how many devices offers are kept for that are away, and how many offers are.
func (b *Box) Counts() (away, offers int) {
	for _, d := range b.devices {
		if d.session == 0 {
			away++
		}
	}
	return away, b.offers.Total()
}

// remove forgets a device, and what is kept for it.
func (b *Box) remove(d *device) {
	for len(d.kept) > 0 {
		b.drop(d.kept[0])
	}
	b.places.Remove(&d.place, d)
	delete(b.devices, d.deviceKey)
	left := slices.DeleteFunc(b.people[d.who], func(o *device) bool { return o == d })
	if b.people[d.who] = left; len(left) == 0 {
		delete(b.people, d.who)
	}
}

// drop forgets an offer.
func (b *Box) drop(o *offer) {
	o.to.kept = slices.DeleteFunc(o.to.kept, func(other *offer) bool { return other == o })
	o.to.offers.Remove(&o.own, o)
	b.offers.Remove(&o.place, o)
}
