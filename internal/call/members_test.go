package call

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/simnet"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	onlookersPerHost = 50
	// packetBytes is what a sealed packet has beside its frames, headers of IP and UDP included; keyBytes
	// what a packet with a sender key or with wraps has at least, and none of the reports and
	// acknowledgements of who is muted.
	packetBytes = 28 + 6 + 12
	keyBytes    = packetBytes + 70
	// signedBytes is a sender key alone: frame 4, recipients at most 2, header 71 to 78, signature 64; a ping
	// may ride in front.
	signedBytes = packetBytes + 4 + 2 + 78 + 64 + 10
	// wrapBytes is a message with one wrap of a ratcheted key: frame 4, number and size 5, id 6.
	wrapBytes = packetBytes + 4 + 5 + 6 + wire.WrapRatcheted + 10
)

// audience are members of a room who only listen, in no more than receiving: a thousand of them fit into a
// test.
//
//	person, a real client, talks ── rate-limited uplink ── relay ── link.Client of each onlooker: notes keys, counts frames
type audience struct {
	l         *lab
	room      string
	joinKey   [32]byte // nobody opens what is wrapped for it
	endpoints []*link.Endpoint
	members   []*onlooker
}

// onlooker is one of them.
type onlooker struct {
	client *link.Client
	id     wire.MemberID

	mu     sync.Mutex                // guards what follows
	keys   map[wire.MemberID]keyNews // the newest, by talker
	frames map[wire.MemberID]heardFrames
}

// heardFrames says how media of a talker came.
type heardFrames struct {
	n     int
	last  time.Time
	pause time.Duration // the longest between two of them
}

// keyNews is a key that came.
type keyNews struct {
	number     uint32
	generation uint8
	at         time.Time
}

// newAudience brings n onlookers into a room.
func (l *lab) newAudience(room string, n int) *audience {
	l.t.Helper()
	c := &audience{l: l, room: room}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	c.joinKey = [32]byte(key.PublicKey().Bytes())
	for len(c.endpoints)*onlookersPerHost <= n { // one more may join later
		c.addHost()
	}
	c.members = make([]*onlooker, n)
	var wg sync.WaitGroup
	for host := range c.endpoints {
		wg.Go(func() {
			for i := host * onlookersPerHost; i < min(n, (host+1)*onlookersPerHost); i++ {
				c.members[i] = c.dial(host)
			}
		})
	}
	wg.Wait()
	if l.t.Failed() {
		l.t.FailNow()
	}
	return c
}

// addHost adds a machine with many onlookers. No two are equally far away, so that their answers do not come
// all at once.
func (c *audience) addHost() {
	host := byte(len(c.endpoints))
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 2, host}), 5000)
	far := simnet.Profile{Delay: 20*time.Millisecond + time.Duration(host)*200*time.Microsecond}
	if err := c.l.net.SetPaths(addr.Addr(), relayAddr.Addr(), far); err != nil {
		c.l.t.Fatal(err)
	}
	ep, err := link.NewEndpoint(c.l.mux(addr), link.Config{Identity: newIdentity(100 + host),
		Version: "onlooker"})
	if err != nil {
		c.l.t.Fatal(err)
	}
	c.l.t.Cleanup(func() { ep.Close() })
	c.endpoints = append(c.endpoints, ep)
}

// dial has one join.
func (c *audience) dial(host int) *onlooker {
	o := &onlooker{keys: make(map[wire.MemberID]keyNews), frames: make(map[wire.MemberID]heardFrames)}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	o.client, err = c.endpoints[host].Dial(ctx, link.ClientConfig{
		Resolve:    func(context.Context) (netip.AddrPort, error) { return relayAddr, nil },
		CheckRelay: func(identity.PublicKey) error { return nil },
		Join: func(relay identity.PublicKey) (*wire.Join, error) {
			id := newIdentity(100 + byte(host))
			entry := wire.MemberEntry{Room: c.room, HomeRelay: relay, Identity: id.Public(),
				JoinKey: c.joinKey}
			rand.Read(entry.Commitment[:])
			b, err := wire.SignEntry(id, entry)
			o.id = wire.EntryID(b)
			return &wire.Join{Room: c.room, Entry: b}, err
		},
	})
	if err != nil {
		c.l.t.Error(err)
	} else {
		o.client.Start(o)
	}
	return o
}

// join brings one more.
func (c *audience) join() *onlooker {
	o := c.dial(len(c.endpoints) - 1)
	if c.l.t.Failed() {
		c.l.t.FailNow()
	}
	c.members = append(c.members, o)
	return o
}

// leave has the first one leave, and returns when.
func (c *audience) leave() time.Time {
	c.l.t.Helper()
	first := c.members[0]
	c.members = c.members[1:]
	at := time.Now()
	if err := first.client.Close(); err != nil {
		c.l.t.Error(err)
	}
	return at
}

// generation returns that of a talker's newest key which all of the crowd have; ok is false if there is none.
func (c *audience) generation(talker wire.MemberID) (generation uint8, newest time.Time, ok bool) {
	for i, o := range c.members {
		key, has := o.key(talker)
		if !has || i > 0 && key.generation != generation {
			return 0, time.Time{}, false
		}
		generation = key.generation
		if key.at.After(newest) {
			newest = key.at
		}
	}
	return generation, newest, len(c.members) > 0
}

// settle waits until all have keys of one generation of each talker, other than the one before, if there was
// one, and returns when the last of them came.
func (c *audience) settle(talkers []*person, limit time.Duration, before []uint8) (generations []uint8,
	last time.Time) {
	c.l.t.Helper()
	for i, p := range talkers {
		var generation uint8
		var newest time.Time
		c.l.eventually(fmt.Sprintf("all of %d have talker %d's key", len(c.members), i), limit, func() bool {
			var ok bool
			generation, newest, ok = c.generation(p.room.ID())
			return ok && (before == nil || generation != before[i])
		})
		generations = append(generations, generation)
		if newest.After(last) {
			last = newest
		}
	}
	return generations, last
}

// Bind implements link.Handler.
func (o *onlooker) Bind(_ *link.Session, m *wire.Media) link.Inbound {
	return link.InboundFunc(m, o.media)
}

func (o *onlooker) media(st *link.Stream, m *wire.Media, _ *link.Tx) {
	st.Seen(m.CTR)
	o.mu.Lock()
	defer o.mu.Unlock()
	h, now := o.frames[m.KID.Member()], time.Now()
	if !h.last.IsZero() {
		h.pause = max(h.pause, now.Sub(h.last))
	}
	h.n, h.last = h.n+1, now
	o.frames[m.KID.Member()] = h
}

// AliasAcked implements link.Handler.
func (o *onlooker) AliasAcked(*link.Session, wire.AliasPair) {}

// Urgent implements link.Handler.
func (o *onlooker) Urgent(_ *link.Session, kind wire.UrgentKind, body []byte) bool {
	if kind != wire.UrgentKey {
		return true
	}
	key, err := wire.Parse[wire.Key](body)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil && key.Key.Number > o.keys[key.Sender].number {
		o.keys[key.Sender] = keyNews{key.Key.Number, key.Key.Epoch >> 4, time.Now()}
	}
	return true
}

// Opened implements link.ClientHandler.
func (o *onlooker) Opened(*link.Session) link.Handler { return o }

// Attached implements link.ClientHandler.
func (o *onlooker) Attached(*wire.Joined, bool) {}

// Detached implements link.ClientHandler.
func (o *onlooker) Detached(string) {}

func (o *onlooker) key(talker wire.MemberID) (keyNews, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key, ok := o.keys[talker]
	return key, ok
}

// heard returns what came of a talker since the last call.
func (o *onlooker) heard(talker wire.MemberID) heardFrames {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.frames[talker]
	o.frames[talker] = heardFrames{last: h.last}
	return h
}

// uplinks counts what talkers send.
type uplinks struct {
	mu    sync.Mutex // guards what follows
	bytes map[netip.AddrPort]int
}

// count counts packets with keys from now on. Nobody may talk meanwhile.
func (l *lab) count() *uplinks {
	u := &uplinks{bytes: make(map[netip.AddrPort]int)}
	l.net.SetTap(func(from, to netip.AddrPort, payload []byte, _ bool) {
		if to != relayAddr || len(payload) == 0 || payload[0] >= 0x40 || len(payload)+28 < keyBytes {
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.bytes[from] += len(payload) + 28
	})
	return u
}

// take returns what one talker has sent since the last call.
func (u *uplinks) take(p *person) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := u.bytes[p.addr]
	delete(u.bytes, p.addr)
	return n
}

// steady is a Source of the same tone for as long as is wanted.
type steady struct{ samples }

func newSteady() *steady { return &steady{samples{pcm: tone(audio.SampleRate / 48_000 * time.Second)}} }

func (s *steady) ReadFrame(ctx context.Context, dst []float32) (int, error) {
	if s.start.IsZero() {
		s.start = time.Now()
	}
	for i := range dst {
		dst[i] = s.pcm[(s.read+i)%len(s.pcm)]
	}
	s.read += len(dst)
	select {
	case <-time.After(time.Until(s.start.Add(time.Duration(s.read) * time.Second / audio.SampleRate))):
		return len(dst), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// talkers brings real clients into the crowd's room, whose microphones are armed and whose uplinks have a
// rate (0: any).
func (l *lab) talkers(room string, n int, uplink int64, config PublishConfig) (list []*person,
	said []*Publication) {
	l.t.Helper()
	for i := range n {
		p := l.person(fmt.Sprint("talker ", i))
		p.uplink(uplink)
		if err := p.joinSilently(room); err != nil {
			l.t.Fatal(err)
		}
		list, said = append(list, p), append(said, p.say(newSteady(), config))
	}
	return list, said
}

// joinSilently joins a room and plays nothing.
func (p *person) joinSilently(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	room, err := p.client.Join(ctx, name, p.config)
	if err != nil {
		return err
	}
	p.room = room
	p.wg.Go(func() {
		for range room.Events() {
		}
	})
	return nil
}

// TestCostOfJoinAndLeave: on each talker's uplink a join costs one header and one wrap, however many are
// there, and a leave at most 80 bytes a member beside one signature, headers of IP, UDP and the sealed packet
// included.
func TestCostOfJoinAndLeave(t *testing.T) {
	members := 50
	if measuring {
		members = 1000
	}
	const talking = 5
	inLab(t, func(l *lab) {
		c := l.newAudience("r", members-talking)
		talkers, _ := l.talkers("r", talking, 0, PublishConfig{PushToTalk: true})
		before, _ := c.settle(talkers, time.Minute, nil)
		time.Sleep(10 * time.Second)
		up := l.count()

		newcomer := c.join()
		at := time.Now()
		for i, p := range talkers {
			l.eventually("the newcomer has a key", 10*time.Second, func() bool {
				_, ok := newcomer.key(p.room.ID())
				return ok
			})
			t.Logf("talker %d: the newcomer has its key after %v", i, time.Since(at).Round(time.Millisecond))
		}
		time.Sleep(10 * time.Second)
		for i, p := range talkers {
			cost := up.take(p)
			t.Logf("talker %d: a join into a room of %d costs %d bytes", i, members, cost)
			if cost == 0 || cost > signedBytes+wrapBytes {
				t.Errorf("talker %d: a join costs %d bytes, want at most %d and one wrap", i, cost,
					signedBytes)
			}
		}

		left := c.leave()
		_, last := c.settle(talkers, time.Minute, before)
		t.Logf("all of %d have the fresh keys of %d talkers %v after a leave", members, talking,
			last.Sub(left).Round(time.Millisecond))
		time.Sleep(10 * time.Second)
		for i, p := range talkers {
			cost := up.take(p)
			a := float64(cost-signedBytes) / float64(members)
			t.Logf("talker %d: a leave costs %d bytes, %.1f a member beside the signature", i, cost, a)
			if a > 80 || cost < 60*members {
				t.Errorf("talker %d: a leave costs %d bytes, want at most %d and 80 for each of %d members",
					i, cost, signedBytes, members)
			}
		}
	})
}

// uplink limits what somebody can send.
func (p *person) uplink(rate int64) {
	p.lab.t.Helper()
	limited := simnet.Profile{Delay: 20 * time.Millisecond, Rate: rate}
	if err := p.lab.net.SetPath(p.addr.Addr(), relayAddr.Addr(), limited); err != nil {
		p.lab.t.Fatal(err)
	}
}

// TestMediaDuringKeys: while a talker hands out a fresh key over 1 Mbit/s, three quarters of its media still
// arrive.
func TestMediaDuringKeys(t *testing.T) {
	members, talking := 50, 5
	config := PublishConfig{NoDTX: true, FrameDuration: 20 * time.Millisecond}
	if measuring {
		members, config.FrameDuration = 1000, 60*time.Millisecond // a fan-out of 5000 packets at a time
	}
	inLab(t, func(l *lab) {
		c := l.newAudience("r", members-talking)
		talkers, _ := l.talkers("r", talking, 1_000_000, config)
		before, _ := c.settle(talkers, 2*time.Minute, nil)
		time.Sleep(3 * time.Second)

		ear := c.members[len(c.members)-1]
		for _, p := range talkers {
			ear.heard(p.room.ID())
		}
		left := c.leave()
		_, last := c.settle(talkers, 2*time.Minute, before)
		took := time.Since(left)
		t.Logf("all of %d have the fresh keys of %d talkers %v after a leave", members, talking,
			last.Sub(left).Round(time.Millisecond))
		for i, p := range talkers {
			came := ear.heard(p.room.ID())
			share := float64(came.n) / (took.Seconds() / config.FrameDuration.Seconds())
			t.Logf("talker %d: %.0f %% of its media arrived meanwhile, the longest pause was %v", i,
				100*share, came.pause.Round(time.Millisecond))
			if share < 0.75 {
				t.Errorf("talker %d: only %.0f %% of its media arrived", i, 100*share)
			}
		}
	})
}

// TestLeaveReachesEverybody measures how long a fresh key takes to everybody, by room size and the talker's
// uplink.
func TestLeaveReachesEverybody(t *testing.T) {
	sizes := []int{20}
	if measuring {
		sizes = []int{10, 20, 50, 75, 100, 150, 200, 500, 1000}
	}
	narrow := PublishConfig{Bitrate: 6000, FrameDuration: 60 * time.Millisecond, NoDTX: true}
	wide := PublishConfig{NoDTX: true}
	for _, path := range []struct {
		name  string
		rate  int64
		muted bool
		PublishConfig
	}{
		{"16 kbit/s, talking", 16_000, false, narrow},
		{"16 kbit/s, muted", 16_000, true, narrow},
		{"1 Mbit/s, talking", 1_000_000, false, wide},
	} {
		for _, members := range sizes {
			t.Run(fmt.Sprintf("%s, %d members", path.name, members), func(t *testing.T) {
				inLab(t, func(l *lab) {
					leaveReachesEverybody(l, members, path.rate, path.muted,
						path.PublishConfig)
				})
			})
		}
	}
}

func leaveReachesEverybody(l *lab, members int, rate int64, muted bool, config PublishConfig) {
	c := l.newAudience("r", members-1)
	config.PushToTalk = true
	talkers, said := l.talkers("r", 1, 0, config)
	before, _ := c.settle(talkers, time.Minute, nil)
	time.Sleep(90 * time.Second) // until what was learned of the path is forgotten
	talkers[0].uplink(rate)
	said[0].SetTalking(!muted)
	time.Sleep(15 * time.Second)

	ear, id := c.members[len(c.members)-1], talkers[0].room.ID()
	ear.heard(id)
	left := c.leave()
	_, last := c.settle(talkers, 10*time.Minute, before)
	took := time.Since(left)
	came := ear.heard(id)
	l.t.Logf("all have the fresh key after %.1f s; %d of %.0f frames arrived meanwhile, the longest pause "+
		"was %v", last.Sub(left).Seconds(),
		came.n, took.Seconds()/max(config.FrameDuration, 20*time.Millisecond).Seconds(),
		came.pause.Round(time.Millisecond))
	if members <= 20 && last.Sub(left) > 10*time.Second {
		l.t.Errorf("a leave reached all of %d only after %v", members, last.Sub(left))
	}
}
