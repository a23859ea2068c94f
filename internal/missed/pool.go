package missed

import (
	"slices"

	"github.com/wzp-voice/wzp/internal/budget"
	"github.com/wzp-voice/wzp/internal/share"
)

// Holder is who takes places: of a peer link or an address block, and who behind it.
type Holder struct {
	Group budget.Group
	Who   uint64
}

// path is in whose shares a holder's places count. Of IPv6 a customer has a /48.
func (h Holder) path() []Holder {
	if g := &h.Group; g.Address && g.ID>>32 != 0 {
		g.ID = g.ID >> 16 << 16
	}
	return []Holder{{Group: h.Group}, h}
}

// pool is a number of places, shared max-min fairly by holders. It has to know how many: the rest is ready.
type pool[T comparable] struct {
	most int
	tree share.Tree[Holder]
	held map[*share.Group[Holder]][]T // the oldest first
}

// place is one that is taken.
type place struct{ holder *share.Group[Holder] }

func (p *pool[T]) total() int { return p.tree.Total() }

// full reports whether no place is free, and whose is to be given to a holder then: the oldest of whoever
// holds most. gives is nothing if that is the holder itself, which has its share.
func (p *pool[T]) full(path []Holder) (gives T, full bool) {
	if p.tree.Total() < p.most {
		return gives, false
	}
	own, ok := p.tree.Ask(path)
	if own || !ok {
		return gives, true
	}
	for leaf, list := range p.held {
		if p.tree.Yields(leaf) {
			return list[0], true
		}
	}
	return gives, true
}

// add gives a holder a place.
func (p *pool[T]) add(path []Holder, at *place, one T) {
	at.holder = p.tree.Add(path)
	if p.held == nil {
		p.held = make(map[*share.Group[Holder]][]T)
	}
	p.held[at.holder] = append(p.held[at.holder], one)
}

// remove takes a place back.
func (p *pool[T]) remove(at *place, one T) {
	left := slices.DeleteFunc(p.held[at.holder], func(o T) bool { return o == one })
	if p.held[at.holder] = left; len(left) == 0 {
		delete(p.held, at.holder)
	}
	p.tree.Remove(at.holder)
}
