package call

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

// notes are what all spies of a test have seen.
type notes struct {
	t testing.TB

	mu       sync.Mutex // guards what follows
	messages []noted
	controls [][]byte // as they travel
	entries  [][]byte
	frames   []notedFrame
	seen     map[frameName]struct{}
}

// noted is an urgent message that a client sent, or got.
type noted struct {
	message
	member wire.MemberID
	up     bool
	at     time.Time
}

// notedFrame is a media frame that came to the relay.
type notedFrame struct {
	wire.Media
	at time.Time
}

type frameName struct {
	kid wire.KID
	ctr uint64
}

func newNotes(t testing.TB) *notes { return &notes{t: t, seen: make(map[frameName]struct{})} }

// frame notes a frame, and that no two are sealed under one key and number: who has two of them has the XOR
// of what was said. Nothing is ever sent again, so that no pair may come twice at all.
func (n *notes) frame(m *wire.Media) {
	name := frameName{m.KID, m.CTR}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, twice := n.seen[name]; twice {
		n.t.Errorf("KID %v, CTR %d came twice", m.KID, m.CTR)
	}
	n.seen[name] = struct{}{}
	n.frames = append(n.frames,
		notedFrame{wire.Media{KID: m.KID, CTR: m.CTR, Ciphertext: bytes.Clone(m.Ciphertext)}, time.Now()})
}

func (n *notes) urgent(p *tapped, up bool, m message) {
	var id wire.MemberID
	if member := p.member.Load(); member != nil {
		id = member.ID
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.messages = append(n.messages, noted{message{m.kind, bytes.Clone(m.body)}, id, up, time.Now()})
}

func (n *notes) control(m wire.Message) {
	b, err := wire.AppendMessage(nil, m)
	if err != nil {
		n.t.Error(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.controls = append(n.controls, b)
	if m, ok := m.(*wire.Join); ok {
		n.entries = append(n.entries, m.Entry)
	}
}

// framesOf returns the frames of a member, or of everybody, that came from a time on and before another.
func (n *notes) framesOf(p *person, from, to time.Time) (list []notedFrame) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.frames {
		if (p == nil || f.KID.Member() == p.room.ID()) && !f.at.Before(from) && f.at.Before(to) {
			list = append(list, f)
		}
	}
	return list
}

// sent returns the messages of a kind that went to or came from a member, or any, from a time on.
func (n *notes) sent(kind wire.UrgentKind, up bool, id *wire.MemberID, from time.Time) (list []noted) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.messages {
		if m.kind == kind && m.up == up && (id == nil || *id == m.member) && !m.at.Before(from) {
			list = append(list, m)
		}
	}
	return list
}

// entry returns the member entry with an id.
func (n *notes) entry(id wire.MemberID) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, entry := range n.entries {
		if wire.EntryID(entry) == id {
			return entry
		}
	}
	return nil
}

// port is a relay's UDP port that loses the QUIC packets of some hosts.
type port struct {
	*simnet.Conn

	mu     sync.Mutex // guards hosts
	hosts  map[netip.Addr]bool
	choked uint64
}

// choke loses them from now on.
func (c *port) choke(host netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hosts == nil {
		c.hosts = make(map[netip.Addr]bool)
	}
	c.hosts[host] = true
}

func (c *port) lost(b []byte, peer netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(b) == 0 || b[0] < 0x40 || !c.hosts[peer.Addr().Unmap()] {
		return false
	}
	c.choked++
	return true
}

func (c *port) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.Conn.ReadFromUDPAddrPort(b)
		if err != nil || !c.lost(b[:n], from) {
			return n, from, err
		}
	}
}

func (c *port) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

func (c *port) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.lost(b, to) {
		return len(b), nil
	}
	return c.Conn.WriteToUDPAddrPort(b, to)
}

func (c *port) WriteTo(b []byte, to net.Addr) (int, error) {
	return c.WriteToUDPAddrPort(b, to.(*net.UDPAddr).AddrPort())
}
