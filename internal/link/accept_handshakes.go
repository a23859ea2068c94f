package link

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

const (
	// handshakeShare is the part of all handshakes that one proved address may have.
	handshakeShare = 16
	// keptForSessions and keptForPeers are the parts that are added to them: places for addresses from which
	// there are sessions now, and for those of peers. They are taken when there is no other.
	keptForSessions = 8
	keptForPeers    = 16

	maxPeerBlocks = 256         // addresses of peers that are remembered
	knownFor      = time.Second // how long the addresses of sessions are not looked at again
	tellOverflow  = time.Minute // how often it is logged that handshakes are refused
)

// handshakes are the connections before a valid Hello, of one kind of connection. What is in the way of
// newcomers is bounded by prefix: see Places.
type handshakes struct {
	known *knownAddrs
	log   *slog.Logger

	mu              sync.Mutex // guards what follows; no other lock is taken under it
	common          *Places
	sessions, peers *Places
	told            time.Time // when it was logged that some were refused
}

func newHandshakes(limit int, known *knownAddrs, log *slog.Logger) *handshakes {
	part := func(of int) *Places { return NewPlaces(max(1, limit/of), max(1, limit/handshakeShare)) }
	return &handshakes{
		known: known, log: log, common: part(1), sessions: part(keptForSessions), peers: part(keptForPeers),
	}
}

// enter counts one more, and returns what counts it off again, or reports false if there is no place for it.
// The zero Addr is one that is not proved: it is held against nobody.
func (h *handshakes) enter(addr netip.Addr, now time.Time) (leave func(), ok bool) {
	if leave, ok = h.acquire(h.common, addr); ok {
		return leave, true
	}
	if addr.IsValid() {
		if h.known.peer(addr) {
			leave, ok = h.acquire(h.peers, addr)
		}
		if !ok && h.known.session(addr, now) {
			leave, ok = h.acquire(h.sessions, addr)
		}
	}
	if !ok {
		h.tell(now)
	}
	return leave, ok
}

func (h *handshakes) acquire(from *Places, addr netip.Addr) (leave func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !from.Acquire(addr) {
		return nil, false
	}
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		from.Release(addr)
	}), true
}

// tell logs that some are refused, and who has most.
func (h *handshakes) tell(now time.Time) {
	h.mu.Lock()
	if now.Sub(h.told) < tellOverflow {
		h.mu.Unlock()
		return
	}
	h.told = now
	most, held := h.common.MostText()
	taken := h.common.Acquired()
	h.mu.Unlock()
	h.log.Warn("connections are refused: too many do not say who they are",
		"handshakes", taken, "most_from", most, "its_handshakes", held)
}

// total returns how many there are, without those in places that are kept.
func (h *handshakes) total() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.common.Acquired()
}

// all returns how many there are.
func (h *handshakes) all() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.common.Acquired() + h.sessions.Acquired() + h.peers.Acquired()
}

// knownAddrs knows the addresses of sessions, which may have to attach again, and of peers, which may dial
// again.
type knownAddrs struct {
	list func() []*Session

	mu       sync.Mutex // guards what follows; list is called without it
	looked   time.Time
	sessions map[netip.Prefix]struct{}
	peers    map[netip.Prefix]time.Time // when they were last seen; at most maxPeerBlocks
}

// session reports whether somebody with a session was at the address, or in its block, a moment ago.
func (k *knownAddrs) session(addr netip.Addr, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sessions == nil || now.Sub(k.looked) >= knownFor {
		k.looked = now
		k.mu.Unlock()
		blocks := make(map[netip.Prefix]struct{})
		for _, s := range k.list() {
			if s.probe != nil {
				continue
			}
			for _, at := range s.provenAddrs() {
				blocks[AddressBlock(at)] = struct{}{}
			}
		}
		k.mu.Lock()
		k.sessions = blocks
	}
	_, known := k.sessions[AddressBlock(addr)]
	return known
}

// peer reports whether a peer was at the address, or in its block.
func (k *knownAddrs) peer(addr netip.Addr) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, known := k.peers[AddressBlock(addr)]
	return known
}

// addPeer notes where a peer is: one that has proved who it is, or one that is dialled there.
func (k *knownAddrs) addPeer(addr netip.Addr, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.peers == nil {
		k.peers = make(map[netip.Prefix]time.Time)
	}
	k.peers[AddressBlock(addr)] = now
	if len(k.peers) <= maxPeerBlocks {
		return
	}
	var oldest netip.Prefix
	for block, at := range k.peers {
		if !oldest.IsValid() || at.Before(k.peers[oldest]) {
			oldest = block
		}
	}
	delete(k.peers, oldest)
}
