package federation

import (
	"time"

	"github.com/wzp-voice/wzp/internal/room"
	"github.com/wzp-voice/wzp/wire"
)

const (
	// aliasRest is how long a freed alias is not used for another stream: frames under way may still carry it.
	aliasRest = 5 * time.Second
	// aliasIdle is how long a stream may be silent and keep its alias. A talker's key changes make a new stream each,
	// so a link would run out of aliases for streams that nobody uses any more.
	aliasIdle = 30 * time.Second
	// aliasSweep is how far apart looks for aliases to free are, at least.
	aliasSweep = time.Second
	// aliasAhead is how far a stream's CTR may move between two frames that both travel short. Their 16 bits
	// stand for the value nearest to the last one, so after a greater step the peer has to acknowledge it again. A
	// stream that went another way for some minutes makes one when it comes back.
	aliasAhead = 1 << 14
	// localAliases is how many aliases of a link are kept for local talkers.
	localAliases = wire.MaxAliases / 4
	// aliasBarred is how long whose talkers got no alias get none: looking for one is work.
	aliasBarred = 100 * time.Millisecond
)

// ingress is what a stream comes by: the trunk of another link, or nil for local talkers. It is comparable. Whoever is
// behind a link may make up members, homes and streams, but not links, so aliases are shared out by those.
type ingress = room.Trunk

// outStream is a stream of a room as a trunk sees it. It is room.Stream.
type outStream interface {
	KID() wire.KID
	Room() wire.RoomHash
	Dropped() bool
}

// aliasTable gives the streams that go over one link their aliases, the lowest first, for those below 28 travel
// shortest. When all are taken, whoever has most gives one to others. The zero value is empty. It is pure and has no
// clock; its trunk locks it.
//
//	 0                                                   4095
//	+---------------------------------------+-----------------+
//	| local talkers, and those of each link | local ones only |   in any order, not by number
//	+---------------------------------------+-----------------+
type aliasTable struct {
	used    map[outStream]uint16
	entries []aliasEntry // by alias; at most wire.MaxAliases
	swept   time.Time
	barred  map[ingress]time.Time // who got no alias lately, until when
}

// aliasEntry is what an alias stands for.
type aliasEntry struct {
	stream outStream // nil: free
	from   ingress   // of the stream, or of the one before
	known  bool      // the peer has acknowledged it
	ctr    uint64    // of the frame sent last
	at     time.Time // when that was; of a free one, when it was freed
}

// counts reports whether the alias is not to be had, for it is used or rests.
func (e *aliasEntry) counts(now time.Time) bool { return e.stream != nil || now.Sub(e.at) < aliasRest }

// of returns the alias of a stream, which it gets if it has none yet, and whether its frame with this CTR may
// travel short. ok is false if there is no alias for it.
func (t *aliasTable) of(st outStream, ctr uint64, from ingress, now time.Time) (alias uint16, short, ok bool) {
	alias, found := t.used[st]
	if !found {
		if alias, ok = t.assign(st, from, now); !ok {
			return 0, false, false
		}
		t.entries[alias].ctr = ctr
	}
	e := &t.entries[alias]
	near := ctr-e.ctr+aliasAhead < 2*aliasAhead
	e.known = e.known && near && now.Sub(e.at) < aliasIdle
	e.ctr, e.at = ctr, now
	return alias, e.known, true
}

// assign gives a stream the lowest alias that is free and has rested, or else one that another has to give.
func (t *aliasTable) assign(st outStream, from ingress, now time.Time) (alias uint16, ok bool) {
	if until, barred := t.barred[from]; barred && now.Before(until) {
		return 0, false
	}
	t.sweep(now)
	if alias, ok = t.free(from, now); !ok {
		alias, ok = t.take(from, now)
	}
	if !ok {
		t.bar(from, now)
		return 0, false
	}
	if t.used == nil {
		t.used = make(map[outStream]uint16)
	}
	t.entries[alias] = aliasEntry{stream: st, from: from, at: now}
	t.used[st] = alias
	return alias, true
}

// free returns the lowest alias that is free, unless only local talkers may have it.
func (t *aliasTable) free(from ingress, now time.Time) (alias uint16, ok bool) {
	lowest, others := -1, 0
	for i := range t.entries {
		switch e := &t.entries[i]; {
		case !e.counts(now):
			if lowest < 0 {
				lowest = i
			}
		case e.from != nil:
			others++
		}
	}
	if from != nil && others >= wire.MaxAliases-localAliases {
		return 0, false
	}
	if lowest < 0 && len(t.entries) < wire.MaxAliases {
		lowest = len(t.entries)
		t.entries = append(t.entries, aliasEntry{})
	}
	return uint16(max(lowest, 0)), lowest >= 0
}

// share is what has come by one ingress of what an aliasTable holds.
type share struct {
	aliases int
	oldest  int // the one that was used, or freed, before all others
}

// take takes an alias away from who has most: the one that was silent for longest. What its frames under way may lose is
// theirs. Who has most itself only gets what was silent for aliasRest, or its streams would take each other's in turn.
func (t *aliasTable) take(from ingress, now time.Time) (alias uint16, ok bool) {
	shares := t.shares(now)
	most, found := from, false
	for who, s := range shares {
		if who == nil && s.aliases <= localAliases {
			continue // those are the local talkers' own
		}
		if !found || s.aliases > shares[most].aliases || s.aliases == shares[most].aliases && who == from {
			most, found = who, true
		}
	}
	if !found {
		return 0, false
	}
	own := 0
	if s := shares[from]; s != nil {
		own = s.aliases
	}
	e := &t.entries[shares[most].oldest]
	if shares[most].aliases <= own+1 && from != nil && most != from {
		return 0, false
	}
	if most == from && now.Sub(e.at) < aliasRest {
		return 0, false
	}
	delete(t.used, e.stream)
	return uint16(shares[most].oldest), true
}

// shares counts who has which aliases, those that rest included: else who changes streams fast enough would have all.
func (t *aliasTable) shares(now time.Time) map[ingress]*share {
	shares := make(map[ingress]*share)
	for i := range t.entries {
		e := &t.entries[i]
		if !e.counts(now) {
			continue
		}
		s := shares[e.from]
		if s == nil {
			s = &share{oldest: i}
			shares[e.from] = s
		}
		s.aliases++
		if e.at.Before(t.entries[s.oldest].at) {
			s.oldest = i
		}
	}
	return shares
}

// bar notes that there is no alias for who comes by an ingress.
func (t *aliasTable) bar(from ingress, now time.Time) {
	if t.barred == nil {
		t.barred = make(map[ingress]time.Time)
	}
	for who, until := range t.barred {
		if !now.Before(until) {
			delete(t.barred, who)
		}
	}
	t.barred[from] = now.Add(aliasBarred)
}

// sweep frees the aliases of streams that are dropped, or were silent for long. It looks once a second at most.
func (t *aliasTable) sweep(now time.Time) {
	if now.Sub(t.swept) < aliasSweep {
		return
	}
	t.swept = now
	for i := range t.entries {
		if e := &t.entries[i]; e.stream != nil && (e.stream.Dropped() || now.Sub(e.at) >= aliasIdle) {
			delete(t.used, e.stream)
			*e = aliasEntry{from: e.from, at: now}
		}
	}
}

// acked notes that the peer knows what an alias stands for, if it still stands for that.
func (t *aliasTable) acked(pair wire.AliasPair) {
	if int(pair.Alias) >= len(t.entries) {
		return
	}
	if e := &t.entries[pair.Alias]; e.stream != nil && e.stream.KID() == pair.KID {
		e.known = true
	}
}
