package identity

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/wzp-voice/wzp/internal/names"
)

// notCompared stands in the place of a time.
const notCompared = "-"

// normalized returns a contact as it is kept, or an error if it is none.
func (c Contact) normalized() (Contact, error) {
	name, err := names.Member(c.Name)
	switch _, isFingerprint := ParseFingerprint(name); {
	case err != nil:
		return c, err
	case names.Fold(name) == "":
		return c, fmt.Errorf("the name %s is not allowed: nothing of it can be seen", names.Quote(name))
	case isFingerprint == nil:
		return c, errors.New("the name is a fingerprint: choose one that people have")
	}
	if c.HasKey() {
		if c.Key.smallOrder() {
			return c, errSmallOrder
		}
		if c.Fingerprint != (Fingerprint{}) && c.Fingerprint != c.Key.Fingerprint() {
			return c, errors.New("the key has another fingerprint: give the right one, or the key alone")
		}
		c.Fingerprint = c.Key.Fingerprint()
	}
	if c.Fingerprint == (Fingerprint{}) {
		return c, errors.New("there is neither a key nor a fingerprint: give one")
	}
	c.Name, c.Added, c.Compared = name, wholeSeconds(c.Added), wholeSeconds(c.Compared)
	return c, nil
}

// wholeSeconds is a time as files have it.
func wholeSeconds(at time.Time) time.Time {
	if at.IsZero() {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Second)
}

// line is a contact as the file has it.
func (c Contact) line() string {
	who, compared := c.Fingerprint.String(), notCompared
	if c.HasKey() {
		who = c.Key.String()
	}
	if !c.Compared.IsZero() {
		compared = c.Compared.Format(time.RFC3339)
	}
	return strings.Join([]string{who, c.Added.Format(time.RFC3339), compared, c.Name}, " ")
}

// parseContacts reads the text of a contacts file. Errors name the line.
func parseContacts(data []byte) (contacts []Contact, err error) {
	people, named := make(map[Fingerprint]int), make(map[string]int) // the line of each
	for line, text := range textByLine(data) {
		contact, err := parseContactLine(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: correct or remove it", line, err)
		}
		name := names.Fold(contact.Name)
		if before := max(people[contact.Fingerprint], named[name]); before > 0 {
			return nil, fmt.Errorf("line %d: the name or the key is that of line %d: remove one of them",
				line, before)
		}
		if len(contacts) == maxContacts {
			return nil, fmt.Errorf("line %d: there are more than %d contacts: remove lines", line,
				maxContacts)
		}
		people[contact.Fingerprint], named[name] = line, line
		contacts = append(contacts, contact)
	}
	return contacts, nil
}

// parseContactLine reads one line.
func parseContactLine(text string) (contact Contact, err error) {
	var words [3]string
	for i := range words {
		text = strings.TrimSpace(text)
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			return contact, errors.New("want a key or fingerprint, two times and a name")
		}
		words[i], text = text[:end], text[end:]
	}
	if strings.Contains(words[0], ":") {
		contact.Fingerprint, err = ParseFingerprint(words[0])
	} else {
		contact.Key, err = ParsePublicKey(words[0])
	}
	if err == nil {
		contact.Added, err = parseContactTime(words[1])
	}
	if err == nil && words[2] != notCompared {
		contact.Compared, err = parseContactTime(words[2])
	}
	if err != nil {
		return contact, err
	}
	contact.Name = text
	return contact.normalized()
}

func parseContactTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if at = wholeSeconds(at); err != nil || at.IsZero() || at.Year() < 0 || at.Year() > 9999 {
		return time.Time{}, fmt.Errorf("%q is not a time such as 2026-01-31T12:00:00Z", text)
	}
	return at, nil
}
