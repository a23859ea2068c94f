package routing

import (
	"bytes"
	"maps"
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// distances returns how many links away the others are; those that cannot be reached are absent.
func (net *tableNet) distances(from *tableNode) map[*tableNode]int {
	far := map[*tableNode]int{from: 0}
	for queue := []*tableNode{from}; len(queue) > 0; queue = queue[1:] {
		for _, l := range net.links {
			for k, end := range l.ends {
				other := l.ends[1-k]
				if _, seen := far[other]; l.up && end == queue[0] && !seen {
					far[other] = far[end] + 1
					queue = append(queue, other)
				}
			}
		}
	}
	return far
}

func (net *tableNet) check() {
	net.t.Helper()
	for i, n := range net.nodes {
		net.checkViews(i, n)
		net.checkState(i, n)
		for _, p := range n.problems {
			net.t.Errorf("relay %d: %s", i, p)
		}
	}
	for i := range net.nodes {
		for room := range net.nodes[i].members {
			net.checkMedia(i, room)
		}
	}
}

// checkViews compares what a relay was told of others with the truth.
func (net *tableNet) checkViews(i int, n *tableNode) {
	net.t.Helper()
	want := map[tableView]int{}
	for other, far := range net.distances(n) {
		for room, entries := range other.members {
			if other == n || len(entries) == 0 || !n.table.isGlobal(room) {
				continue
			}
			key := tableView{other.identity.Public(), room}
			want[key] = len(entries)
			missing := 0
			for _, entry := range entries {
				if !bytes.Equal(n.views[key][wire.EntryID(entry)], entry) {
					missing++
				}
			}
			if missing > 0 || len(n.views[key]) != len(entries) {
				net.t.Errorf("relay %d: %d of %d members of %d in %q are missing, and it has %d", i, missing,
					len(entries), slices.Index(net.nodes, other), room, len(n.views[key]))
			}
			if pt := n.table.parts[PartKey{other.id, wire.HashRoom(room)}]; pt == nil ||
				len(pt.way.path) != far {
				net.t.Errorf("relay %d: not the shortest way to %v", i, slices.Index(net.nodes, other))
			}
		}
	}
	for key, view := range n.views {
		if want[key] == 0 {
			net.t.Errorf("relay %d: %d members of %v in %q are left", i, len(view),
				wire.RelayIDOf(key.home), key.room)
		}
	}
}

// checkState looks for what is left over, and compares the counters with what they count.
func (net *tableNet) checkState(i int, n *tableNode) {
	net.t.Helper()
	t, total, own := n.table, 0, 0
	for _, pt := range t.parts {
		if pt.own {
			own++
			continue
		}
		total += len(pt.content.members)
		if len(pt.pending) > 0 || pt.fetch.from != nil || !pt.fetch.due.IsZero() {
			net.t.Errorf("relay %d: something is under way for a part: %d news", i, len(pt.pending))
		}
	}
	due := 0
	for _, pt := range t.due {
		waits := pt.best == nil && pt.lingering(net.now)
		for _, q := range t.order {
			a := q.parts[pt.key]
			waits = waits || a != nil && !a.unwantAt.IsZero()
		}
		if waits {
			due++
		}
	}
	if t.members != total || t.pending != 0 || t.assembling != 0 || due != 0 {
		net.t.Errorf("relay %d: counts %d of %d members, %d news, %d places, %d due", i, t.members, total,
			t.pending, t.assembling, due)
	}
	if parts := len(n.views) + own; len(t.parts) != parts {
		net.t.Errorf("relay %d: %d parts, want %d", i, len(t.parts), parts)
	}
	from := 0
	for _, q := range t.order {
		for _, a := range q.parts {
			if !a.unwantAt.IsZero() {
				net.t.Errorf("relay %d: an un-want is still to come", i)
			}
		}
		from += q.members
		if q.fetches != 0 || q.assembling != 0 || q.members < 0 {
			net.t.Errorf("relay %d: a peer's counts are wrong: %d fetches", i, q.fetches)
		}
	}
	if from > total {
		net.t.Errorf("relay %d: %d members count for peers, there are %d", i, from, total)
	}
}

// checkMedia lets a packet of home's members go as the tables say: every relay with members in the room gets
// it once, those without only to pass it on, and no link carries it twice.
func (net *tableNet) checkMedia(home int, room string) {
	net.t.Helper()
	h := net.nodes[home]
	if len(h.members[room]) == 0 || !globalRoom(room) {
		return
	}
	type hop struct{ from, to *tableNode }
	byID := map[wire.RelayID]*tableNode{}
	for _, n := range net.nodes {
		byID[n.id] = n
	}
	copies, crossed, passed := map[*tableNode]int{}, map[[2]*tableNode]int{}, map[*tableNode]bool{}
	var queue []hop
	for _, p := range h.trunked[tableTrunk{wire.RelayID{}, room}] {
		queue = append(queue, hop{h, byID[p]})
	}
	for ; len(queue) > 0 && len(queue) < 1000; queue = queue[1:] {
		from, to := queue[0].from, queue[0].to
		pair := [2]*tableNode{from, to}
		if from.id.Compare(to.id) > 0 {
			pair = [2]*tableNode{to, from}
		}
		crossed[pair]++
		if !to.parent(h.id, wire.HashRoom(room), from.id, net.now) {
			net.t.Errorf("media of relay %d in %q came by the wrong way", home, room)
			continue
		}
		copies[to]++
		for _, p := range to.trunked[tableTrunk{h.id, room}] {
			if p != from.id {
				passed[to] = true
				queue = append(queue, hop{to, byID[p]})
			}
		}
	}
	for pair, times := range crossed {
		if times > 1 {
			net.t.Errorf("a link carried the packet %d times: %v", times, pair[0].id)
		}
	}
	for n := range maps.Keys(net.distances(h)) {
		i, has := slices.Index(net.nodes, n), len(n.members[room]) > 0
		switch {
		case n == h && copies[n] > 0:
			net.t.Errorf("media came back to its home %d", i)
		case n != h && has && copies[n] != 1:
			net.t.Errorf("relay %d got %d copies of media of %d in %q", i, copies[n], home, room)
		case !has && copies[n] > 0 && !passed[n]:
			net.t.Errorf("relay %d got media that nobody wants there", i)
		}
	}
}
