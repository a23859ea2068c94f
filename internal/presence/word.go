package presence

import "fmt"

// Word is what a relay's operator lets it exchange with a peer about who can be called where.
type Word uint8

// All words. Each side says its own for the other; both hold. The zero value is what holds if nothing is
// said.
const (
	Peer Word = iota // each side tells the other who is with itself, to be used there and not passed on
	None             // nothing is told to the peer, what it tells is not used, and its queries find nobody
	Mesh             // what others allow is passed on, too, and so are queries
)

var words = [...]string{Peer: "peer", None: "none", Mesh: "mesh"}

// ParseWord reads what a configuration says: "none", "peer" or "mesh"; empty is "peer".
func ParseWord(s string) (Word, error) {
	if s == "" {
		return Peer, nil
	}
	for w, name := range words {
		if s == name {
			return Word(w), nil
		}
	}
	return None, fmt.Errorf("presence is %q; write none, peer or mesh", s)
}

// String returns "none", "peer" or "mesh".
func (w Word) String() string {
	if int(w) < len(words) {
		return words[w]
	}
	return fmt.Sprintf("word %d", uint8(w))
}
