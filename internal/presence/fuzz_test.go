package presence

import (
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// FuzzTable has two peers say what the input says, three bytes a time: which peer, what, about which home.
// States are signed, or nothing would get far. Whatever it is, bounds hold, and what is sent can be read.
func FuzzTable(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x01\x01\x00\x02\x00\x00\x03\x00\x01\x04\x02\x00\x05\x07\x01\x06\x01\x00\x07\x09"))
	homes := []*identity.Identity{relayNumber(2), relayNumber(3), relayNumber(10),
		relayNumber(11), relayNumber(1)}
	f.Fuzz(func(t *testing.T, in []byte) {
		now := start
		in = in[:min(len(in), 900)]
		table := New(Options{Identity: relayNumber(1), Boot: 1})
		table.limits = limits{entries: 60, ofPeer: 40, homes: 3}
		peers := []*liar{newLiar(t, table, 2, Mesh, now), newLiar(t, table, 3, Mesh, now)}
		for ; len(in) >= 3; in = in[3:] {
			p, what, arg := peers[in[0]&1], in[1], int(in[2])
			fuzzStep(p, homes[arg%len(homes)], int(in[0]>>1), what, arg, now)
			now = now.Add(time.Duration(in[0]>>5) * 700 * time.Millisecond)
			for _, l := range peers {
				l.listen(now)
				for _, e := range l.heard {
					fuzzRead(t, e)
				}
				l.heard = nil
			}
			checkBounds(t, table)
			table.Ways(personNumber(arg).Fingerprint())
		}
	})
}

// fuzzStep says one thing.
func fuzzStep(p *liar, home *identity.Identity, number int, what byte, arg int, now time.Time) {
	n := uint64(number % 8)
	hashes := hashesOf(arg, number%16)
	whole := make([]identity.Fingerprint, number%16)
	for i := range whole {
		whole[i] = personNumber(arg + i).Fingerprint()
	}
	switch what % 12 {
	case 0, 1, 2:
		s := stateOf(home, uint64(1+arg%3), uint64(number%4), hashes,
			now.Add(-time.Duration(arg)*time.Second))
		p.claim(n, home, s.Sequence+uint64(arg%3), s, now)
	case 3:
		p.say(&wire.PresenceNews{Items: []wire.PresenceItem{{Number: n, Rise: uint64(arg % 3), Left: hashes,
			Came: hashesOf(arg+number, number%5)}}}, now)
	case 4:
		p.say(&wire.PresenceNews{Items: []wire.PresenceItem{{Number: n, Rise: uint64(arg % 3),
			Whole: whole}}}, now)
	case 5:
		s := stateOf(home, uint64(1+arg%3), uint64(number%4), hashes, now)
		p.say(&wire.PresenceNews{Items: []wire.PresenceItem{{Number: n, State: &s}}}, now)
	case 6:
		p.say(&wire.PresenceGone{Numbers: []uint64{n}}, now)
	case 7:
		p.say(&wire.PresenceCompare{Number: n, Sums: make([]uint64, arg%2*wire.PresenceRanges)}, now)
	case 8:
		p.say(&wire.PresenceContents{Number: n, Last: arg%2 == 0, Through: endOfRange(63),
			Hashes: hashes}, now)
	case 9:
		p.say(&wire.PresenceContents{Number: n, Last: arg%2 == 0, Through: endOfRange(arg % 64),
			Whole: whole}, now)
	case 10:
		if p.table.Word(p.self, Word(arg%3), now); arg%5 == 0 {
			p.table.Up(p.self, p.id.Public(), "again", Mesh, now)
			p.serial = 0
		}
	case 11:
		id := SessionID(arg)
		p.table.Connect(id, personNumber(arg))
		if p.table.Available(id, reach(personNumber(arg), 1, 1, now), nil, now); number%2 == 0 {
			p.table.Disconnect(id, now)
		}
	}
}

// fuzzRead reads what was sent.
func fuzzRead(t *testing.T, e Send) {
	var err error
	switch e.Kind {
	case wire.UrgentPresenceHome:
		_, err = wire.Parse[wire.PresenceHome](e.Body)
	case wire.UrgentPresenceGone:
		_, err = wire.Parse[wire.PresenceGone](e.Body)
	case wire.UrgentPresenceNews:
		_, err = wire.Parse[wire.PresenceNews](e.Body)
	case wire.UrgentPresenceCompare:
		_, err = wire.Parse[wire.PresenceCompare](e.Body)
	case wire.UrgentPresenceContents:
		_, err = wire.Parse[wire.PresenceContents](e.Body)
	default:
		t.Fatal("a message of another kind", e.Kind)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzTableReceive has a peer send any bytes.
func FuzzTableReceive(f *testing.F) {
	f.Add(uint8(0), []byte{0})
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		table := small(1)
		l := newLiar(t, table, 2, Mesh, start)
		table.Receive(l.self, wire.UrgentPresenceHome+wire.UrgentKind(kind%5), body, start)
		l.listen(start)
		checkBounds(t, table)
	})
}

// Whoever claims to reach everybody does not keep others' ways from being tried.
func TestWaysAreShared(t *testing.T) {
	now := start
	table := New(Options{Identity: relayNumber(1), Boot: 1})
	honest, liar := newLiar(t, table, 2, Mesh, now), newLiar(t, table, 3, Mesh, now)
	who := hashesOf(7, 1)
	for i := range 100 {
		id := relayNumber(byte(100 + i))
		liar.claim(uint64(i), id, 1, stateOf(id, 1, 1, who, now), now)
		liar.answer(who, now)
	}
	home := relayNumber(50)
	honest.claim(0, home, 1, stateOf(home, 1, 1, who, now), now, wire.RelayIDOf(relayNumber(51).Public()))
	honest.answer(who, now)
	ways := table.Ways(personNumber(7).Fingerprint())
	last := ways[len(ways)-1]
	if len(ways) != waysByPeer+1 || last.Next != honest.self || last.Hops != 3 || ways[0].Hops != 2 {
		t.Errorf("%+v", ways)
	}
}
