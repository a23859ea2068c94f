package routing

import (
	"time"

	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/wire"
)

// notOurs returns the label of a home that relays on the way gave it, or none if it is what we call a peer:
// who reads it could not tell an invented relay from one that our operator named. People take names for the
// same whose folded forms are.
func (t *Table) notOurs(home wire.RelayID, label string) string {
	if label == "" {
		return ""
	}
	folded := names.Fold(label)
	for id, ours := range t.named {
		if id != home && ours == folded {
			return ""
		}
	}
	return label
}

// nameTaken remembers a peer and what we call it, and takes that name from others.
func (t *Table) nameTaken(p wire.RelayID, label string, now time.Time) {
	folded := names.Fold(label)
	if had, ok := t.named[p]; ok && had == folded {
		return
	}
	t.named[p] = folded
	for _, q := range t.order {
		for _, pt := range t.partsOf(q) {
			a := q.parts[pt.key]
			if a == nil || a.route == nil || len(a.route.path) == 1 ||
				a.route.label == t.notOurs(pt.key.Home, a.route.label) {
				continue
			}
			blank := *a.route
			blank.label = ""
			a.route = &blank
			t.update(pt, now)
		}
	}
}
