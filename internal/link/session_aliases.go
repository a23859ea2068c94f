package link

import (
	"math"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// aliasAckEvery bounds how often one alias is acknowledged.
	aliasAckEvery = 50 * time.Millisecond
	// clientAliases is how many of a client's streams a relay remembers, those that came last: a member has a
	// few at a time, and a new alias for each change of its key.
	clientAliases = 64
)

// boundAliases are what the remote's aliases stand for. However many a stream has, it is made once. It is
// pure; its Session locks it. The zero value has none.
//
//	long frame ── announced ──> alias ──> stream     as the packet with the highest counter has it: one that was
//	short frame ── known ─────────^                  overtaken on its way changes nothing
//
// What an alias stood for before is told by the counters, too: a short frame in a packet from before the
// alias was announced is a frame of somebody else.
type boundAliases struct {
	limit   int // of aliases; the one by which no frame came for longest goes
	aliases map[uint16]*boundAlias
	streams map[streamID]*boundStream
}

// streamID tells the streams of a session apart.
type streamID struct {
	kid  wire.KID
	room wire.RoomHash // on peer links
}

// boundStream is a stream, what gets its frames, and how many aliases it has, at least one.
type boundStream struct {
	*Stream
	to      Inbound
	aliases int
}

// boundAlias is what an alias stands for.
type boundAlias struct {
	stream *boundStream
	first  uint64    // counter of the packet that announced it first: short frames come later
	newest uint64    // and of the highest one that did
	used   uint64    // of the highest packet that had a frame by it
	acked  time.Time // when the acknowledgement was last sent
}

// known returns the stream of a short frame in a packet, or nil.
func (b *boundAliases) known(alias uint16, packet uint64) *boundStream {
	e := b.aliases[alias]
	if e == nil || packet < e.first {
		return nil
	}
	e.used = max(e.used, packet)
	return e.stream
}

// announced takes what a long frame in a packet announces. fresh is what to bind if the stream is new; nil:
// it is not known yet. to is nil if it is new and not bound. bound is nil if it is not bound to that alias.
// late: since a newer packet says something else, it must not be.
func (b *boundAliases) announced(
	id streamID, alias uint16, packet uint64, fresh Inbound,
) (to Inbound, bound *boundAlias, late bool) {
	known, e := b.streams[id], b.aliases[alias]
	if to = fresh; known != nil {
		to = known.to
	}
	switch {
	case known != nil && e != nil && e.stream == known:
		e.newest, e.used = max(e.newest, packet), max(e.used, packet)
		return to, e, false
	case e != nil && packet < e.newest:
		return to, nil, true
	case to == nil:
		return nil, nil, false
	}
	return to, b.bind(id, to, alias, packet), false
}

// bind makes an alias stand for a stream, which a packet has announced.
func (b *boundAliases) bind(id streamID, to Inbound, alias uint16, packet uint64) *boundAlias {
	if b.aliases == nil {
		b.aliases, b.streams = make(map[uint16]*boundAlias), make(map[streamID]*boundStream)
	}
	known := b.streams[id]
	if known == nil {
		known = &boundStream{Stream: to.stream(), to: to}
		b.streams[id] = known
	}
	known.aliases++
	b.forget(alias)
	if len(b.aliases) >= b.limit {
		b.forget(b.oldest())
	}
	e := &boundAlias{stream: known, first: packet, newest: packet, used: packet}
	b.aliases[alias] = e
	return e
}

// oldest returns the alias by which no frame came for longest.
func (b *boundAliases) oldest() (oldest uint16) {
	least := uint64(math.MaxUint64)
	for alias, e := range b.aliases {
		if e.used <= least {
			oldest, least = alias, e.used
		}
	}
	return oldest
}

// forget takes away an alias, if it is there, and its stream with its last one.
func (b *boundAliases) forget(alias uint16) {
	e := b.aliases[alias]
	if e == nil {
		return
	}
	delete(b.aliases, alias)
	if e.stream.aliases--; e.stream.aliases == 0 {
		delete(b.streams, streamID{e.stream.KID, e.stream.Room})
	}
}

// media resolves the alias of a media frame and hands it on.
func (s *Session) media(tx *Tx, f wire.Frame) error {
	m := &tx.media
	var err error
	if *m, err = wire.ParseMedia(f); err != nil {
		return err
	}
	var to Inbound
	if m.Long {
		to = s.announced(tx, m)
	} else {
		s.mu.Lock()
		st := s.aliases.known(m.Alias, tx.packet)
		s.mu.Unlock()
		if st != nil {
			to = st.to
			m.KID, m.Room = st.KID, st.Room
			m.CTR = wire.DecodeCounter(uint32(m.CTR), 16, st.next.Load())
		}
	}
	if to == nil {
		s.ep.drops.Add(drops.NotBound, 1)
		return nil
	}
	to.Media(m, tx)
	return nil
}

// announced returns the stream of a long frame, which is bound to its alias if it is not yet; nil: it is
// refused.
func (s *Session) announced(tx *Tx, m *wire.Media) Inbound {
	if m.Tagged != s.peer {
		return nil
	}
	resolve := func(fresh Inbound) (Inbound, *boundAlias, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.aliases.announced(streamID{m.KID, m.Room}, m.Alias, tx.packet, fresh)
	}
	to, bound, late := resolve(nil)
	if to == nil && !late {
		if to = s.handler.Bind(s, m); to != nil {
			to, bound, _ = resolve(to) // another goroutine may have been faster
		}
	}
	if bound != nil {
		s.ackAlias(tx, bound, m.Alias)
	}
	return to
}

// ackAlias tells the remote that we know what alias stands for.
func (s *Session) ackAlias(tx *Tx, bound *boundAlias, alias uint16) {
	s.mu.Lock()
	due := tx.now.Sub(bound.acked) >= aliasAckEvery
	if due {
		bound.acked = tx.now
	}
	s.mu.Unlock()
	if due {
		pair := [1]wire.AliasPair{{Alias: alias, KID: bound.stream.KID}}
		tx.plain = wire.AppendAliasAck(tx.plain[:0], pair[:], true)
		s.transmit(tx, tx.plain)
	}
}
