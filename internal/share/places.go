package share

import (
	"iter"
	"slices"
)

// Places is a number of places, shared by holders, of which each stands for something. What is displaced is
// up to the owner: it is told who gives way. The zero value has none; set Most.
type Places[K, T comparable] struct {
	Most int

	tree Tree[K]
	held map[*Group[K]][]T // the oldest first
}

// Place is one that is taken, or none: the zero value.
type Place[K comparable] struct{ holder *Group[K] }

// Taken reports whether it is one.
func (p *Place[K]) Taken() bool { return p.holder != nil }

// Total returns how many are taken.
func (p *Places[K, T]) Total() int { return p.tree.Total() }

// Holders returns how many have some.
func (p *Places[K, T]) Holders() int { return len(p.held) }

// All returns what the places stand for. Meanwhile none may be added; what is removed is not met any more.
func (p *Places[K, T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, list := range p.held {
			for _, one := range slices.Clone(list) {
				if !yield(one) {
					return
				}
			}
		}
	}
}

// Full reports whether no place is free, and whose is to be given to a holder then: the oldest of whoever
// holds most. own: that is the holder itself, which has its share. gives is nothing if nobody gives way.
func (p *Places[K, T]) Full(path []K) (gives T, own, full bool) {
	if p.tree.Total() < p.Most {
		return gives, false, false
	}
	own, ok := p.tree.Ask(path)
	if !ok {
		return gives, false, true
	}
	for leaf, list := range p.held {
		if p.tree.Yields(leaf) {
			return list[0], own, true
		}
	}
	return gives, own, true
}

// Add gives a holder a place.
func (p *Places[K, T]) Add(path []K, at *Place[K], one T) {
	at.holder = p.tree.Add(path)
	if p.held == nil {
		p.held = make(map[*Group[K]][]T)
	}
	p.held[at.holder] = append(p.held[at.holder], one)
}

// Remove takes a place back.
func (p *Places[K, T]) Remove(at *Place[K], one T) {
	left := slices.DeleteFunc(p.held[at.holder], func(o T) bool { return o == one })
	if p.held[at.holder] = left; len(left) == 0 {
		delete(p.held, at.holder)
	}
	p.tree.Remove(at.holder)
	at.holder = nil
}
