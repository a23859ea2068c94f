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
	c := nameCheck{lines: make([]knownName, len(people)), verdicts: make([]NameVerdict, len(people))}
	for i, p := range people {
		name := names.Fold(p.Name)
		switch {
		case name == "":
		case p.Key.smallOrder():
			c.verdicts[i] = NameOther // anybody can sign with it
		default:
			c.lines[i].who, c.lines[i].person = k.tags(name, p.Key.Fingerprint())
			c.verdicts[i] = NameNotKept
		}
	}
	names, err := k.load()
	if err != nil {
		return c.verdicts, err
	}
	if c.lookUp(names); limit <= 0 || !slices.Contains(c.verdicts, NameNotKept) {
		return c.verdicts, nil
	}
	var kept []int
	var full error
	err = k.change(func(data []byte, names knownNames) ([]byte, error) {
		c.lookUp(names) // another process may have been faster
		var more []knownName
		kept, more = c.newNames(limit)
		after, added, err := addKnownNames(data, names, more)
		kept, full = kept[:added], err
		return after, nil
	})
	if err != nil {
		return c.verdicts, err
	}
	remembered := make(knownNames)
	for _, i := range kept {
		remembered[c.lines[i].who] = []nameTag{c.lines[i].person}
	}
	c.lookUp(remembered) // whoever else has the same names
	for _, i := range kept {
		c.verdicts[i] = NameKept
	}
	if full != nil {
		full = fmt.Errorf("cannot remember a name: %w", full)
	}
	return c.verdicts, full
}

// nameCheck is a Check under way.
type nameCheck struct {
	lines    []knownName   // by person
	verdicts []NameVerdict // NameNotKept: not known so far
}

// lookUp finds the verdicts on those whose names are known.
func (c *nameCheck) lookUp(names knownNames) {
	for i, line := range c.lines {
		known, found := names[line.who]
		if c.verdicts[i] != NameNotKept || !found {
			continue
		}
		c.verdicts[i] = NameOther
		if slices.Contains(known, line.person) {
			c.verdicts[i] = NameKnown
		}
	}
}

// newNames returns the first who has each name that is not known, at most limit of them, and their lines.
func (c *nameCheck) newNames(limit int) (first []int, lines []knownName) {
	seen := make(map[nameTag]bool)
	for i, line := range c.lines {
		if c.verdicts[i] == NameNotKept && !seen[line.who] && len(first) < limit {
			seen[line.who] = true
			first, lines = append(first, i), append(lines, line)
		}
	}
	return first, lines
}
