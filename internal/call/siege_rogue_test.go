//go:build !race

package call

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

const rogueIdentity = 220

// rogue is a peer of west that makes up three relays behind itself, with as many members as a room can have.
// They make new streams as fast as they may, and it sends garbage in the names of people who are not behind
// it.
type rogue struct {
	deafHandler
	s      *siege
	ep     *link.Endpoint
	key    *identity.Identity
	serial uint64
	homes  []*falseHome

	mu      sync.Mutex // guards what follows
	session *link.Session
	wanted  []wire.RelayID // lists that west has asked for
}

// falseHome is a relay that a rogue made up.
type falseHome struct {
	key     *identity.Identity
	id      wire.RelayID
	entries [][]byte // by member id
	record  wire.RoomRecord
}

func newRogue(s *siege) *rogue {
	s.t.Helper()
	r := &rogue{s: s, key: newIdentity(rogueIdentity)}
	var err error
	if r.ep, err = link.NewEndpoint(s.mux(netip.MustParseAddrPort("10.0.2.1:4433")),
		link.Config{Identity: r.key, Version: "rogue"}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.ep.Close() })
	for i := range byte(3) {
		r.homes = append(r.homes, s.falseHome(newIdentity(rogueIdentity+1+i), 700))
	}
	return r
}

func (s *siege) falseHome(key *identity.Identity, members int) *falseHome {
	s.t.Helper()
	h := &falseHome{key: key, id: wire.RelayIDOf(key.Public())}
	var hashes []wire.EntryHash
	for range members {
		entry, err := wire.SignEntry(key, wire.MemberEntry{Room: siegeRoom, Name: "made up",
			HomeRelay: key.Public(), Commitment: nonce()})
		if err != nil {
			s.t.Fatal(err)
		}
		h.entries = append(h.entries, entry)
		hashes = append(hashes, wire.HashEntry(entry))
	}
	slices.SortFunc(h.entries, func(a, b []byte) int { return wire.EntryID(a).Compare(wire.EntryID(b)) })
	slices.SortFunc(hashes, func(a, b wire.EntryHash) int { return bytes.Compare(a[:], b[:]) })
	h.record = wire.RoomRecord{
		Room: siegeRoom, Boot: uint64(time.Now().UnixMilli()), Sequence: 1, Members: uint32(members),
		Digest: wire.MemberDigest(hashes),
	}
	h.record.Sign(key)
	h.record.Home = key.Public()
	return h
}

// attack goes on until ctx is done.
func (r *rogue) attack(ctx context.Context) {
	client, err := r.ep.Dial(ctx, link.ClientConfig{
		Peer:       true,
		Resolve:    func(context.Context) (netip.AddrPort, error) { return r.s.addr, nil },
		CheckRelay: func(identity.PublicKey) error { return nil },
	})
	if err != nil {
		r.s.t.Errorf("the rogue: %v", err)
		return
	}
	client.Start(r)
	defer client.Close()
	time.Sleep(time.Second)
	for _, h := range r.homes {
		r.serial++
		r.urge(ctx, wire.UrgentFederationRoom, wire.Append(nil, &wire.FederationRoom{
			Serial: r.serial, Record: h.record, Path: []wire.RelayID{wire.RelayIDOf(r.key.Public()), h.id},
		}))
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			r.bring(ctx)
			r.harm(n)
		case <-ctx.Done():
			return
		}
	}
}

// bring sends the lists that were asked for.
func (r *rogue) bring(ctx context.Context) {
	r.mu.Lock()
	wanted := r.wanted
	r.wanted = nil
	r.mu.Unlock()
	for _, h := range r.homes {
		if !slices.Contains(wanted, h.id) {
			continue
		}
		list := &wire.FederationMembers{
			Home: h.id, Room: wire.HashRoom(siegeRoom), Boot: h.record.Boot, Sequence: h.record.Sequence,
			Total: h.record.Members,
		}
		for i, entry := range h.entries {
			if len(list.Entries) > 0 && !list.Fits(entry) {
				r.urge(ctx, wire.UrgentFederationMembers, wire.Append(nil, list))
				list.First, list.Entries = uint32(i), nil
			}
			list.Entries = append(list.Entries, entry)
		}
		r.urge(ctx, wire.UrgentFederationMembers, wire.Append(nil, list))
	}
}

// urge sends an urgent message as soon as there is room for it.
func (r *rogue) urge(ctx context.Context, kind wire.UrgentKind, body []byte) {
	for ctx.Err() == nil && r.now().SendUrgent(kind, body) == link.ErrUrgentFull {
		time.Sleep(10 * time.Millisecond)
	}
}

// harm is what the rogue does in its n-th 10 ms: a new stream of each of six of its members, and garbage of
// six of ours.
func (r *rogue) harm(n int) {
	var frames []wire.Media
	for i := range 6 {
		h := r.homes[i%3]
		member := wire.EntryID(h.entries[(n*2+i/3)%len(h.entries)])
		frames = append(frames, wire.Media{KID: wire.MakeKID(member, uint8(n/350), uint8(n)),
			Ciphertext: []byte("made up")})
		p := r.s.people[(n+i)%10]
		frames = append(frames, wire.Media{KID: wire.MakeKID(p.room.ID(), uint8(n), uint8(i)),
			Ciphertext: make([]byte, 1000)})
	}
	for i, m := range frames {
		m.Tagged, m.Room, m.Alias, m.CTR = true, wire.HashRoom(siegeRoom), uint16((n*12+i)%wire.MaxAliases),
			uint64(n)
		r.ep.WithTx(func(tx *link.Tx) { r.now().SendPacket(tx, wire.AppendMedia(nil, &m, true), 1) })
	}
}

func (r *rogue) now() *link.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session
}

// Opened implements link.ClientHandler.
func (r *rogue) Opened(s *link.Session) link.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = s
	return r
}

// Urgent implements link.Handler.
func (r *rogue) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) (taken bool) {
	if m, err := wire.Parse[wire.FederationFetch](body); kind == wire.UrgentFederationFetch && err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.wanted = append(r.wanted, m.Home)
	}
	return true
}
