package relay

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/simnet/simtest"
	"github.com/wzp-voice/wzp/internal/wire"
)

func TestMaxSessions(t *testing.T) {
	inLab(t, Config{MaxSessions: 2}, func(l *lab) {
		a, _ := l.joined("r"), l.joined("r")
		c := l.person()
		if err := c.join("r"); code(err) != wire.CodeTooManySessions {
			t.Errorf("the third: %v", err)
		}
		l.want("two", map[string]float64{"sessions": 2, "session limit": 1, "sessions_accepted_total": 2})
		a.client.Close()
		if err := c.join("r"); err != nil {
			t.Errorf("in the place of one who left: %v", err)
		}
		l.want("two again", map[string]float64{"sessions": 2, "members": 2})
	})
}

// TestMaxPerAddress counts an IPv4 address, and an IPv6 /64, as one.
func TestMaxPerAddress(t *testing.T) {
	for _, test := range []struct{ relay, first, same, other string }{
		{"10.0.0.1:4433", "10.0.9.1:1000", "10.0.9.1:1001", "10.0.9.2:1000"},
		{"[2001:db8::1]:4433", "[2001:db8:1:2::1]:1000", "[2001:db8:1:2:ffff::9]:1000",
			"[2001:db8:1:3::1]:1000"},
	} {
		inLab(t, Config{MaxPerAddress: 1}, func(l *lab) {
			if test.relay != relayAddr.String() {
				l.second(test.relay)
			}
			first := l.person(netip.MustParseAddrPort(test.first))
			if err := first.join("r"); err != nil {
				t.Fatal(err)
			}
			if err := l.person(netip.MustParseAddrPort(test.same)).join("r"); code(err) != wire.CodeTooManySessions {
				t.Errorf("%s after %s: %v", test.same, test.first, err)
			}
			if err := l.person(netip.MustParseAddrPort(test.other)).join("r"); err != nil {
				t.Errorf("%s after %s: %v", test.other, test.first, err)
			}
			first.client.Close()
			again := netip.MustParseAddrPort(test.same)
			if err := l.person(netip.AddrPortFrom(again.Addr(), 2000)).join("r"); err != nil {
				t.Errorf("%s after %s has left: %v", test.same, test.first, err)
			}
		})
	}
}

// TestMaxPerNetwork bounds the sessions of an IPv6 /48, of which one customer may have 65536 /64.
func TestMaxPerNetwork(t *testing.T) {
	inLab(t, Config{MaxPerAddress: 2, HelloRate: 1000}, func(l *lab) {
		l.second("[2001:db8::1]:4433")
		from := func(net, block int) error {
			return l.person(netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x:%x::1]:1000", net,
				block))).join("r")
		}
		for block := range 8 {
			if err := from(1, block); err != nil {
				t.Fatalf("address %d: %v", block, err)
			}
		}
		if err := from(1, 8); code(err) != wire.CodeTooManySessions {
			t.Errorf("a ninth of the network: %v", err)
		}
		if err := from(2, 0); err != nil {
			t.Errorf("of another network: %v", err)
		}
	})
}

// second ends the relay and starts another one at an address.
func (l *lab) second(addr string) {
	l.t.Helper()
	l.stop()
	l.startAt(netip.MustParseAddrPort(addr), l.relay.config)
}

func TestRoomLimits(t *testing.T) {
	inLab(t, Config{MaxRooms: 1, MaxMembers: 2}, func(l *lab) {
		l.joined("r")
		l.joined("r")
		if err := l.person().join("r"); code(err) != wire.CodeRoomFull {
			t.Errorf("the third member: %v", err)
		}
		if err := l.person().join("s"); code(err) != wire.CodeTooManyRooms {
			t.Errorf("the second room: %v", err)
		}
		l.eventually("the refused are gone", 5*time.Second, func() bool { return l.metric("sessions") == 2 })
	})
}

// TestForeignKID wants media under another member's key id to reach nobody.
func TestForeignKID(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		victim, mallory, listener := l.joined("r"), l.joined("r"), l.joined("r")
		mallory.say(victim.kid(0), 0, 0, 10)
		mallory.say(wire.MakeKID(wire.MemberID{1, 2, 3}, 0, 0), 1, 0, 10)
		time.Sleep(time.Second)
		if n := listener.ears.heard(victim.kid(0)); n != 0 {
			t.Errorf("%d forged frames were forwarded", n)
		}
		l.want("forged", map[string]float64{"media not_bound": 20, "media_in_packets_total": 0, "streams": 0})
		victim.say(victim.kid(0), 0, 0, 10)
		time.Sleep(time.Second)
		if n := listener.ears.heard(victim.kid(0)); n != 10 {
			t.Errorf("%d of the victim's 10 frames arrived", n)
		}
		if n := victim.ears.heard(victim.kid(0)); n != 0 {
			t.Errorf("the talker got %d of its own frames", n)
		}
		l.want("genuine", map[string]float64{"media_in_packets_total": 10, "media_out_packets_total": 20,
			"streams": 1})
	})
}

func TestMediaRate(t *testing.T) {
	inLab(t, Config{MediaRate: 50}, func(l *lab) {
		a, b := l.joined("r"), l.joined("r")
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond)))
		a.say(a.kid(0), 0, 0, 200)
		time.Sleep(500 * time.Millisecond)
		l.want("too fast", map[string]float64{"media_in_packets_total": 50, "media packet_rate": 150})
		time.Sleep(time.Second)
		a.say(a.kid(0), 0, 200, 10)
		time.Sleep(time.Second)
		if n := b.ears.heard(a.kid(0)); n != 60 {
			t.Errorf("%d frames heard, want 60", n)
		}
	})
}

func TestPacketLimit(t *testing.T) {
	var s session
	now := time.Hour
	for i := range 5 {
		if ok := s.media.Take(1, 3, time.Second, now+time.Duration(i)*time.Millisecond); ok != (i < 3) {
			t.Errorf("packet %d: %v", i, ok)
		}
	}
	if !s.media.Take(1, 3, time.Second, now+time.Second) {
		t.Error("not in the next second")
	}
}

// TestSilentSessionsEnd wants nothing to be left of clients that are just gone.
func TestSilentSessionsEnd(t *testing.T) {
	var log logText
	inLab(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, func(l *lab) {
		a, b := l.joined("r"), l.joined("r")
		a.bindOne()
		a.conn.Close()
		time.Sleep(50 * time.Second)
		l.want("not yet", map[string]float64{"sessions": 2, "members": 2, "streams": 1})
		time.Sleep(15 * time.Second)
		l.want("after a minute", map[string]float64{"sessions": 1, "members": 1, "streams": 0,
			"leaves_total": 1})
		b.client.Close()
		l.want("both gone", map[string]float64{"sessions": 0, "members": 0, "rooms": 0})
		for member, want := range map[wire.MemberID]string{a.member: "msg=lost room=r member=%v why=lost",
			b.member: "msg=left room=r member=%v why=left"} {
			if want = fmt.Sprintf(want, member); !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, log.String())
			}
		}
		l.relay.mu.Lock()
		defer l.relay.mu.Unlock()
		if n := len(l.relay.addresses); n != 0 {
			t.Errorf("%d addresses are remembered", n)
		}
	})
}

// bindOne makes one stream.
func (p *person) bindOne() {
	p.say(p.kid(0), 0, 0, 1)
	time.Sleep(time.Second)
}

// TestMembersOfOneAddress wants one address to leave places in a room to others, and the log to name it.
func TestMembersOfOneAddress(t *testing.T) {
	text := new(logText)
	inLab(t, Config{MaxMembers: 20, HelloRate: 1000, Log: slog.New(slog.NewTextHandler(text, nil))},
		func(l *lab) {
			crowd := func(n int) *person {
				return l.person(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.7"), uint16(1000+n)))
			}
			for n := range 10 {
				if err := crowd(n).join("r"); err != nil {
					t.Fatalf("member %d of the address: %v", n, err)
				}
			}
			for n := range 3 {
				if err := crowd(10 + n).join("r"); code(err) != wire.CodeRoomFull ||
					!strings.Contains(err.Error(), "your address") {
					t.Errorf("another of the address: %v", err)
				}
			}
			for n := range 10 {
				if err := l.person().join("r"); err != nil {
					t.Fatalf("member %d of other addresses: %v", n, err)
				}
			}
			if err := l.person().join("r"); code(err) != wire.CodeRoomFull {
				t.Errorf("beyond the last place: %v", err)
			}
			l.want("full", map[string]float64{"members": 20, "member address_places": 3})
			if n := text.lines("level=WARN", "members", "address=192.0.2.7/32", "room=r", "has=10",
				"of=20"); n != 1 {
				t.Errorf("the address is named %d times:\n%s", n, text)
			}
		})
}

// TestDroppedStreamIsHeardAgain has a talker whose stream had to make way while it was silent: it is heard
// from its first frame on, by who knew the stream, and who came meanwhile.
func TestDroppedStreamIsHeardAgain(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		a, b := l.joined("r"), l.joined("r")
		a.say(a.kid(0), 0, 0, 10)
		time.Sleep(time.Second)
		a.say(a.kid(0), 0, 10, 10) // short by now
		for n := range uint8(8) {
			a.say(a.kid(1+n), uint16(1+n), 0, 1) // the relay keeps eight of a member
			time.Sleep(time.Second)
		}
		c := l.joined("r")
		a.say(a.kid(0), 0, 20, 10)
		time.Sleep(time.Second)
		if n, m := b.ears.heard(a.kid(0)), c.ears.heard(a.kid(0)); n != 30 || m != 10 {
			t.Errorf("%d of 30 frames and %d of 10 were heard", n, m)
		}
		l.want("it is there", map[string]float64{"streams": 8})
	})
}

// TestStreamIsRenewedWhenTheClockIsSet has the wall clock set back between two times that a stream is made
// again: the second one does not wait until the clock is there again.
func TestStreamIsRenewedWhenTheClockIsSet(t *testing.T) {
	start := time.Now()
	rooms := room.NewRooms(room.Limits{Rooms: 1, Members: 10, MemberRate: 32_000, RoomRate: 250_000})
	member, err := rooms.Join("r", make([]byte, 200), room.Origin{}, new(link.Session), start)
	if err != nil {
		t.Fatal(err)
	}
	kid := func(n uint8) wire.KID { return wire.MakeKID(member.ID, n, 0) }
	s := room.NewSpeech(kid(0), func() *room.Member { return member }, renewEvery, start)
	drop := func(from uint8, now time.Time) {
		for n := range uint8(8) { // the relay keeps eight of a member
			member.Bind(kid(from+n), now)
		}
		if !s.Stream().Dropped() {
			t.Fatal("the stream is still there")
		}
	}
	drop(1, start)
	if s.Received(start).Dropped() {
		t.Fatal("not made again")
	}
	later := simtest.WrongClock(t, start.Add(time.Minute), -time.Hour)
	drop(9, later)
	if s.Received(later).Dropped() {
		t.Error("not made again when the clock was set back")
	}
}
