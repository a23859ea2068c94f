package relay

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/internal/wire"
)

// session is what the relay knows of a link.Session, and handles what comes by it.
type session struct {
	*link.Session
	relay   *Relay
	number  presence.SessionID          // for presence and calls
	joining sync.Mutex                  // held while it joins or opens a line: two may ask at once
	line    bool                        // it is in no room, and will not be; guarded by joining
	member  atomic.Pointer[room.Member] // nil until it has joined
	media   budget.Bucket               // packets
	group   budget.Group                // whose share its media counts in
	records *rate.Limiter               // of reach records
	drops   sessionDrops
}

// group is the room.FanOut of members' sessions.
type group []*link.Session

func newGroup(list []room.Receiver) room.FanOut {
	g := make(group, len(list))
	for i, r := range list {
		g[i] = r.(*link.Session)
	}
	return g
}

// SendMedia implements room.FanOut.
func (g group) SendMedia(tx *link.Tx, but room.Receiver, alias uint16, short, long []byte) (sent int) {
	for i, s := range g {
		if room.Receiver(s) == but {
			link.SendMediaAll(tx, g[:i], alias, short, long)
			link.SendMediaAll(tx, g[i+1:], alias, short, long)
			return len(g) - 1
		}
	}
	link.SendMediaAll(tx, g, alias, short, long)
	return len(g)
}

var _ link.Acceptor = (*Relay)(nil)

// Accept implements link.Acceptor: it holds the limits on sessions.
func (r *Relay) Accept(s *link.Session, remote netip.Addr) (link.AcceptedHandler, *wire.Refused) {
	if r.draining.Load() {
		r.rooms.Drops.Add(drops.Limit, 1)
		return nil, &wire.Refused{Code: wire.CodeShuttingDown}
	}
	net, block := link.AddressNet(remote), link.AddressBlock(remote)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions >= r.config.MaxSessions || r.addresses[block] >= r.config.MaxPerAddress ||
		net != block && r.addresses[net]/sessionsOfNet >= r.config.MaxPerAddress {
		r.rooms.Drops.Add(drops.Limit, 1)
		return nil, &wire.Refused{Code: wire.CodeTooManySessions}
	}
	r.sessions++
	r.countLocked(remote, 1)
	r.stats.accepted.Add(1)
	number := r.lines.next()
	r.federation.Connect(number, s.Identity())
	return &session{Session: s, relay: r, number: number, group: link.AddressGroup(remote),
		records: rate.NewLimiter(recordRate, recordBurst)}, nil
}

// sessionsOfNet is how many times the sessions of one /64 those of a /48 may be, which is one customer.
const sessionsOfNet = 4

// countLocked counts the sessions of an address, and of the network that it is in. The caller holds r.mu.
func (r *Relay) countLocked(remote netip.Addr, n int) {
	net, block := link.AddressNet(remote), link.AddressBlock(remote)
	for _, prefix := range []netip.Prefix{net, block} {
		if r.addresses[prefix] += n; r.addresses[prefix] == 0 {
			delete(r.addresses, prefix)
		}
		if net == block {
			break
		}
	}
}

// Ended implements link.PeerHandler.
func (s *session) Ended(_ *link.Session, code wire.CloseCode) {
	r := s.relay
	r.mu.Lock()
	r.sessions--
	r.countLocked(s.Remote(), -1)
	r.mu.Unlock()
	r.federation.LineEnded(s.number)
	r.federation.Disconnect(s.number)
	r.leave(s, code)
}

// leave removes the session's member from its room, if there is one.
func (r *Relay) leave(s *session, code wire.CloseCode) {
	if m := s.member.Load(); m != nil && m.Leave(time.Now()) {
		r.left(m, code)
	}
}

// left tells whom it concerns of a member who has left.
func (r *Relay) left(m *room.Member, code wire.CloseCode) {
	r.stats.leaves.Add(1)
	log := r.log.With("room", m.Room(), "member", m.ID.String(), "why", code.String())
	if code == wire.CloseLost { // nobody said goodbye: a crash, a dead battery, a network that is gone
		log.Info("lost")
	} else {
		log.Info("left")
	}
	r.notifyRoom(m)
	r.federation.Changed(m.Room())
	r.logLeave(m)
}

// Control implements link.AcceptedHandler.
func (s *session) Control(_ *link.Session, m wire.Message) wire.Message {
	switch m := m.(type) {
	case *wire.Join:
		return s.relay.join(s, m)
	case *wire.Members:
		member := s.member.Load()
		if member == nil {
			return &wire.Refused{Code: wire.CodeProtocol, Reason: "Members before Join"}
		}
		entries, next := member.Page(m.After)
		return &wire.MemberPage{Entries: entries, Next: next}
	case *wire.Available:
		return s.relay.openLine(s, m)
	case *wire.Leave:
		s.End(wire.CloseLeft)
		return nil
	default:
		return &wire.Refused{Code: wire.CodeProtocol, Reason: wire.MessageName(m)}
	}
}

// join puts the session's member into its room, or finds it there.
func (r *Relay) join(s *session, m *wire.Join) wire.Message {
	entry, err := wire.ParseEntry(m.Entry)
	if err != nil {
		return &wire.Refused{Code: wire.CodeEntry, Reason: err.Error()}
	}
	switch {
	case entry.Room != m.Room:
		return &wire.Refused{Code: wire.CodeEntry, Reason: "it is for another room"}
	case entry.Identity != s.Identity():
		return &wire.Refused{Code: wire.CodeEntry, Reason: "it is another identity's"}
	case entry.HomeRelay != r.config.Identity.Public():
		return &wire.Refused{Code: wire.CodeEntry, Reason: "it is for another relay"}
	}
	member, fresh, err := r.enter(s, m)
	if err != nil {
		r.rooms.Drops.Add(drops.Limit, 1)
		return refusal(err)
	}
	if fresh {
		r.entered(s, member, entry)
	}
	if member.ID != wire.EntryID(m.Entry) {
		return &wire.Refused{Code: wire.CodeProtocol, Reason: "the session is in a room already"}
	}
	return &wire.Joined{Room: m.Room, Member: member.ID, Members: uint32(max(1, member.Members()))}
}

// enter makes the session's member, unless it has one. Two of its connections may ask at once.
func (r *Relay) enter(s *session, m *wire.Join) (member *room.Member, fresh bool, err error) {
	s.joining.Lock()
	defer s.joining.Unlock()
	if member := s.member.Load(); member != nil {
		return member, false, nil
	}
	if s.line {
		return nil, false, errLine
	}
	remote := s.Remote()
	from := room.FromAddress(link.AddressNet(remote), link.AddressBlock(remote))
	if member, err = r.rooms.Join(m.Room, m.Entry, from, s.Session, time.Now()); err != nil {
		return nil, false, err
	}
	r.logJoin(member) // before the session's end can log that it left
	s.member.Store(member)
	return member, true, nil
}

// entered tells whom it concerns of a new member.
func (r *Relay) entered(s *session, member *room.Member, entry *wire.MemberEntry) {
	r.stats.joins.Add(1)
	r.log.Info("joined", "room", entry.Room, "member", member.ID.String(), "name", entry.Name, "fingerprint",
		entry.Identity.Fingerprint().String())
	r.notifyRoom(member)
	r.federation.Changed(entry.Room)
	if s.Over() { // it ended meanwhile, and Ended may have seen no member
		r.leave(s, wire.CloseLeft)
	}
}

// Bind implements link.Handler.
func (s *session) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	member := s.member.Load()
	if member == nil {
		return s.relay.federation.LineBind(s.number, m)
	}
	out := room.NewSpeech(m.KID, func() *room.Member { return member }, renewEvery, time.Now())
	if out == nil {
		return nil
	}
	return &speech{Stream: link.Stream{KID: m.KID}, session: s, out: out}
}

// speech is a stream that a member of ours sends.
type speech struct {
	link.Stream
	session *session
	out     *room.Speech
}

// renewEvery is how far apart attempts to renew a stream are, at least.
const renewEvery = 50 * time.Millisecond

// Media implements link.Inbound: the hot path of the relay.
func (t *speech) Media(m *wire.Media, tx *link.Tx) {
	s, r := t.session, t.session.relay
	t.Seen(m.CTR) // of what is dropped, too: or later short frames could not be read
	if !s.media.Take(1, r.config.MediaRate, time.Second, tx.At()) {
		r.rooms.Drops.AddBytes(drops.PacketRate, room.FrameSize(m))
		r.dropped(t, m, drops.PacketRate)
		return
	}
	out := t.out.Received(tx.Now())
	source := out.Source(s.group)
	tx.From(source)
	var local, trunks int
	switch why, to := out.Admit(source, m, tx.At()); why {
	case drops.None:
		s.drops.taken.Add(1)
		local, trunks = out.Forward(to, m, tx, tx.Short, tx.Long, nil)
	case drops.RoomRateToPeers:
		r.notify(s, why)
		local = out.ForwardHere(to, m, tx, tx.Short, tx.Long)
	default:
		r.dropped(t, m, why)
		return
	}
	r.stats.mediaIn.Add(1)
	r.stats.mediaOut.Add(uint64(local))
	if r.events != nil {
		r.logMedia(t, m, local, trunks)
	}
}

// AliasAcked implements link.Handler.
func (s *session) AliasAcked(_ *link.Session, pair wire.AliasPair) {
	if m := s.member.Load(); m != nil {
		m.AliasAcked(pair)
	} else {
		s.relay.federation.LineAliasAcked(s.number, pair)
	}
}

// Urgent implements link.Handler.
func (s *session) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) (accepted bool) {
	switch kind {
	case wire.UrgentLeave:
		s.End(wire.CloseLeft)
	case wire.UrgentMembersWanted:
		m := s.member.Load()
		if m == nil {
			return false // it may have overtaken Join
		}
		m.MembersWanted(time.Now())
	case wire.UrgentAvailable, wire.UrgentRouteWanted:
		return s.lineUrgent(kind, body)
	case wire.UrgentCallMedia:
		if s.member.Load() != nil { // its frames, and the aliases of those that it gets, are a room's
			return true
		}
		fallthrough
	case wire.UrgentCallForward, wire.UrgentCallMessage, wire.UrgentCallEnd, wire.UrgentKeptWanted:
		return s.relay.federation.LineMessage(s.number, s.Session, kind, body)
	case wire.UrgentSenderKey, wire.UrgentKeyWraps, wire.UrgentKeysWanted:
		return s.relay.key(s.member.Load(), kind, body)
	}
	return true // also what came after this version, and what is for clients
}

// key hands a message about sender keys to the room. Only that it came is logged.
func (r *Relay) key(m *room.Member, kind wire.UrgentKind, body []byte) (taken bool) {
	if m == nil {
		return false // it may have overtaken Join
	}
	switch now := time.Now(); kind {
	case wire.UrgentSenderKey:
		taken = m.SenderKey(body, now)
	case wire.UrgentKeyWraps:
		taken = m.KeyWraps(body, now)
	default:
		taken = m.KeysWanted(body, now)
	}
	r.log.Debug("about keys", "kind", kind.String(), "room", m.Room(), "member", m.ID.String(), "bytes",
		len(body), "taken", taken)
	return taken
}
