package identity

import (
	"fmt"
	"slices"
)

// NamedKey is what somebody calls itself, and its key, which was proven by a signature over the name.
type NamedKey struct {
	Name string
	Key  PublicKey
}

// NameVerdict is what KnownNames tell of a name and a key.
type NameVerdict uint8

// What CheckAll may find.
const (
	NameKnown   NameVerdict = iota // known with this key; also the empty name, which is nobody's
	NameKept                       // it was new, and is remembered with this key from now on
	NameNotKept                    // it is new, and is not remembered: the limit is reached, or the error says why
	NameOther                      // known with other keys only
)

// CheckAll is Check for many at once, in the order given, with one change of the file at most. No more than limit new
// names are remembered. There is a verdict for everybody, also with an error: then new names were not remembered,
// or not all, or, if the file cannot be read, nobody is known.
func (k *KnownNames) CheckAll(people []NamedKey, limit int) ([]NameVerdict, error) {
	c := nameCheck{limit: limit, lines: make([]knownName, len(people)), verdicts: make([]NameVerdict, len(people))}
	for i, p := range people {
		name := FoldName(p.Name)
		switch {
		case name == "":
		case p.Key.smallOrder():
			c.verdicts[i] = NameOther // anybody can sign with it
		default:
			c.lines[i].who, c.lines[i].person = k.tags(name, p.Key.Fingerprint())
			c.open = append(c.open, i)
		}
	}
	names, err := k.load()
	if err != nil {
		c.unkept()
		return c.verdicts, err
	}
	if c.look(names); len(c.open) == 0 || limit <= 0 {
		c.unkept()
		return c.verdicts, nil
	}
	var full error
	err = k.change(func(data []byte, names knownNames) (after []byte, err error) {
		c.look(names) // another process may have been faster
		after, full = c.keep(data, names)
		return after, nil
	})
	if err == nil && full != nil {
		err = fmt.Errorf("cannot remember a name: %w", full)
	} else if err != nil {
		c.lose()
	}
	c.unkept()
	return c.verdicts, err
}

// nameCheck is a CheckAll under way.
type nameCheck struct {
	limit    int
	lines    []knownName // by person
	verdicts []NameVerdict
	open     []int // of those whose names are not known so far
	kept     []int
}

// look finds the verdicts on those whose names are known.
func (c *nameCheck) look(names knownNames) {
	c.open = slices.DeleteFunc(c.open, func(i int) bool {
		known, found := names[c.lines[i].who]
		if found {
			c.verdicts[i] = NameOther
			if slices.Contains(known, c.lines[i].person) {
				c.verdicts[i] = NameKnown
			}
		}
		return found
	})
}

// keep returns data with the new names, as many as may be and fit, and why not all fit. The first who has a
// name is believed.
func (c *nameCheck) keep(data []byte, names knownNames) (after []byte, full error) {
	first := make(knownNames)
	var more []knownName
	for _, i := range c.open {
		if line := c.lines[i]; first[line.who] == nil && len(more) < c.limit {
			first[line.who] = []nameTag{line.person}
			more = append(more, line)
			c.kept = append(c.kept, i)
		}
	}
	after, added, full := addKnownNames(data, names, more)
	for _, line := range more[added:] {
		delete(first, line.who)
	}
	c.kept = c.kept[:added]
	c.look(first) // whoever else has the same names
	for _, i := range c.kept {
		c.verdicts[i] = NameKept
	}
	return after, full
}

// lose takes back what keep found, for nothing was written.
func (c *nameCheck) lose() {
	for i := range c.verdicts {
		if slices.ContainsFunc(c.kept, func(j int) bool { return c.lines[j].who == c.lines[i].who }) {
			c.open = append(c.open, i)
		}
	}
}

// unkept is the verdict on everybody who is left.
func (c *nameCheck) unkept() {
	for _, i := range c.open {
		c.verdicts[i] = NameNotKept
	}
}
