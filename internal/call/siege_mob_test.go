//go:build !race

package call

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

const mobIdentity = 230

var mobAddr = netip.MustParseAddrPort("10.0.9.9:6000")

// mob is a stranger with many sessions at one address and no invite secret. It enters the room as often as it
// may, makes new streams as fast as it may, announces one key id by many aliases, and some of it send as much
// as it can.
type mob struct {
	s  *siege
	ep *link.Endpoint

	mu      sync.Mutex // guards members
	members []*mobster
}

// mobster is one of its sessions.
type mobster struct {
	client *link.Client
	id     wire.MemberID
	epoch  uint8
}

func newMob(s *siege) *mob {
	s.t.Helper()
	ep, err := link.NewEndpoint(s.mux(mobAddr), link.Config{Identity: newIdentity(mobIdentity),
		Version: "mob"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ep.Close() })
	// What it sends does not all arrive in the same instants, which would be more than any socket holds.
	if err := s.net.SetPaths(mobAddr.Addr(), s.addr.Addr(),
		simnet.Profile{Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond}); err != nil {
		s.t.Fatal(err)
	}
	return &mob{s: s, ep: ep}
}

// attack goes on until ctx is done.
func (m *mob) attack(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for range 20 {
		wg.Go(func() {
			for range mobSize / 20 {
				m.enter(ctx)
			}
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			m.harm(n)
		case <-ctx.Done():
			return
		}
	}
}

// enter opens a session in the room, or if that is full for it in one of its own.
func (m *mob) enter(ctx context.Context) {
	b := &mobster{}
	for _, room := range []string{siegeRoom, "mob"} {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		client, err := m.ep.Dial(ctx, link.ClientConfig{
			Resolve:    func(context.Context) (netip.AddrPort, error) { return m.s.addr, nil },
			Name:       "mob",
			CheckRelay: func(identity.PublicKey) error { return nil },
			Join: func(relay identity.PublicKey) (*wire.Join, error) {
				entry, err := wire.SignEntry(newIdentity(mobIdentity),
					wire.MemberEntry{Room: room, Name: "mob", HomeRelay: relay, Commitment: nonce()})
				b.id = wire.EntryID(entry)
				return &wire.Join{Room: room, Entry: entry}, err
			},
		})
		cancel()
		if err == nil {
			client.Start(deafHandler{})
			b.client = client
			m.s.t.Cleanup(func() { client.Close() })
			m.mu.Lock()
			m.members = append(m.members, b)
			m.mu.Unlock()
			return
		}
	}
}

// harm is what the mob does in its n-th 10 ms.
func (m *mob) harm(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, b := range m.members {
		switch {
		case i < 4: // 500 large frames a second each
			for range 5 {
				b.say(0, 0, 0, make([]byte, wire.MaxCiphertext))
			}
		case i%200 == n%200: // eight new streams every two seconds
			b.epoch++
			for stream := range uint8(8) {
				b.say(uint16(stream), stream, b.epoch, []byte("tiny"))
			}
		case i%200 == (n+100)%200: // one key id by many aliases
			for alias := range 64 {
				b.say(uint16(100+(alias+n)%3900), 9, 0, []byte("tiny"))
			}
		}
	}
}

// say sends one frame in the long form.
func (b *mobster) say(alias uint16, stream, epoch uint8, ciphertext []byte) {
	if s := b.client.Session(); s != nil {
		s.SendMediaNow(alias, &wire.Media{KID: wire.MakeKID(b.id, stream, epoch), CTR: uint64(epoch) + 1,
			Ciphertext: ciphertext})
	}
}

// deafHandler is a link.ClientHandler that takes no interest in anything.
type deafHandler struct{}

func (h deafHandler) Opened(*link.Session) link.Handler                        { return h }
func (deafHandler) Attached(*wire.Joined, bool)                                {}
func (deafHandler) Detached(string)                                            {}
func (deafHandler) Bind(*link.Session, *wire.Media) link.Inbound               { return nil }
func (deafHandler) AliasAcked(*link.Session, wire.AliasPair)                   {}
func (deafHandler) Urgent(*link.Session, wire.UrgentKind, []byte) (taken bool) { return true }

// loiterers are sixteen IPv6 networks of which each holds as many connections as it can that never say Hello.
type loiterers struct {
	s          *siege
	transports []*quic.Transport
}

func newLoiterers(s *siege) *loiterers {
	s.t.Helper()
	l := &loiterers{s: s}
	for i := range byte(16) {
		addr := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, i, 15: 1})
		conn, err := s.net.Listen(netip.AddrPortFrom(addr, 7000))
		if err != nil {
			s.t.Fatal(err)
		}
		transport := &quic.Transport{Conn: conn}
		s.t.Cleanup(func() {
			transport.Close()
			conn.Close()
		})
		l.transports = append(l.transports, transport)
	}
	return l
}

func (l *loiterers) attack(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, transport := range l.transports {
		for range 2 * siegeHandshakes / len(l.transports) {
			wg.Go(func() {
				for ctx.Err() == nil {
					l.loiter(ctx, transport)
				}
			})
		}
	}
}

// loiter holds a connection for as long as the relay lets it.
func (l *loiterers) loiter(ctx context.Context, transport *quic.Transport) {
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"wzp"}, MinVersion: tls.VersionTLS13}
	if conn, err := transport.Dial(ctx, net.UDPAddrFromAddrPort(l.s.addr), config, nil); err == nil {
		select {
		case <-conn.Context().Done():
		case <-ctx.Done():
		}
		conn.CloseWithError(0, "")
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
}
