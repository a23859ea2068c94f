package link

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

var errUnknownPeer = errors.New("not among the peers")

// gate is a PeerAcceptor that knows some keys. What it accepts is handled by its side.
type gate struct {
	trunkSide
	refuse atomic.Pointer[wire.Refused] // what a session is answered with, if not nil
	// onAccept is called before AcceptPeer returns; or nil.
	onAccept func(s *Session)

	gmu    sync.Mutex // guards what follows
	known  map[identity.PublicKey]bool
	asked  []shown
	opened []*Session
	over   []ending
}

// shown is what CheckPeer was asked.
type shown struct {
	key    identity.PublicKey
	remote netip.AddrPort
}

func newGate(known ...*identity.Identity) *gate {
	g := &gate{trunkSide: newTrunkSide(), known: make(map[identity.PublicKey]bool)}
	for _, id := range known {
		g.known[id.Public()] = true
	}
	return g
}

func (g *gate) CheckPeer(key identity.PublicKey, remote netip.AddrPort) error {
	g.gmu.Lock()
	defer g.gmu.Unlock()
	g.asked = append(g.asked, shown{key, remote})
	if !g.known[key] {
		return errUnknownPeer
	}
	return nil
}

func (g *gate) AcceptPeer(s *Session) (PeerHandler, *wire.Refused) {
	if refused := g.refuse.Load(); refused != nil {
		return nil, refused
	}
	g.gmu.Lock()
	g.opened = append(g.opened, s)
	g.gmu.Unlock()
	if g.onAccept != nil {
		g.onAccept(s)
	}
	return g, nil
}

func (g *gate) Ended(s *Session, code wire.CloseCode) {
	g.gmu.Lock()
	defer g.gmu.Unlock()
	g.over = append(g.over, ending{s, code, time.Now()})
}

// questions returns what CheckPeer was asked.
func (g *gate) questions() []shown {
	g.gmu.Lock()
	defer g.gmu.Unlock()
	return append([]shown(nil), g.asked...)
}

// links returns the sessions that were accepted, and the ends of those that are over.
func (g *gate) links() ([]*Session, []ending) {
	g.gmu.Lock()
	defer g.gmu.Unlock()
	return append([]*Session(nil), g.opened...), append([]ending(nil), g.over...)
}

// trunkFrame is a media frame that came over a peer link.
type trunkFrame struct {
	room       wire.RoomHash
	kid        wire.KID
	ctr        uint64
	layer      uint8
	ciphertext string
}

// trunkSide is the handler of one end of a peer link, whichever side dialled.
type trunkSide struct {
	ears *ears // urgent messages and what a ClientHandler learns

	mu     *sync.Mutex // guards what follows
	frames *[]trunkFrame
	bound  *int
}

func newTrunkSide() trunkSide {
	return trunkSide{ears: newEars(), mu: new(sync.Mutex), frames: new([]trunkFrame), bound: new(int)}
}

func (e *trunkSide) Bind(_ *Session, m *wire.Media) Inbound {
	e.mu.Lock()
	defer e.mu.Unlock()
	*e.bound++
	return InboundFunc(m, e.media)
}

func (e *trunkSide) media(st *Stream, m *wire.Media, _ *Tx) {
	st.Seen(m.CTR)
	e.mu.Lock()
	defer e.mu.Unlock()
	*e.frames = append(*e.frames, trunkFrame{m.Room, m.KID, m.CTR, m.Layer, string(m.Ciphertext)})
}

func (e *trunkSide) AliasAcked(s *Session, pair wire.AliasPair) { s.SetAliasKnown(pair.Alias, true) }

func (e *trunkSide) Urgent(s *Session, kind wire.UrgentKind, body []byte) bool {
	if kind == wire.UrgentLeave {
		s.End(wire.CloseLeft)
		return true
	}
	return e.ears.Urgent(s, kind, body)
}

func (e *trunkSide) Opened(*Session) Handler { return e }

func (e *trunkSide) Attached(joined *wire.Joined, fresh bool) {
	if joined != nil {
		panic("a peer has joined a room")
	}
	e.ears.Attached(nil, fresh)
}

func (e *trunkSide) Detached(cause string) { e.ears.Detached(cause) }

// arrived returns the frames that came, and how often Bind was asked.
func (e *trunkSide) arrived() ([]trunkFrame, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]trunkFrame(nil), *e.frames...), *e.bound
}

// otherRelay is a relay beside the lab's, which dials it.
type otherRelay struct {
	lab    *lab
	id     *identity.Identity
	addr   netip.AddrPort
	conn   *simnet.Conn
	ep     *Endpoint
	sfu    *sfu
	gate   *gate     // of those that dial it
	side   trunkSide // of the links that it dials
	config ClientConfig
	client *Client
}

// otherRelay returns a relay that has not dialled yet. Its identity is newIdentity(150).
func (l *lab) otherRelay() *otherRelay {
	l.t.Helper()
	o := &otherRelay{lab: l, id: newIdentity(150), sfu: newSFU(), gate: newGate(l.key), side: newTrunkSide()}
	o.addr = netip.MustParseAddrPort("10.0.2.1:4433")
	o.conn, o.ep = l.endpoint(o.addr, Config{Identity: o.id, Version: "other relay", Accept: o.sfu,
		Peers: o.gate})
	l.t.Cleanup(func() { o.ep.Close() })
	o.config = ClientConfig{
		Resolve:    resolveTo(relayAddr),
		Name:       "other",
		CheckRelay: checkKey(l.key.Public()),
		Peer:       true,
	}
	return o
}

// dial dials with a limit in virtual time.
func (o *otherRelay) dial(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	o.client, err = startedClient(ctx, o.ep, o.config, &o.side)
	return err
}

// linked returns a relay that has dialled.
func (l *lab) linked() *otherRelay {
	l.t.Helper()
	o := l.otherRelay()
	if err := o.dial(time.Minute); err != nil {
		l.t.Fatal(err)
	}
	return o
}

// trunkMedia returns the frame of a talker, tagged if the peer does not know its alias.
func trunkMedia(known bool, alias uint16, room string, kid wire.KID, ctr uint64) *wire.Media {
	return &wire.Media{
		Tagged: !known, Long: !known, Alias: alias, Room: wire.HashRoom(room), KID: kid, CTR: ctr,
		Layer: uint8(ctr % 2), Ciphertext: []byte{byte(alias), byte(ctr), 7},
	}
}

// sendTrunk sends the frames of n talkers in one packet: aliases and KIDs from 0, of the same CTR.
func sendTrunk(ep *Endpoint, s *Session, n int, ctr uint64) {
	var packet []byte
	for i := range n {
		m := trunkMedia(s.AliasKnown(uint16(i)), uint16(i), "lab", wire.KID(i), ctr)
		packet = wire.AppendMedia(packet, m, i == n-1)
	}
	ep.WithTx(func(tx *Tx) { s.SendPacket(tx, packet, n) })
}
