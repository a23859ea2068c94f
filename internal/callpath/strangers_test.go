package callpath

import (
	"slices"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

func (e *end) message(id wire.PathID, body string) {
	e.says(wire.UrgentCallMessage, &wire.CallMessage{Path: id, Body: []byte(body)})
}

// TestSaidBeforeAnswer: until the called has spoken, a message or media, a caller says four things at once,
// and then one in 5 s; then as much as may be said on any path.
func TestSaidBeforeAnswer(t *testing.T) {
	for _, answer := range []string{"a message", "media", "a proof"} {
		net := newNetwork(t, 3, "AB BC")
		caller, called, seed, id := net.call(0, 2)
		flood := func(n int) {
			called.said = nil
			for range n {
				caller.message(id, "x")
			}
			net.run(time.Second)
		}
		if flood(40); len(called.said) != 4 || net.nodes[0].drops != 36 {
			t.Errorf("%d of 40 came, %d were counted", len(called.said), net.nodes[0].drops)
		}
		net.run(11 * time.Second)
		if flood(40); len(called.said) != 2 {
			t.Errorf("%d came 12 s later", len(called.said))
		}
		switch answer {
		case "a message":
			called.message(id, "ringing")
		case "media":
			n := net.nodes[2]
			for _, n := range net.nodes {
				n.table.Used(id, n.media[id][1], net.now)
			}
			n.carryOut()
		default: // of another session of the called's
			again := net.nodes[2].client(2, 23)
			again.shows(seed, 1)
			called = again
			called.message(id, "here")
		}
		net.run(time.Second)
		if flood(20); len(called.said) != 20 {
			t.Errorf("after %s %d of 20 came", answer, len(called.said))
		}
	}
}

// TestMediaOfTheCallerIsNoWord: a caller that sends media into a path on which nobody spoke keeps it no
// longer than one that is silent, and may say no more.
func TestMediaOfTheCallerIsNoWord(t *testing.T) {
	net := newNetwork(t, 3, "AB BC")
	caller, called, _, id := net.call(0, 2)
	for range 20 {
		for _, n := range net.nodes {
			n.table.Used(id, n.media[id][0], net.now)
		}
		caller.message(id, "x")
		net.run(2 * time.Second)
	}
	net.empty("after 40 s of a caller alone")
	if n := len(called.said); n > 11 {
		t.Errorf("%d things came", n)
	}
}

// TestStrangersTakeTurns: of what is said to somebody before an answer one thing is under way, and those who
// bring something take turns; what is said on a path with an answer waits for nothing. Who is gone before its
// offer's turn is not named at all.
func TestStrangersTakeTurns(t *testing.T) {
	net := newNetwork(t, 3, "AB CB")
	good, victim, _, id := net.call(0, 1)
	victim.message(id, "here")
	net.run(time.Second)
	slow := net.nodes[1]
	slow.acks = time.Second
	var ids []wire.PathID
	for i := range 2 { // ten offers, each with four messages
		g := net.nodes[2].client(byte(100+i), uint64(100+i))
		for j := range 5 {
			ids = append(ids, g.forward(seedOf(10*i+j), 1, victim.who.Fingerprint()))
			for range 4 {
				g.message(ids[len(ids)-1], "stranger")
			}
		}
	}
	net.run(1500 * time.Millisecond)
	other := net.nodes[0].client(7, 77)
	mine := other.forward(seedOf(1000), 1, victim.who.Fingerprint())
	other.message(mine, "cancel")
	good.message(id, "hold")
	net.run(100 * time.Millisecond)
	if n := len(victim.offers); n != 3 || !slices.Equal(victim.said, []string{"hold"}) {
		t.Errorf("%d offers, and %q", n, victim.said)
	}
	net.run(4 * time.Second)
	offered := func(id wire.PathID) bool {
		return slices.ContainsFunc(victim.offers, func(f wire.CallForward) bool { return f.Path() == id })
	}
	if !offered(mine) || !slices.Contains(victim.said, "cancel") {
		t.Errorf("%d offers and %q came before those of one who waits", len(victim.offers), victim.said)
	}
	last := ids[slices.IndexFunc(ids, func(id wire.PathID) bool { return !offered(id) })]
	for _, g := range net.nodes[2].sessions { // of the other one it is no end
		g.says(wire.UrgentCallEnd, &wire.CallEnd{Path: last, Generation: 1})
	}
	net.run(time.Minute)
	ended := func(e wire.CallEnd) bool { return e.Path == last }
	if offered(last) || slices.ContainsFunc(victim.ends, ended) {
		t.Error("one that was over before its turn was named")
	}
	if len(victim.offers) != 11 {
		t.Errorf("%d offers in the end", len(victim.offers))
	}
}

// strangers has clients of a relay call somebody by eight paths each, as many as an identity may.
func (n *node) strangers(number int, whom *end) (all []*end) {
	for i := range number {
		g := n.client(byte(100+i), uint64(100+i))
		for j := range maxToOne {
			g.forward(seedOf(100*i+j), 1, whom.who.Fingerprint())
			n.net.run(50 * time.Millisecond)
		}
		all = append(all, g)
	}
	return all
}

// offered counts the paths by which a session is called and on which it has not spoken.
func (e *end) offered() (n int) {
	for _, p := range e.node.table.clients[e.session].paths {
		if p.open.side(e.leg()) == 1 && !p.spoken {
			n++
		}
	}
	return n
}

// TestUntold: the offer of a caller who gave up before its turn is told to the owner once, who keeps it as a
// missed call; one that went to the called's session is not.
func TestUntold(t *testing.T) {
	net := newNetwork(t, 1, "")
	home := net.nodes[0]
	home.acks = time.Second
	called := home.client(2, 22)
	called.available = true
	first, second := home.client(5, 55), home.client(6, 66)
	told := first.forward(seedOf(1), 1, called.who.Fingerprint())
	waits := second.forward(seedOf(2), 1, called.who.Fingerprint())
	net.run(100 * time.Millisecond)
	for path, of := range map[wire.PathID]*end{told: first, waits: second} {
		of.says(wire.UrgentCallEnd, &wire.CallEnd{Path: path, Generation: 1})
		of.says(wire.UrgentCallEnd, &wire.CallEnd{Path: path, Generation: 1})
	}
	net.run(5 * time.Second)
	if len(called.offers) != 1 || called.offers[0].Path() != told {
		t.Errorf("%d offers went to the called", len(called.offers))
	}
	if !slices.Equal(home.untold, []wire.PathID{waits}) {
		t.Errorf("untold are %v, want %v", home.untold, waits)
	}
}

// TestStrangersKeepNobodyOut: who is called by a crowd, which says things and sends media, is reached by
// others, be it by the link by which the crowd comes or by another one; and keeps the calls that there are.
func TestStrangersKeepNobodyOut(t *testing.T) {
	for _, at := range []int{0, 2} {
		net := newNetwork(t, 3, "AB CB")
		good, victim, _, id := net.call(0, 1)
		victim.message(id, "here")
		crowd := net.nodes[2].strangers(4, victim)
		net.run(time.Second)
		for range 20 {
			for _, g := range crowd {
				for i := range g.states {
					g.message(g.states[i].Path, "x")
				}
			}
			for path, legs := range net.nodes[1].media {
				net.nodes[1].table.Used(path, legs[0], net.now)
			}
			net.run(time.Second)
		}
		if n := victim.offered(); n != maxOffers {
			t.Errorf("%d paths without an answer", n)
		}
		other := net.nodes[at].client(7, 77)
		mine := other.forward(seedOf(1000), 1, victim.who.Fingerprint())
		net.run(time.Second)
		if other.codes() != "1 set up" || len(other.ends) != 0 || victim.offered() != maxOffers {
			t.Errorf("another caller at %s was told %q and %q", net.nodes[at].name, other.codes(), other.reasons())
		}
		victim.message(mine, "ringing")
		net.nodes[2].strangers(4, victim)
		net.run(time.Second)
		net.connected(other, victim, mine, []string{"AB", "", "CB"}[at])
		net.connected(good, victim, id, "AB")
	}
}

// TestCallMovesAmongStrangers: a call that is up moves to another way though strangers hold all places.
func TestCallMovesAmongStrangers(t *testing.T) {
	net := newNetwork(t, 3, "AB CB")
	good, victim, seed, id := net.call(0, 1)
	victim.message(id, "here")
	good.message(id, "hello")
	net.nodes[2].strangers(3, victim)
	net.run(time.Second)
	good.forward(seed, 2, victim.who.Fingerprint())
	net.run(time.Second)
	if good.codes() != "1 set up, 2 set up" {
		t.Errorf("told %q", good.codes())
	}
	net.connected(good, victim, id, "AB")
}

// TestPlacesTellNothing: strangers get as many places at somebody who talks, and calls others, as at somebody
// who does not.
func TestPlacesTellNothing(t *testing.T) {
	for _, talks := range []bool{false, true} {
		net := newNetwork(t, 3, "AB CB")
		victim := net.nodes[1].client(2, 22)
		victim.available = true
		if talks {
			for i := range 3 {
				o := net.nodes[0].client(byte(30+i), uint64(30+i))
				o.available = true
				id := o.forward(seedOf(5000+i), 1, victim.who.Fingerprint())
				net.run(time.Second)
				victim.message(id, "here")
				victim.forward(seedOf(6000+i), 1, o.who.Fingerprint())
			}
			net.run(time.Second)
		}
		set, ended := 0, 0
		for _, g := range net.nodes[2].strangers(3, victim) {
			set += len(g.states)
			ended += len(g.ends)
		}
		if set != 3*maxToOne || ended != 3*maxToOne-maxOffers || victim.offered() != maxOffers {
			t.Errorf("talks %v: %d are set up, %d have ended, %d stand", talks, set, ended, victim.offered())
		}
	}
}
