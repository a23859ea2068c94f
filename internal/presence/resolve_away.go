package presence

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// awayHopsFor is how long the way to a device that is away is known for forwards, after it was found.
const awayHopsFor = time.Minute

// learnAway notes a device that is away, which a peer has told of. It counts while nobody is found who can be
// called, and then the newest does.
func (r *Resolver) learnAway(f identity.Fingerprint, p place) {
	old, known := r.aways.get(f)
	if known && old.sequence > p.sequence && p.at.Sub(old.at) < knownFor {
		return
	}
	if known && old.record != nil && string(old.record) == string(p.record) {
		p.chains = addChain(slices.Clone(old.chains), p.chains[0], r.nearer)
	}
	r.aways.put(f, &p)
}

// away returns the newest device that is away and that an asker may know of, and the chain to it.
func (r *Resolver) away(f identity.Fingerprint, a *asker, now time.Time) (record []byte, chain []wire.RelayID,
	ok bool) {
	word := Mesh
	if !a.own() {
		word = r.directory.WordOf(a.by.Peer)
	}
	if word == None || word == Peer && len(a.path) > 1 || a.left < 0 || slices.Contains(a.path, r.self) {
		return nil, nil, false
	}
	record, sequence := r.directory.Away(f, now)
	p, known := r.aways.get(f)
	if known && word == Mesh && p.sequence > sequence && now.Sub(p.at) < knownFor && p.usable(now) {
		if c, ok := r.chain(a, p); ok && !r.silent[c[0]] {
			return p.record, append([]wire.RelayID{r.self}, c...), true
		}
	}
	return record, []wire.RelayID{r.self}, record != nil
}

// tellNobodyHere says to an asker that nobody was found who can be called, or which device is away.
func (r *Resolver) tellNobodyHere(f identity.Fingerprint, a *asker, unsure bool, now time.Time) {
	if record, chain, ok := r.away(f, a, now); ok && !a.own() && len(a.told) == 0 {
		r.count(a, answerAway)
		r.respond(a, &wire.Located{Found: wire.FoundAway, Of: 1, Chain: chain, Record: record})
		return
	}
	r.tellNobody(f, a, unsure, now)
}
