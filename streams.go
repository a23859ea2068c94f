package wzp

import (
	"cmp"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/wire"
)

const (
	// maxStreamsHeld bounds the streams that a relay can make us hold: each is small until it is heard.
	maxStreamsHeld = 4096
	// maxStreamsOfMember bounds those that one member can make, one a publication; the oldest goes.
	maxStreamsOfMember = 16
	// streamTail is how long a stream is still played after its member has left.
	streamTail = 3 * time.Second
	// releaseAfter is when its memory is freed.
	releaseAfter = streamTail + 2*time.Second
	// historyTime is for how long a stream whose member has left is surely remembered: longer than its keys.
	historyTime = 30 * time.Second
)

// Streams returns the streams heard so far of those who are still in the room, in the order of their members' ids.
func (r *Room) Streams() []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*Stream
	for _, streams := range r.streams {
		for _, st := range streams {
			if st.heard.Load() {
				list = append(list, st)
			}
		}
	}
	slices.SortFunc(list, func(a, b *Stream) int {
		return cmp.Or(a.owner.Compare(b.owner), cmp.Compare(a.number, b.number))
	})
	return list
}

// Heard returns every stream that was heard since the room was joined, the first ones first.
func (r *Room) Heard() []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.history)
}

// bind returns what a key id stands for: a stream, which it makes if it is new, under one of its keys; nil: too many.
func (r *Room) bind(kid wire.KID) *keyed {
	if m, known := r.roster.member(kid.Member()); known && m.Outside {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.streamLocked(kid.Member(), kid.Stream())
	if st == nil {
		return nil
	}
	e := &keyed{stream: st, opener: r.keeper.listener.Opener(kid), link: &link.Stream{KID: kid}}
	e.link.Owner = e
	return e
}

// streamLocked returns a member's stream, which it makes if it is new; nil: too many. The caller holds r.mu.
func (r *Room) streamLocked(owner wire.MemberID, number uint8) *Stream {
	if owner == r.id || r.left {
		return nil
	}
	// One that was heard is never made anew: it knows which frames it had, and a relay could play them again.
	for _, list := range [][]*Stream{r.streams[owner], r.history} {
		for _, st := range list {
			if st.owner == owner && st.number == number {
				return st
			}
		}
	}
	st := &Stream{room: r, owner: owner, number: number, member: Member{ID: owner}}
	if !r.holdLocked(st) {
		return nil
	}
	return st
}

// holdLocked adds a stream to those of its member, whose oldest gives way. It reports false when there is no
// room for any. The caller holds r.mu.
func (r *Room) holdLocked(st *Stream) bool {
	id := st.owner
	list := r.streams[id]
	if len(list) >= maxStreamsOfMember {
		oldest := list[0]
		oldest.over.Store(true)
		r.evicted = append(r.evicted, oldest)
		r.keeper.stir()
		r.releaseLaterLocked(oldest)
		list = slices.Clone(list[1:])
		r.held--
	}
	if r.held >= maxStreamsHeld {
		return false
	}
	r.streams[id] = append(list, st)
	r.held++
	return true
}

// remember keeps a stream in the room's history: what is not there could be played again. When the history is full, those
// give way whose member left so long ago that none of its keys is held; if there is none, it reports false.
func (r *Room) remember(st *Stream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.history, st) {
		return true
	}
	if len(r.history) >= maxStreamsHeld {
		i := slices.IndexFunc(r.history, func(old *Stream) bool {
			at := time.Duration(old.leftAt.Load())
			return at != 0 && r.now()-at > historyTime
		})
		if i < 0 {
			return false
		}
		r.history = slices.Delete(r.history, i, i+1)
	}
	r.history = append(r.history, st)
	return true
}

// forgetStreams lets the streams of a member go, once what is buffered has been played.
func (r *Room) forgetStreams(m Member) {
	for _, st := range r.forgottenStreams(m) {
		st.dropHeld()
	}
}

func (r *Room) forgottenStreams(m Member) []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.streams[m.ID]
	delete(r.streams, m.ID)
	r.held -= len(list)
	for _, st := range list {
		st.leftAt.Store(max(1, int64(r.now())))
		r.releaseLaterLocked(st)
	}
	r.roster.mu.Lock()
	defer r.roster.mu.Unlock()
	for _, st := range list {
		st.member = m
	}
	return list
}

// releaseLaterLocked frees what a stream needs, unless it is heard again before. The caller holds r.mu.
func (r *Room) releaseLaterLocked(st *Stream) {
	if !st.heard.Load() || r.left {
		return
	}
	leftAt := st.leftAt.Load()
	r.wg.Go(func() {
		timer := time.NewTimer(releaseAfter)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.ctx.Done():
			return
		}
		if st.leftAt.Load() == leftAt {
			st.release()
		}
	})
}

// revive makes a stream sound again that comes in though its member had left, if the member is back.
func (r *Room) revive(st *Stream) {
	if _, here := r.roster.member(st.owner); !here {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if st.gone() && !st.over.Load() && !r.left && r.holdLocked(st) {
		st.leftAt.Store(0)
	}
}

// closeStreams ends all streams.
func (r *Room) closeStreams() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.streams {
		for _, st := range list {
			st.over.Store(true)
		}
	}
}
