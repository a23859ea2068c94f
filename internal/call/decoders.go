package call

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/jitter"
	"github.com/wzp-voice/wzp/internal/opus"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// maxLive bounds the streams that are decoded at once, each some 310 KiB.
	maxLive = 64
	// restAfter is how long a stream is silent before its decoder is given up: longer than sound is buffered.
	restAfter = 5 * time.Second
)

// soundLocked gives a packet to a stream's player, which is made if there is something to be heard.
func (h *hearing) soundLocked(st *Stream, packet jitter.Packet, at time.Duration, n *news) {
	player := st.player.Load()
	if player == nil && !packet.Silence {
		player = h.startPlayerLocked(st, packet.Counter, n)
	}
	if !packet.Silence {
		st.sounded = h.clock.now()
		st.storeLocked(packet.Payload)
	}
	if player == nil {
		st.past.Received++
		st.missedLocked(packet.Counter)
		if !packet.Silence {
			st.unheard++
			h.unheard++
		}
		return
	}
	if !st.fec && !packet.Silence && hasFEC(packet.Payload) {
		// The next packet must be there when one is missing.
		st.fec, st.minDelay = true, packet.Duration+minDelay
		player.SetMinDelay(st.minDelay)
	}
	st.next = max(st.next, packet.Counter+1)
	player.Put(packet, at)
}

// startPlayerLocked makes a stream live with the first frame that sounds; nil: it cannot be.
func (h *hearing) startPlayerLocked(st *Stream, ctr uint64, n *news) *jitter.Player {
	if !h.makePlaceLocked(st) {
		if !h.crowded {
			h.crowded = true
			m, _ := h.roster.member(st.owner)
			n.events = append(n.events, Warning{
				Code: WarnCrowd, Member: m.Member,
				Text: called(m.Member) + " is not heard: more than 64 talk at once",
			})
		}
		return nil
	}
	st.missedLocked(ctr)
	player := jitter.New(playDecoder{st.newDecoder()}, jitter.Config{
		MinDelay: st.minDelay, StartDelay: st.delay, Past: st.past,
	})
	st.player.Store(player)
	h.live = append(h.live, st)
	return player
}

// newDecoder returns a decoder that goes on where the one before it ended.
func (st *Stream) newDecoder() *opus.Decoder {
	decoder := opus.NewDecoder()
	scratch := make([]float32, opus.MaxPacketSamples)
	for _, packet := range st.last {
		if len(packet) > 0 {
			_, _ = decoder.Decode(scratch, packet) // if it fails the next ones sound a little worse
		}
	}
	return decoder
}

// makePlaceLocked finds a place among those that are live: a free one; that of a stream silent for restAfter;
// the newest of a member that has two more than this one. Otherwise those who sound go on, and who came last
// is not heard. So nobody who comes takes anything from who talks, and one member with many streams no place
// that another wants.
func (h *hearing) makePlaceLocked(st *Stream) bool {
	if len(h.live) < maxLive {
		return true
	}
	h.releaseSilentLocked(h.clock.now())
	if len(h.live) < maxLive {
		return true
	}
	count := make(map[wire.MemberID]int, len(h.live))
	for _, o := range h.live {
		count[o.owner]++
	}
	var most *Stream // the newest of who has most
	for _, o := range h.live {
		if most == nil || count[o.owner] >= count[most.owner] {
			most = o
		}
	}
	if count[most.owner] < count[st.owner]+2 {
		return false
	}
	h.releaseLocked(most)
	return true
}

// releaseSilentLocked frees the players of those that are silent, or were played to the end.
func (h *hearing) releaseSilentLocked(now time.Duration) {
	for _, st := range slices.Clone(h.live) {
		if now-st.sounded > restAfter || st.retired.Load() && now-st.retiredAt > releaseAfter {
			h.releaseLocked(st)
		}
	}
}

// releaseLocked frees a stream's decoder and jitter buffer.
func (h *hearing) releaseLocked(st *Stream) {
	p := st.player.Swap(nil)
	st.past = p.Stats()
	st.delay = p.Learned()
	h.live = slices.DeleteFunc(h.live, func(o *Stream) bool { return o == st })
}
