package share

// Tree counts who holds how much, by groups of groups. All paths of a tree have the same length.
type Tree[K comparable] struct {
	root  Group[K]
	asked uint64
}

// Group is one that holds something: a holder, or a group of them.
type Group[K comparable] struct {
	parent *Group[K]
	key    K
	held   int
	found  uint64          // by which Ask it was found last
	groups map[K]*Group[K] // those that hold something
}

// Held returns how much the group holds.
func (g *Group[K]) Held() int { return g.held }

// Key returns the last step of the paths of those in the group.
func (g *Group[K]) Key() K { return g.key }

// Parent returns the group that the group is in.
func (g *Group[K]) Parent() *Group[K] { return g.parent }

// Total returns how much all hold.
func (t *Tree[K]) Total() int { return t.root.held }

// Add notes that a holder has one more, and returns it.
func (t *Tree[K]) Add(path []K) *Group[K] {
	g := &t.root
	g.held++
	for _, key := range path {
		next := g.groups[key]
		if next == nil {
			if g.groups == nil {
				g.groups = make(map[K]*Group[K])
			}
			next = &Group[K]{parent: g, key: key}
			g.groups[key] = next
		}
		next.held++
		g = next
	}
	return g
}

// Remove notes that a holder has one less, and forgets those who hold nothing.
func (t *Tree[K]) Remove(holder *Group[K]) {
	for g := holder; g != nil; g = g.parent {
		if g.held--; g.held == 0 && g.parent != nil {
			delete(g.parent.groups, g.key)
		}
	}
}

// Held returns how much a group holds.
func (t *Tree[K]) Held(path []K) int {
	g := &t.root
	for _, key := range path {
		if g = g.groups[key]; g == nil {
			return 0
		}
	}
	return g.held
}

// Ask finds who gives way to a holder when nothing is left: whoever holds most in the groups that hold most.
// own: nobody has more than its share, so it is the holder; ok is false if it has nothing.
func (t *Tree[K]) Ask(path []K) (own, ok bool) {
	t.asked++
	g := &t.root
	for i, key := range path {
		mine, most := g.groups[key], g.most()
		switch {
		case mine != nil && most <= mine.held+1:
			g = mine
		case mine == nil && most <= 1:
			return false, false
		default:
			g.find(len(path)-i, t.asked)
			return false, true
		}
	}
	g.found = t.asked
	return true, true
}

// Yields reports whether the last Ask found a holder.
func (t *Tree[K]) Yields(holder *Group[K]) bool { return holder.found == t.asked }

// most returns how much one of the groups in it holds at most.
func (g *Group[K]) most() (most int) {
	for _, o := range g.groups {
		most = max(most, o.held)
	}
	return most
}

// find marks those who hold most, of the groups that hold most, so many levels below.
func (g *Group[K]) find(levels int, asked uint64) {
	if levels == 0 {
		g.found = asked
		return
	}
	most := g.most()
	for _, o := range g.groups {
		if o.held == most {
			o.find(levels-1, asked)
		}
	}
}
