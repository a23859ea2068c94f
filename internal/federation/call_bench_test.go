//go:build linux

package federation

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/routing"
	"github.com/wzp-voice/wzp/internal/wire"
)

// benchCalls is how many calls, or rooms of two, there are: so many that each is within its limits.
const benchCalls = 4000

// benchPause is between two batches of 32 frames: each stream has 80 frames a second, within its limits.
const benchPause = 100 * time.Microsecond

// BenchmarkCallMedia is what a frame costs a relay, without system calls: from a peer or a session, to a peer
// or a session, in a call and in a room of two.
func BenchmarkCallMedia(b *testing.B) {
	for _, way := range []string{"peer-peer", "peer-session", "session-peer", "session-session"} {
		for _, kind := range []string{"room", "call"} {
			b.Run(way+"/"+kind, func(b *testing.B) {
				x := newBenchRoute(b)
				from, to, _ := strings.Cut(way, "-")
				make := x.inRoom
				if kind == "call" {
					make = x.inCall
				}
				list := []link.Inbound{}
				for i := range benchCalls {
					list = append(list, make(i, from == "peer", to == "peer"))
				}
				x.run(b, list)
			})
		}
	}
}

// benchRoute is a relay with a peer that frames come from, one that they go to, and a client.
type benchRoute struct {
	relay   *benchRelay
	f       *Federation
	from    *livePeer
	to      *livePeer
	session *link.Session
	frames  atomic.Uint64
}

func newBenchRoute(b *testing.B) *benchRoute {
	x := &benchRoute{relay: startBenchRelay(b, true)}
	x.f = New(Options{Identity: x.relay.key, Log: slog.New(slog.DiscardHandler), Tell: func(*room.Member) {},
		Rooms: room.NewRooms(room.Limits{Rooms: benchCalls, RemoteRooms: benchCalls, Members: 10,
			MemberRate: callBytes, RoomRate: 250_000, SendRate: 100_000_000})})
	b.Cleanup(x.f.links.Close)
	x.from, x.to = x.peer(b, 1), x.peer(b, 2)
	x.relay.trunk.Store(x.to.trunk)
	x.session = x.relay.dial(b, false, &x.frames)
	x.session.SetAliasKnown(0, true)
	return x
}

func (x *benchRoute) peer(b *testing.B, n byte) *livePeer {
	p := &livePeer{federation: x.f, id: wire.RelayID{n}, group: budget.Group{Link: true, ID: uint64(n)}}
	p.trunk = newTrunk(benchLink{x.relay.dial(b, true, &x.frames), x.relay.ep})
	b.Cleanup(p.trunk.close)
	p.intake = newIntake(intakeLimits{Media: 1e9, RoomMedia: 5_000, MemberMedia: 500, MediaBytes: 1e9},
		intakeReports{throttled: func(string, uint64) {}, cut: func(string) {}})
	return p
}

// benchMember is a client with a room or call of its own, which all share a session.
type benchMember struct{ *link.Session }

func (benchMember) Remote() netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 2, 3}) }

// speaking is what internal/relay does with a member's frames.
type speaking struct {
	link.Stream
	media budget.Bucket
	group budget.Group
	out   *room.Speech
}

func (t *speaking) Media(m *wire.Media, tx *link.Tx) {
	t.Seen(m.CTR)
	if !t.media.Take(1, callFrames, time.Second, tx.At()) {
		return
	}
	out := t.out.Received(tx.Now())
	source := out.Source(t.group)
	tx.From(source)
	if why, to := out.Admit(source, m, tx.At()); why == 0 {
		out.Forward(to, m, tx, tx.Short, tx.Long, nil)
	}
}

// inRoom returns a stream of a room of two.
func (x *benchRoute) inRoom(i int, fromPeer, toPeer bool) link.Inbound {
	name := fmt.Sprint("room ", i)
	rooms, now := x.f.rooms, time.Now()
	homes := [2]wire.RelayID{{8, byte(i), byte(i >> 8)}, {9, byte(i), byte(i >> 8)}}
	var members [2]*room.Member
	for j, remote := range []bool{fromPeer, toPeer} {
		entry, peer := []byte(fmt.Sprint(name, " member ", j)), []*livePeer{x.from, x.to}[j]
		var err error
		if remote {
			from := room.FromPeer(homes[j], peer.id, wire.RelayID{})
			members[j], _, err = rooms.JoinRemote(name, entry, from, new(nullReceiver), now)
		} else {
			homes[j] = wire.RelayID{}
			members[j], err = rooms.Join(name, entry, room.Origin{}, &benchMember{x.session}, now)
		}
		if err != nil {
			panic(err)
		}
	}
	if toPeer {
		rooms.SetTrunks(name, homes[0], []room.Trunk{x.to.trunk})
	}
	kid := wire.MakeKID(members[0].ID, 1, 0)
	if fromPeer {
		x.f.bridgedRoom(name)
		x.f.ways.set(routing.PartKey{Home: homes[0], Room: wire.HashRoom(name)},
			routing.Way{Best: x.from.id}, x.from)
		in := x.from.Bind(&wire.Media{KID: kid, Room: wire.HashRoom(name), Long: true, Tagged: true})
		if in.(*incoming).found.Load() == nil {
			panic("the talker is not found")
		}
		return in
	}
	return &speaking{Stream: link.Stream{KID: kid}, out: room.NewSpeech(kid,
		func() *room.Member { return members[0] }, time.Second, now)}
}

// inCall returns a stream of a call.
func (x *benchRoute) inCall(i int, fromPeer, toPeer bool) link.Inbound {
	p := &callPath{id: wire.PathID{7, byte(i), byte(i >> 8)}}
	var legs [2]callLeg
	for j, peer := range []bool{fromPeer, toPeer} {
		if legs[j].peer = []*livePeer{x.from, x.to}[j]; !peer {
			legs[j].peer = nil
			legs[j].line = &line{id: presence.SessionID(2*i + j + 1), to: &benchMember{x.session}}
			legs[j].line.speaks.Store(&p.id)
		}
	}
	p.legs.Store(&legs)
	x.f.calls.media.paths.Store(p.id.Room(), p)
	m := &wire.Media{KID: wire.MakeKID(wire.MemberID{byte(i), byte(i >> 8)}, 1, 0), Long: true}
	if fromPeer {
		m.Room, m.Tagged = p.id.Room(), true
		return x.from.Bind(m)
	}
	return p.bind(x.f, legs[0], m)
}

// run sends frames of all streams in turn, in batches as they come from a socket.
func (x *benchRoute) run(b *testing.B, list []link.Inbound) {
	kids := make([]wire.KID, len(list))
	for i, in := range list {
		switch in := in.(type) {
		case *incoming:
			kids[i] = in.KID
		case *speaking:
			kids[i] = in.KID
		case *callInbound:
			kids[i] = in.KID
		}
	}
	var m wire.Media
	cipher := make([]byte, 80)
	n, ctr := 0, uint64(0)
	batch := func(tx *link.Tx) {
		for range 32 {
			if n++; n == len(list) {
				n, ctr = 0, ctr+1
			}
			m = wire.Media{KID: kids[n], CTR: ctr, Ciphertext: cipher}
			list[n].Media(&m, tx)
		}
	}
	for range 2 * benchCalls / 32 { // until the aliases are known
		x.relay.ep.WithTx(batch)
		time.Sleep(100 * time.Microsecond)
	}
	time.Sleep(200 * time.Millisecond)
	for i := range 28 {
		x.session.SetAliasKnown(uint16(i), true)
	}
	x.relay.mute.mute.Store(true)
	sent := x.to.trunk.total().Frames + x.session.Counts().MediaSent
	b.ReportAllocs()
	rounds, spent := uint64(0), time.Duration(0)
	for next := time.Now(); b.Loop(); rounds++ {
		for next = next.Add(benchPause); time.Now().Before(next); {
		}
		start := time.Now()
		x.relay.ep.WithTx(batch)
		spent += time.Since(start)
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(32*rounds), "ns/frame")
	now := x.to.trunk.total().Frames + x.session.Counts().MediaSent
	b.ReportMetric(100*float64(now-sent)/float64(32*rounds), "%sent")
}

var _ Line = (*benchMember)(nil)
