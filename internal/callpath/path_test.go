package callpath

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	chain = "AB BC CD DE"
	ring  = "AB BC CD DE EA"
)

// call sets a path up from a client of one relay to one of another.
func (net *network) call(from, to int) (caller, called *end, seed wire.PathSeed, id wire.PathID) {
	net.t.Helper()
	caller, called = net.nodes[from].client(1, 11), net.nodes[to].client(2, 22)
	called.available = true
	seed = wire.PathSeed{7}
	id = caller.forward(seed, 1, called.who.Fingerprint())
	net.run(time.Second)
	if got := caller.codes(); got != "1 set up" || len(called.offers) != 1 {
		net.t.Fatalf("the caller was told %q, the called has %d offers", got, len(called.offers))
	}
	return caller, called, seed, id
}

// TestChain: a call over five relays is set up, spoken over, and forgotten when either hangs up.
func TestChain(t *testing.T) {
	for _, callerEnds := range []bool{true, false} {
		net := newNetwork(t, 5, chain)
		caller, called, _, id := net.call(0, 4)
		net.connected(caller, called, id, "ABCDE")
		offer := called.offers[0]
		if offer.Source != (wire.RelayID{}) || offer.Hops != 1 || !offer.Verify() ||
			string(offer.Offer) != "sealed" {
			t.Errorf("the offer is %+v", offer)
		}
		caller.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("there")})
		called.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("here")})
		caller.says(wire.UrgentCallMedia, &wire.CallMedia{Path: id})
		net.run(time.Second)
		if !slices.Equal(called.said, []string{"there"}) || !slices.Equal(caller.said, []string{"here"}) ||
			caller.speaks != id {
			t.Errorf("%q, %q, %v", called.said, caller.said, caller.speaks)
		}
		who, other := caller, called
		if !callerEnds {
			who, other = called, caller
		}
		who.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
		net.run(100 * time.Millisecond)
		if other.reasons() != "1 hung up" || who.reasons() != "" {
			t.Errorf("the other was told %q, who hung up %q", other.reasons(), who.reasons())
		}
		net.empty("after a hang-up")
		home := net.nodes[4]
		if e := home.events[0]; e.What != SetUp || e.Hops != 5 {
			t.Errorf("the called's home says %+v", e)
		}
		for _, n := range net.nodes {
			if len(n.problems) != 0 || n.drops != 0 {
				t.Errorf("%s: %q, %d drops", n.name, n.problems, n.drops)
			}
		}
	}
}

// TestOneRelay: both ends are at the same relay.
func TestOneRelay(t *testing.T) {
	net := newNetwork(t, 1, "")
	caller, called, _, id := net.call(0, 0)
	net.connected(caller, called, id, "A")
	called.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("here")})
	if !slices.Equal(caller.said, []string{"here"}) {
		t.Errorf("%q", caller.said)
	}
	if e := net.nodes[0].events[0]; e.Hops != 1 {
		t.Errorf("%+v", e)
	}
	called.gone()
	if caller.reasons() != "1 failed" {
		t.Errorf("the caller was told %q", caller.reasons())
	}
	net.empty("after the called has gone")
}

// TestRefusals: what a caller is told when there is no path.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(net *network, caller *end) *wire.CallForward
		want    string
	}{
		"nobody": {func(net *network, caller *end) *wire.CallForward {
			return net.newForward(wire.PathSeed{1}, 1, [16]byte{9})
		}, "1 no route"},
		"another device": {func(net *network, caller *end) *wire.CallForward {
			net.nodes[4].client(2, 22).available = true
			f := net.newForward(wire.PathSeed{1}, 1, net.nodes[4].sessions[22].who.Fingerprint())
			f.Device[0]++
			f.Sign(wire.PathSeed{1})
			return f
		}, "1 not there"},
		"expired": {func(net *network, caller *end) *wire.CallForward {
			net.nodes[4].client(2, 22).available = true
			f := net.newForward(wire.PathSeed{1}, 1, net.nodes[4].sessions[22].who.Fingerprint())
			f.Expiry = uint64(net.now.Add(-maxOff - time.Second).Unix())
			f.Sign(wire.PathSeed{1})
			return f
		}, "1 stale"},
		"valid for too long": {func(net *network, caller *end) *wire.CallForward {
			f := net.newForward(wire.PathSeed{1}, 1, caller.who.Fingerprint())
			f.Expiry = 1 << 63
			f.Sign(wire.PathSeed{1})
			return f
		}, "1 stale"},
		"too far": {func(net *network, caller *end) *wire.CallForward {
			net.nodes[4].client(2, 22).available = true
			f := net.newForward(wire.PathSeed{1}, 1, net.nodes[4].sessions[22].who.Fingerprint())
			f.Hops = 4
			return f
		}, "1 no route"},
		"the next relay is silent": {func(net *network, caller *end) *wire.CallForward {
			net.nodes[4].client(2, 22).available = true
			net.nodes[1].kill()
			return net.newForward(wire.PathSeed{1}, 1, net.nodes[4].sessions[22].who.Fingerprint())
		}, "1 failed"},
		"forged": {func(net *network, caller *end) *wire.CallForward {
			f := net.newForward(wire.PathSeed{1}, 1, caller.who.Fingerprint())
			f.Generation = 2
			return f
		}, ""},
		"of another relay": {func(net *network, caller *end) *wire.CallForward {
			f := net.newForward(wire.PathSeed{1}, 1, caller.who.Fingerprint())
			f.Source[0]++
			return f
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			net := newNetwork(t, 5, chain)
			caller := net.nodes[0].client(1, 11)
			caller.says(wire.UrgentCallForward, test.prepare(net, caller))
			net.run(20 * time.Second)
			if got := caller.codes(); got != test.want {
				t.Errorf("the caller was told %q, want %q", got, test.want)
			}
			if problems := net.nodes[0].problems; (test.want == "") != (len(problems) == 1) {
				t.Errorf("%q", problems)
			}
			net.empty("after a refusal")
		})
	}
}

// TestKept: an offer for a device that is away is kept by its home, and no other way is looked for; that is
// no path, so nothing is left of it.
func TestKept(t *testing.T) {
	net := newNetwork(t, 5, ring)
	caller, called := net.nodes[0].client(1, 11), net.nodes[2].client(2, 22)
	who := called.who.Fingerprint()
	net.nodes[2].keeps = map[identity.Fingerprint]bool{who: true}
	seed := wire.PathSeed{7}
	caller.forward(seed, 1, who)
	net.run(refusedFor + time.Second) // relays on the way remember what they said
	forwards := 0
	for _, n := range net.nodes {
		for _, e := range n.events {
			if e.What == Forwarded {
				forwards++
			}
		}
	}
	if got := caller.codes(); got != "1 kept" || !slices.Equal(net.nodes[2].kept, []string{"sealed"}) ||
		forwards != 2 {
		t.Errorf("the caller was told %q, kept is %q, %d forwards", got, net.nodes[2].kept, forwards)
	}
	net.empty("after the offer was kept")
	// Who is there is called, and who recovers a path that stood leaves nothing.
	called.available = true
	caller.forward(wire.PathSeed{8}, 1, who)
	net.run(time.Second)
	if got := caller.codes(); got != "1 kept, 1 set up" || len(called.offers) != 1 ||
		len(net.nodes[2].kept) != 1 {
		t.Errorf("the caller was told %q, %d offers", got, len(called.offers))
	}
}

// TestCrankback: in a ring whose next relay is dead, silent or refuses, the other way is taken.
func TestCrankback(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(net *network)
		limit time.Duration
	}{
		"dead, unnoticed": {func(net *network) { net.nodes[1].kill() }, ackFor + 200*time.Millisecond},
		"it takes all and says nothing": {func(net *network) { net.nodes[1].mute = true },
			answerLast + 8*answerHop + 200*time.Millisecond},
		"refuses": {func(net *network) { net.nodes[1].table.limits.Paths = -1 },
			200 * time.Millisecond},
		"dead behind it": {func(net *network) { net.nodes[2].kill() }, ackFor + 300*time.Millisecond},
		"suspect": {func(net *network) {
			net.nodes[1].kill()
			net.nodes[0].table.Suspect(net.nodes[1].id, true)
		}, 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			net := newNetwork(t, 5, ring)
			to, want := 2, "AEDC" // AB C is shorter
			if name == "dead behind it" {
				to, want = 3, "AED"
				net.nodes[0].links[net.nodes[4]] = true
			}
			caller, called := net.nodes[0].client(1, 11), net.nodes[to].client(2, 22)
			called.available = true
			test.spoil(net)
			id := caller.forward(wire.PathSeed{1}, 1, called.who.Fingerprint())
			net.run(test.limit)
			if caller.codes() != "1 set up" || len(called.offers) != 1 {
				t.Fatalf("told %q, %d offers", caller.codes(), len(called.offers))
			}
			net.connected(caller, called, id, want)
			called.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
			net.nodes[1].mute = false
			net.run(10 * time.Second)
			net.empty("after the end")
		})
	}
}

// TestRelayKilled: a relay of the path is killed, unnoticed by its neighbours; the caller asks for another
// way, and media goes by that. The old one is told.
func TestRelayKilled(t *testing.T) {
	net := newNetwork(t, 5, ring)
	caller, called, seed, id := net.call(0, 2)
	net.connected(caller, called, id, "ABC")
	net.nodes[1].kill()
	net.run(2 * time.Second)
	caller.forward(seed, 2, called.who.Fingerprint())
	net.run(time.Second)
	if caller.codes() != "1 set up, 2 set up" || len(called.offers) != 1 {
		t.Fatalf("told %q, %d offers", caller.codes(), len(called.offers))
	}
	net.connected(caller, called, id, "AEDC")
	net.nodes[1].noticed()
	net.run(time.Second)
	net.connected(caller, called, id, "AEDC")
	if caller.reasons() != "" || called.reasons() != "" {
		t.Errorf("told %q and %q", caller.reasons(), called.reasons())
	}
	// The old generation cannot be had again, and ends nothing.
	net.nodes[1].start()
	net.run(time.Second)
	net.nodes[2].receive(PeerLeg(net.nodes[1].id), wire.UrgentSessionEnd,
		wire.Append(nil, &wire.CallEnd{Path: id, Generation: 1}))
	net.nodes[2].receive(PeerLeg(net.nodes[1].id), wire.UrgentSessionEnd,
		wire.Append(nil, &wire.CallEnd{Path: id, Generation: 2}))
	net.run(time.Second)
	net.connected(caller, called, id, "AEDC")
	called.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 2})
	net.run(10 * time.Second)
	net.empty("after the end")
}

// TestLinkDown: both ends are told, and nothing remains.
func TestLinkDown(t *testing.T) {
	net := newNetwork(t, 5, chain)
	caller, called, _, _ := net.call(0, 4)
	net.nodes[2].kill()
	net.nodes[2].noticed()
	net.run(time.Second)
	if caller.reasons() != "1 failed" || called.reasons() != "1 failed" {
		t.Errorf("told %q and %q", caller.reasons(), called.reasons())
	}
	net.nodes[2].start()
	net.empty("after a link is down")
}

// TestCallerMoves: the caller has another session, at the same relay or another one.
func TestCallerMoves(t *testing.T) {
	for to, want := range map[int]string{0: "ABC", 3: "DC", 2: "C", 1: "BC"} {
		net := newNetwork(t, 5, ring)
		caller, called, seed, id := net.call(0, 2)
		called.message(id, "here") // or the way that it came by counts as one that swallows
		net.run(time.Second)
		again := net.nodes[to].client(1, 33)
		again.forward(seed, 2, called.who.Fingerprint())
		net.run(time.Second)
		if again.codes() != "2 set up" || len(called.offers) != 1 {
			t.Fatalf("told %q, %d offers", again.codes(), len(called.offers))
		}
		net.connected(again, called, id, want)
		if caller.reasons() != "1 replaced" || called.reasons() != "" {
			t.Errorf("to %d: the old session was told %q, the called %q", to, caller.reasons(),
				called.reasons())
		}
		caller.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
		caller.gone()
		net.run(time.Second)
		net.connected(again, called, id, want)
		again.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 2})
		net.run(time.Second)
		net.empty("after the end")
	}
}

// TestCalledRelayRestarts: the called's relay is killed and returns; the called shows that it is an end, the
// caller asks for a new way, and there is no second offer.
func TestCalledRelayRestarts(t *testing.T) {
	net := newNetwork(t, 5, chain)
	caller, called, seed, id := net.call(0, 4)
	net.nodes[4].kill()
	net.nodes[4].noticed()
	net.run(time.Second)
	net.nodes[4].start()
	again := net.nodes[4].client(2, 55)
	again.available = true
	again.shows(seed, 1)
	net.run(time.Second)
	if n := net.nodes[4].table.Counts(); n.Waiting != 1 {
		t.Fatalf("%+v", n)
	}
	caller.forward(seed, 2, called.who.Fingerprint())
	net.run(time.Second)
	if len(again.offers) != 0 || caller.codes() != "1 set up, 2 set up" || again.speaks != id {
		t.Errorf("told %q, %d offers", caller.codes(), len(again.offers))
	}
	net.connected(caller, again, id, "ABCDE")
	again.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1}) // it was not told of the second
	net.run(100 * time.Millisecond)
	if caller.reasons() != "1 failed, 2 hung up" {
		t.Errorf("the caller was told %q", caller.reasons())
	}
	net.empty("after the end")
}

// TestCallerRelayRestarts: the caller's relay is killed and returns; the caller asks for a new way, and the
// relays on the old one end up on the new one.
func TestCallerRelayRestarts(t *testing.T) {
	for _, noticed := range []bool{false, true} {
		net := newNetwork(t, 5, chain)
		_, called, seed, id := net.call(0, 4)
		net.nodes[0].kill()
		if noticed {
			net.nodes[0].noticed()
			net.run(time.Second)
			if called.reasons() != "1 failed" {
				t.Errorf("the called was told %q", called.reasons())
			}
			called.shows(seed, 1) // that it is still there
		}
		net.nodes[0].start()
		again := net.nodes[0].client(1, 66)
		again.forward(seed, 2, called.who.Fingerprint())
		net.run(time.Second)
		if again.codes() != "2 set up" || len(called.offers) != 1 {
			t.Errorf("told %q, %d offers", again.codes(), len(called.offers))
		}
		net.connected(again, called, id, "ABCDE")
	}
}

// TestSessionTakesOver: a session of the same identity shows that it is an end, and takes the place of the
// other one.
func TestSessionTakesOver(t *testing.T) {
	net := newNetwork(t, 3, "AB BC")
	caller, called, seed, id := net.call(0, 2)
	again := net.nodes[2].client(2, 77)
	again.shows(seed, 1)
	net.run(time.Second)
	net.connected(caller, again, id, "ABC")
	if called.reasons() != "1 replaced" || caller.reasons() != "" || again.speaks != id {
		t.Errorf("told %q and %q", called.reasons(), caller.reasons())
	}
	thief := net.nodes[2].client(3, 88) // who has the seed, but is somebody else
	thief.shows(seed, 1)
	net.run(time.Second)
	net.connected(caller, again, id, "ABC")
}

// TestTimes: an attempt, a path over which nothing goes, and one that waits are forgotten.
func TestTimes(t *testing.T) {
	net := newNetwork(t, 3, "AB BC")
	caller, called, seed, id := net.call(0, 2)
	net.run(setUpFor - 3*time.Second)
	net.connected(caller, called, id, "ABC")
	net.run(8 * time.Second)
	if caller.reasons() == "" || called.reasons() == "" {
		t.Errorf("nothing went over it: told %q and %q", caller.reasons(), called.reasons())
	}
	net.run(time.Second)
	net.empty("after the time to set up")

	id = caller.forward(seed, 3, called.who.Fingerprint())
	net.run(time.Second)
	for range 4 {
		for _, n := range net.nodes {
			for _, leg := range n.media[id] {
				n.table.Used(id, leg, net.now)
			}
		}
		net.run(idleFor - 5*time.Second)
		net.connected(caller, called, id, "ABC")
	}
	called.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte("x")})
	net.run(idleFor - 5*time.Second)
	net.connected(caller, called, id, "ABC")
	net.run(10 * time.Second)
	net.empty("after the idle time")

	called.shows(wire.PathSeed{9}, 4)
	net.run(waitFor - time.Second)
	if n := net.nodes[2].table.Counts(); n.Waiting != 1 {
		t.Errorf("%+v", n)
	}
	net.run(2 * time.Second)
	net.empty("after nobody came to who waits")
	if next := net.nodes[2].table.Tick(net.now); !next.IsZero() {
		t.Errorf("something is due in %v", next.Sub(net.now))
	}
}

// TestOvertaken: what the called says goes through before the answer has passed.
func TestOvertaken(t *testing.T) {
	net := newNetwork(t, 3, "AB BC")
	caller, called := net.nodes[0].client(1, 11), net.nodes[2].client(2, 22)
	called.available = true
	id := caller.forward(wire.PathSeed{1}, 1, called.who.Fingerprint())
	net.run(22 * time.Millisecond)
	if len(called.offers) != 1 || len(caller.states) != 0 {
		t.Fatalf("%d offers, %d states", len(called.offers), len(caller.states))
	}
	body := wire.Append(nil, &wire.CallMessage{Path: id, Body: []byte("ringing")})
	net.nodes[1].receive(PeerLeg(net.nodes[2].id), wire.UrgentSessionMessage, body)
	net.nodes[0].receive(PeerLeg(net.nodes[1].id), wire.UrgentSessionMessage, body)
	if !slices.Equal(caller.said, []string{"ringing"}) {
		t.Errorf("%q", caller.said)
	}
	// Who gives up while it is set up takes all with it.
	caller.says(wire.UrgentCallEnd, &wire.CallEnd{Path: id, Generation: 1})
	net.run(time.Second)
	net.empty("after it was given up")
}
