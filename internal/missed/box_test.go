package missed

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/wire"
)

var start = time.Unix(1_900_000_000, 0)

func holder(address, who uint64) Holder {
	return Holder{budget.Group{Address: true, ID: address}, who}
}

// lab is a Box with devices and callers by numbers.
type lab struct {
	*Box
	t    *testing.T
	last uint64
}

func newLab(t *testing.T, l Limits) *lab { return &lab{Box: New(l), t: t} }

// record returns a record of a device, the newest yet.
func (l *lab) record(who, device byte, keep bool, expiry time.Time) *wire.Reach {
	l.last++
	return &wire.Reach{Identity: identity.PublicKey{who}, StayKey: [32]byte{device}, Sequence: l.last,
		Expiry: expiry.Unix(), Keep: keep}
}

// here has a device be here.
func (l *lab) here(session uint64, who, device byte, from Holder) *wire.Reach {
	r := l.record(who, device, true, start.Add(wire.MaxReach))
	l.Here(session, r, fmt.Appendf(nil, "record %d", l.last), from)
	return r
}

// away has one have been here.
func (l *lab) away(who, device byte, from Holder) *wire.Reach {
	l.last++
	session := l.last
	r := l.here(session, who, device, from)
	l.Gone(session, r.Identity.Fingerprint(), r.Device())
	return r
}

func offerTo(r *wire.Reach, call byte) *wire.CallForward {
	return &wire.CallForward{Key: identity.PublicKey{call}, Target: r.Identity.Fingerprint(),
		Device: r.Device(), Offer: []byte{call}}
}

// kept returns which calls are kept for a device.
func (l *lab) kept(r *wire.Reach) string {
	d := l.devices[deviceKey{r.Identity.Fingerprint(), r.Device()}]
	if d == nil {
		return "no device"
	}
	s := ""
	for _, o := range d.kept {
		s += fmt.Sprintf("%d ", o.sealed[0])
	}
	return s
}

func (l *lab) check(r *wire.Reach, want string) {
	l.t.Helper()
	if got := l.kept(r); got != want {
		l.t.Errorf("kept are %q, want %q", got, want)
	}
}

func (l *lab) isAway(r *wire.Reach, now time.Time) bool {
	record, _ := l.Record(r.Identity.Fingerprint(), now)
	away := l.Away(r.Identity.Fingerprint(), r.Device(), now)
	if away != (record != nil) {
		l.t.Helper()
		l.t.Errorf("away: %v, by the record %q", away, record)
	}
	return away
}

// A device is away between the end of its session and a day after its record has expired; its owner gets what
// is kept, once.
func TestAway(t *testing.T) {
	l := newLab(t, Limits{})
	r := l.here(1, 7, 1, holder(1, 1))
	who, id := r.Identity.Fingerprint(), r.Device()
	if l.isAway(r, start) {
		t.Error("it is away while it is here")
	}
	if !l.Keep(offerTo(r, 1), holder(9, 9), start) {
		t.Error("an offer that it did not acknowledge is not kept")
	}
	l.Gone(2, who, id) // another session is no matter
	if l.isAway(r, start) {
		t.Error("it is away by the end of another session")
	}
	l.Gone(1, who, id)
	if !l.isAway(r, start) || l.isAway(r, start.Add(25*time.Hour)) {
		t.Error("it is not away, or for longer than a day")
	}
	if !l.Keep(offerTo(r, 2), holder(9, 9), start) || !l.Keep(offerTo(r, 2), holder(8, 8), start) {
		t.Error("an offer is not kept, or not when it comes again")
	}
	empty := offerTo(r, 3)
	empty.Offer = nil
	nobody := offerTo(l.record(7, 2, true, start), 3)
	if l.Keep(empty, holder(9, 9), start) || l.Keep(nobody, holder(9, 9), start) {
		t.Error("nothing, or what is for a device that nobody knows, is kept")
	}
	l.check(r, "1 2 ")
	other := l.record(8, 1, true, start)
	if len(l.Claim(99, other.Identity.Fingerprint(), id)) != 1 {
		t.Error("somebody else with the same stay key")
	}
	l.check(r, "1 2 ")
	list := l.Claim(99, who, id)
	if len(list) != 2 || list[1].Of != 2 || list[1].Index != 1 || list[1].Key != (identity.PublicKey{2}) ||
		string(list[1].Offer) != "\x02" || list[1].Device != id {
		t.Errorf("%+v", list)
	}
	if l.isAway(r, start) || l.Keep(offerTo(r, 3), holder(9, 9), start) {
		t.Error("it is away although its owner is back")
	}
	l.Delivered(who, id, list[1].Key)
	l.Delivered(who, id, list[1].Key)
	list = l.Claim(99, who, id)
	if len(list) != 1 || list[0].Of != 1 || list[0].Key != (identity.PublicKey{1}) {
		t.Errorf("what was not acknowledged is not told again: %+v", list)
	}
	l.Delivered(who, id, identity.PublicKey{1})
	l.check(r, "no device")
	if list := l.Claim(99, who, id); len(list) != 1 || list[0].Of != 0 || list[0].Device != id {
		t.Errorf("of nothing: %+v", list)
	}
}

// Nothing is kept for who does not want it, or does not any more; and a stay goes on over several sessions.
func TestWanted(t *testing.T) {
	l := newLab(t, Limits{})
	r := l.record(7, 1, false, start)
	l.Here(1, r, nil, holder(1, 1))
	l.Gone(1, r.Identity.Fingerprint(), r.Device())
	if l.isAway(r, start) || l.Keep(offerTo(r, 1), holder(9, 9), start) {
		t.Error("kept without a wish")
	}
	r = l.away(7, 2, holder(1, 1))
	l.Keep(offerTo(r, 1), holder(9, 9), start)
	l.Forget(r.Identity.Fingerprint(), r.Device())
	l.check(r, "no device")
	r = l.away(7, 3, holder(1, 1))
	l.Keep(offerTo(r, 1), holder(9, 9), start)
	l.here(5, 7, 3, holder(1, 1)) // the same stay, by another session
	l.here(6, 7, 3, holder(1, 1))
	l.Gone(5, r.Identity.Fingerprint(), r.Device())
	if l.isAway(r, start) {
		t.Error("away with a session")
	}
	if list := l.Claim(6, r.Identity.Fingerprint(), r.Device()); list[0].Of != 1 {
		t.Error("the stay lost what was kept for it")
	}
	l.check(r, "1 ") // until it is acknowledged
	l.Delivered(r.Identity.Fingerprint(), r.Device(), identity.PublicKey{1})
	l.check(r, "") // it is here, and goes on
	old := *r
	l.Here(7, &old, nil, holder(1, 1))
	l.Gone(7, r.Identity.Fingerprint(), r.Device())
	if l.isAway(r, start) {
		t.Error("an old record counts")
	}
	l.Here(6, l.record(7, 3, false, start), nil, holder(1, 1))
	l.check(r, "no device")
	if !l.Tick(start).IsZero() {
		t.Error("there is still something")
	}
}

// Whoever asks by another session was the device, and is it no longer, also if we do not know that yet:
// nothing more is kept that nobody could open. If it goes on, it is.
func TestClaimedBeforeGone(t *testing.T) {
	l := newLab(t, Limits{})
	r := l.here(1, 7, 1, holder(1, 1))
	who, id := r.Identity.Fingerprint(), r.Device()
	if list := l.Claim(2, who, id); len(list) != 1 || list[0].Of != 0 {
		t.Errorf("%+v", list)
	}
	if l.Keep(offerTo(r, 1), holder(9, 9), start) {
		t.Error("an offer is kept for a stay that is over")
	}
	l.here(1, 7, 1, holder(1, 1))
	if !l.Keep(offerTo(r, 1), holder(9, 9), start) {
		t.Error("the stay goes on, and nothing is kept")
	}
	l.Delivered(who, id, l.Claim(2, who, id)[0].Key)
	l.check(r, "")
	l.Gone(1, who, id)
	l.check(r, "no device")
}

// All that was there is forgotten after a day.
func TestForgotten(t *testing.T) {
	l := newLab(t, Limits{})
	for i := range byte(5) {
		r := l.away(i, i, holder(1, uint64(i)))
		l.Keep(offerTo(r, 1), holder(9, 9), start)
	}
	l.here(77, 99, 99, holder(1, 1))
	now, steps := start, 0
	for steps = range 2000 {
		if now = l.Tick(now); len(l.devices) == 1 {
			break
		}
	}
	if d := now.Sub(start); d < 24*time.Hour || d > 24*time.Hour+10*time.Minute {
		t.Errorf("forgotten after %v", d)
	}
	away, offers := l.Counts()
	if away != 0 || offers != 0 || len(l.people) != 1 || l.places.Total() != 1 || l.places.Holders() != 1 ||
		l.offers.Holders() != 0 {
		t.Errorf("%d away, %d offers are left after %d steps", away, offers, steps)
	}
}

// One who calls without end takes no place of others, at a device and at the relay; nor who leaves devices.
func TestShares(t *testing.T) {
	l := newLab(t, Limits{Devices: 30, Offers: 100})
	flood, friend := holder(1, 1), holder(2, 2)
	r := l.away(7, 1, holder(3, 3))
	for i := range byte(40) {
		if got := l.Keep(offerTo(r, i), flood, start); got != (i < 20) {
			t.Errorf("offer %d of one kept: %v", i, got)
		}
	}
	for i := range byte(12) { // up to half: no more than the other one has
		if got := l.Keep(offerTo(r, 100+i), friend, start); got != (i < 10) {
			t.Errorf("offer %d of another kept: %v", i, got)
		}
	}
	for i := range byte(10) {
		other := l.away(20+i, 1, holder(3, uint64(i)))
		for k := range byte(20) {
			l.Keep(offerTo(other, k), flood, start)
		}
	}
	if _, n := l.Counts(); n != 100 {
		t.Errorf("%d offers", n)
	}
	other := l.away(60, 1, holder(4, 4))
	if !l.Keep(offerTo(other, 1), holder(5, 5), start) {
		t.Error("who has nothing gets no place")
	}
	l.check(other, "1 ")
	for i := range byte(100) { // one network
		l.away(100+i, 1, Holder{budget.Group{Address: true, ID: 1<<48 + uint64(i)}, uint64(i)})
	}
	if len(l.devices) != 30 {
		t.Errorf("%d devices", len(l.devices))
	}
	l.check(other, "1 ")
	if l.kept(r) == "no device" {
		t.Error("a network with many devices takes others' places")
	}
	late := l.away(99, 1, holder(6, 6))
	l.check(late, "")
}

// Of an identity's devices that are away the eight newest count, and the newest of them is told of.
func TestDevices(t *testing.T) {
	l := newLab(t, Limits{})
	var list []*wire.Reach
	for i := range byte(10) {
		list = append(list, l.away(7, i, holder(1, 1)))
	}
	for i, r := range list {
		if got := l.Away(r.Identity.Fingerprint(), r.Device(), start); got != (i >= 2) {
			t.Errorf("device %d: %v", i, got)
		}
	}
	record, sequence := l.Record(list[0].Identity.Fingerprint(), start)
	if string(record) != fmt.Sprintf("record %d", sequence) || sequence != list[9].Sequence {
		t.Errorf("told of is %s, %d", record, sequence)
	}
}

// What is counted is what there is, whatever comes.
func TestRandom(t *testing.T) {
	for seed := range uint64(200) {
		l, r := newLab(t, Limits{Devices: 6, Offers: 25}), rand.New(rand.NewPCG(seed, 1))
		var known []*wire.Reach
		for range 300 {
			var one *wire.Reach
			if len(known) > 0 {
				one = known[r.IntN(len(known))]
			}
			by := holder(uint64(r.IntN(3)), uint64(r.IntN(3)))
			switch who, device := byte(r.IntN(4)), byte(r.IntN(4)); {
			case one == nil || r.IntN(5) == 0:
				known = append(known, l.here(uint64(1+r.IntN(6)), who, device, by))
			case r.IntN(4) == 0:
				l.Gone(uint64(1+r.IntN(6)), one.Identity.Fingerprint(), one.Device())
			case r.IntN(8) == 0:
				l.Forget(one.Identity.Fingerprint(), one.Device())
			case r.IntN(4) == 0:
				for _, k := range l.Claim(99, one.Identity.Fingerprint(), one.Device()) {
					if k.Of > 0 && r.IntN(2) == 0 {
						l.Delivered(one.Identity.Fingerprint(), one.Device(), k.Key)
					}
				}
			default:
				l.Keep(offerTo(one, byte(r.IntN(50))), by, start)
			}
			l.consistent(seed)
		}
		l.Tick(start.Add(48 * time.Hour))
		l.consistent(seed)
	}
}

func (l *lab) consistent(seed uint64) {
	l.t.Helper()
	offers, people := 0, 0
	for key, d := range l.devices {
		offers += len(d.kept)
		if d.deviceKey != key || len(d.kept) != d.offers.Total() || len(d.kept) > wire.MaxKept {
			l.t.Fatalf("seed %d: %d offers of a device, counted %d", seed, len(d.kept), d.offers.Total())
		}
	}
	for _, list := range l.people {
		people += len(list)
	}
	held := 0
	for range l.offers.All() {
		held++
	}
	if offers != l.offers.Total() || held != offers || offers > 25 || len(l.devices) != l.places.Total() ||
		people != len(l.devices) || people > 6 {
		l.t.Fatalf("seed %d: %d offers, %d held, %d counted; %d devices, %d counted, %d of people", seed,
			offers, held, l.offers.Total(), len(l.devices), l.places.Total(), people)
	}
}
