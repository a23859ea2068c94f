package identity

import (
	"fmt"
	"slices"

	"github.com/wzp-voice/wzp/internal/names"
)

// NamedKey is what somebody calls itself, and its key, which was proven by a signature over the name.
type NamedKey struct {
	Name string
	Key  PublicKey
}

// NameVerdict is what KnownNames tell of a name and a key.
type NameVerdict uint8

// What Check may find.
const (
	NameKnown   NameVerdict = iota // known with this key; also the empty name, which is nobody's
	NameKept                       // new, and remembered with this key from now on
	NameNotKept                    // new, and not remembered: the limit is reached, or the error says why
	NameOther                      // known with other keys only
)

// Check compares each name that somebody calls itself with the keys known for it, and remembers the keys of
// no more than limit names that are new, with one change of the file at most. The first who has a name is
// believed; whoever else has it is NameOther (see Trust). There is a verdict for everybody, in the order
// given, also with an error: then new names were not remembered, or not all, or, if the file cannot be read,
// nobody is known. It reads and writes files: call it where that may take some milliseconds.
func (k *KnownNames) Check(people []NamedKey, limit int) ([]NameVerdict, error) {
	lines, verdicts := make([]knownName, len(people)), make([]NameVerdict, len(people))
	known, err := k.load()
	for i, p := range people {
		name := names.Fold(p.Name)
		switch {
		case name == "":
		case p.Key.smallOrder():
			verdicts[i] = NameOther // anybody can sign with it
		default:
			lines[i].who, lines[i].person = k.tags(name, p.Key.Fingerprint())
			verdicts[i] = known.verdict(lines[i])
		}
	}
	if err != nil || limit <= 0 || !slices.Contains(verdicts, NameNotKept) {
		return verdicts, err
	}
	after := slices.Clone(verdicts)
	var full error
	err = k.change(func(data []byte, names knownNames) ([]byte, error) {
		count := names.count()
		for i, line := range lines {
			if after[i] != NameNotKept {
				continue
			}
			// Another process may have been faster, or somebody before may have the same name.
			if after[i] = names.verdict(line); after[i] != NameNotKept || limit == 0 || full != nil {
				continue
			}
			if data, full = addKnownName(data, names, count, line); full == nil {
				after[i], count, limit = NameKept, count+1, limit-1
			}
		}
		return data, nil
	})
	if err != nil {
		return verdicts, err
	}
	if full != nil {
		full = fmt.Errorf("cannot remember a name: %w", full)
	}
	return after, full
}

// verdict is what names tell of a line; NameNotKept: nobody is known by the name.
func (n knownNames) verdict(line knownName) NameVerdict {
	switch people, known := n[line.who]; {
	case !known:
		return NameNotKept
	case slices.Contains(people, line.person):
		return NameKnown
	}
	return NameOther
}
