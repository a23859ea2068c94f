package relay

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// rogue is a peer that says what the test wants, over a peer link as any other: it has the key for it, if it
// was configured. It can dial, and be dialled.
//
//	test ── says, media, packet ──> link.Session ──> the relay
//	heard, frames <── Urgent, Media <──
type rogue struct {
	mesh   *mesh
	key    *identity.Identity
	addr   netip.AddrPort
	conn   *simnet.Conn
	ep     *link.Endpoint
	client *link.Client
	serial uint64

	mu      sync.Mutex // guards what follows
	session *link.Session
	heard   []rogueHeard
	frames  map[wire.KID]int
	silent  bool // takes no urgent message
	ended   int  // sessions
}

// rogueHeard is an urgent message that a relay sent to a rogue.
type rogueHeard struct {
	kind wire.UrgentKind
	body []byte
}

// rogue returns a peer without a link. Each has a key of its own.
func (m *mesh) rogue() *rogue {
	m.t.Helper()
	m.rogues++
	r := &rogue{mesh: m, key: newIdentity(byte(220 + m.rogues)), frames: make(map[wire.KID]int)}
	r.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 2, byte(m.rogues)}), 4433)
	var err error
	if r.conn, err = m.net.Listen(r.addr); err != nil {
		m.t.Fatal(err)
	}
	r.ep, err = link.NewEndpoint(udp.New(r.conn),
		link.Config{Identity: r.key, Version: "rogue", Accept: noClients{}, Peers: r})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { r.ep.Close() })
	return r
}

// trusts makes a rogue a peer that may connect in.
func (n *node) trusts(r *rogue) *node {
	n.peers = append(n.peers, FederationPeer{Fingerprint: r.key.Fingerprint(), Label: "rogue"})
	return n
}

func (r *rogue) id() wire.RelayID { return wire.RelayIDOf(r.key.Public()) }

// dial opens a link with a relay.
func (r *rogue) dial(n *node) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, err := r.ep.Dial(ctx, link.ClientConfig{
		Peer:       true,
		Resolve:    func(context.Context) (netip.AddrPort, error) { return n.addr, nil },
		CheckRelay: func(identity.PublicKey) error { return nil },
	})
	if err == nil {
		client.Start(r)
		r.client = client
		r.mesh.t.Cleanup(func() { client.Close() })
	}
	return err
}

// linked dials a relay, and waits until it uses the link.
func (r *rogue) linked(n *node) *rogue {
	r.mesh.t.Helper()
	if err := r.dial(n); err != nil {
		r.mesh.t.Fatal(err)
	}
	r.mesh.eventually("the rogue is a peer", 5*time.Second, func() bool { return n.status("rogue").Up })
	return r
}

func (r *rogue) now() *link.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session
}

// urge sends an urgent message, as soon as there is room for it. It reports false when the link is over, or
// takes nothing for a minute.
func (r *rogue) urge(kind wire.UrgentKind, body []byte) bool {
	for start := time.Now(); time.Since(start) < time.Minute; {
		switch err := r.now().SendUrgent(kind, body); err {
		case nil:
			return true
		case link.ErrUrgentFull:
			time.Sleep(10 * time.Millisecond)
		default:
			return false
		}
	}
	return false
}

// says sends a message of section 9.2, with the next serial if it has one.
func (r *rogue) says(m any) bool {
	r.mesh.t.Helper()
	r.serial++
	switch m := m.(type) {
	case *wire.FederationRoom:
		m.Serial = r.serial
		return r.urge(wire.UrgentFederationRoom, wire.Append(nil, m))
	case *wire.FederationLeave:
		m.Serial = r.serial
		return r.urge(wire.UrgentFederationLeave, wire.Append(nil, m))
	case *wire.FederationWant:
		m.Serial = r.serial
		return r.urge(wire.UrgentFederationWant, wire.Append(nil, m))
	case *wire.FederationFetch:
		return r.urge(wire.UrgentFederationFetch, wire.Append(nil, m))
	case *wire.FederationMembers:
		return r.urge(wire.UrgentFederationMembers, wire.Append(nil, m))
	case *wire.FederationMessage:
		return r.urge(wire.UrgentFederationMessage, wire.Append(nil, m))
	}
	r.mesh.t.Fatalf("what is %T?", m)
	return false
}

// packet sends frames as one packet.
func (r *rogue) packet(frames []byte, media int) {
	s := r.now()
	r.ep.WithTx(func(tx *link.Tx) { s.SendPacket(tx, frames, media) })
}

// media sends frames of somebody, from CTR first on, each in a packet of its own.
func (r *rogue) media(alias uint16, room string, kid wire.KID, first, n int) {
	for ctr := first; ctr < first+n; ctr++ {
		r.packet(wire.AppendMedia(nil, &wire.Media{
			Tagged: true, Alias: alias, Room: wire.HashRoom(room), KID: kid, CTR: uint64(ctr),
			Ciphertext: []byte("rogue"),
		}, true), 1)
	}
}

// got returns the messages of a kind that came.
func (r *rogue) got(kind wire.UrgentKind) (bodies [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.heard {
		if h.kind == kind {
			bodies = append(bodies, h.body)
		}
	}
	return bodies
}

// about returns the newest announcement that the relay made of a home's part of a room.
func (r *rogue) about(home identity.PublicKey, room string) (newest *wire.FederationRoom) {
	for _, body := range r.got(wire.UrgentFederationRoom) {
		m, err := wire.Parse[wire.FederationRoom](body)
		if err != nil {
			r.mesh.t.Error(err)
			continue
		}
		if m.Record.Home == home && m.Record.Room == room && (newest == nil || m.Serial > newest.Serial) {
			newest = &m
		}
	}
	return newest
}

// setSilent has the rogue take no urgent messages, or take them again.
func (r *rogue) setSilent(silent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = silent
}

// Opened implements link.ClientHandler.
func (r *rogue) Opened(s *link.Session) link.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session, r.serial = s, 0
	return r
}

// Attached implements link.ClientHandler.
func (r *rogue) Attached(*wire.Joined, bool) {}

// Detached implements link.ClientHandler.
func (r *rogue) Detached(string) {}

// Bind implements link.Handler.
func (r *rogue) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, r.hear)
}

func (r *rogue) hear(st *link.Stream, m *wire.Media, _ *link.Tx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st.Seen(m.CTR)
	r.frames[m.KID]++
}

// AliasAcked implements link.Handler.
func (r *rogue) AliasAcked(s *link.Session, pair wire.AliasPair) { s.SetAliasKnown(pair.Alias, true) }

// Urgent implements link.Handler.
func (r *rogue) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) (taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silent {
		return false
	}
	r.heard = append(r.heard, rogueHeard{kind, bytes.Clone(body)})
	return true
}

// CheckPeer implements link.PeerAcceptor.
func (r *rogue) CheckPeer(identity.PublicKey, netip.AddrPort) error { return nil }

// AcceptPeer implements link.PeerAcceptor.
func (r *rogue) AcceptPeer(s *link.Session) (link.PeerHandler, *wire.Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = s
	return r, nil
}

// Ended implements link.PeerHandler.
func (r *rogue) Ended(*link.Session, wire.CloseCode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended++
}

// noClients is an Acceptor that takes nobody.
type noClients struct{}

func (noClients) Accept(*link.Session, netip.Addr) (link.AcceptedHandler, *wire.Refused) {
	return nil, &wire.Refused{Code: wire.CodeTooManySessions}
}

// falseHome is a relay that a rogue speaks for: itself, one that it made up, or one whose key it does not
// have.
type falseHome struct {
	mesh     *mesh
	key      *identity.Identity // signs
	home     identity.PublicKey // as whose
	boot     uint64
	sequence uint64
}

// home returns the relay that has a key.
func (m *mesh) home(key *identity.Identity) *falseHome {
	return &falseHome{mesh: m, key: key, home: key.Public(), boot: uint64(time.Now().UnixMilli())}
}

func (h *falseHome) id() wire.RelayID { return wire.RelayIDOf(h.home) }

// entries returns n new members of the home, of one identity.
func (h *falseHome) entries(room string, n int) (list [][]byte) {
	for range n {
		list = append(list, newEntry(h.mesh.t, h.key, room, h.home))
	}
	return list
}

// record signs a list as the next version of the home's part of a room.
func (h *falseHome) record(room string, entries [][]byte) wire.RoomRecord {
	h.sequence++
	hashes := make([]wire.EntryHash, len(entries))
	for i, entry := range entries {
		hashes[i] = wire.HashEntry(entry)
	}
	slices.SortFunc(hashes, func(a, b wire.EntryHash) int { return bytes.Compare(a[:], b[:]) })
	record := wire.RoomRecord{
		Room: room, Boot: h.boot, Sequence: h.sequence,
		Members: uint32(len(entries)), Digest: wire.MemberDigest(hashes),
	}
	record.Sign(h.key)
	record.Home = h.home
	return record
}

// announces sends a home's list, by a path.
func (r *rogue) announces(h *falseHome, room string, entries [][]byte, path ...wire.RelayID) bool {
	return r.says(&wire.FederationRoom{Record: h.record(room, entries), Path: path, Joined: entries})
}

// brings announces a home's list of any length, and sends it when it is asked for.
func (r *rogue) brings(h *falseHome, room string, entries [][]byte, path ...wire.RelayID) {
	r.mesh.t.Helper()
	record := h.record(room, entries)
	asked := func() (n int) {
		for _, body := range r.got(wire.UrgentFederationFetch) {
			if m, err := wire.Parse[wire.FederationFetch](body); err == nil && m.Home == h.id() &&
				m.Room == wire.HashRoom(room) {
				n++
			}
		}
		return n
	}
	before := asked()
	r.says(&wire.FederationRoom{Record: record, Path: path})
	r.mesh.eventually("the list is asked for", 10*time.Second, func() bool { return asked() > before })
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b []byte) int { return wire.EntryID(a).Compare(wire.EntryID(b)) })
	list := &wire.FederationMembers{
		Home: h.id(), Room: wire.HashRoom(room), Boot: record.Boot, Sequence: record.Sequence,
		Total: record.Members,
	}
	for i, entry := range sorted {
		if len(list.Entries) > 0 && !list.Fits(entry) {
			r.says(list)
			list.First, list.Entries = uint32(i), nil
		}
		list.Entries = append(list.Entries, entry)
	}
	r.says(list)
}
