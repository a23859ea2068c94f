package missed

import "github.com/wzp-voice/wzp/internal/budget"

// Holder is who takes places: of a peer link or an address block, and who behind it.
type Holder struct {
	Group budget.Group
	Who   uint64
}

// path is in whose shares a holder's places count.
func (h Holder) path() []Holder {
	h.Group = h.Group.Customer()
	return []Holder{{Group: h.Group}, h}
}
