package identity

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/names"
)

const (
	// maxContacts bounds the file. A full one takes nobody more, and those in it stay.
	maxContacts     = 1000
	maxContactsSize = 1 << 20

	contactsHeader = "# wzp contacts: key or fingerprint, when added, when compared or -, name\n"
)

// ErrNoContact says that nobody of whom it was asked is among the contacts.
var ErrNoContact = errors.New("not among your contacts")

// Contact is somebody whom the user chose to remember.
type Contact struct {
	Name        string // what the user calls them; no two contacts have names that look the same
	Fingerprint Fingerprint
	Key         PublicKey // zero while only the fingerprint is known
	Added       time.Time // in UTC, whole seconds, as the next
	Compared    time.Time // when the user compared the fingerprint with them; zero: they have not
}

// HasKey reports whether the whole key is known, and not only its fingerprint.
func (c Contact) HasKey() bool { return c.Key != PublicKey{} }

// Contacts are the people whom the user chose to remember, by their keys: unlike KnownNames nobody gets there
// by themselves, and the file tells who they are. It is a text file with a line for each, and comment lines
// that start with '#':
//
//	KEY|FINGERPRINT ADDED COMPARED|- NAME
//
// the key as PublicKey's text or, while only that is known, the fingerprint as Fingerprint's; times as in RFC
// 3339; the name is the rest of the line. The file is read anew for every question, so any number of
// processes and goroutines may use it, and edit it, at once.
type Contacts struct{ list list[[]Contact] }

// DefaultContactsFile returns where a person's contacts are kept: wzp/contacts in the user's configuration
// directory. It creates nothing.
func DefaultContactsFile() (string, error) { return configFile("contacts") }

// OpenContacts checks that the file at path can be used. A missing file has nobody; it is created with the
// first contact, and only its owner may read it.
func OpenContacts(path string) (*Contacts, error) {
	c := &Contacts{list[[]Contact]{path, "contacts", maxContactsSize, parseContacts}}
	if _, err := c.All(); err != nil {
		return nil, err
	}
	return c, nil
}

// All returns all contacts, in the order in which they were added.
func (c *Contacts) All() ([]Contact, error) {
	_, contacts, _, err := c.list.read()
	return contacts, err
}

// Find returns the contact that is called so, in whatever case and spelling that looks the same, or that has
// this fingerprint. The error is ErrNoContact when there is none.
func (c *Contacts) Find(nameOrFingerprint string) (Contact, error) {
	contacts, err := c.All()
	if err != nil {
		return Contact{}, err
	}
	return find(contacts, nameOrFingerprint)
}

func find(contacts []Contact, nameOrFingerprint string) (Contact, error) {
	if f, err := ParseFingerprint(nameOrFingerprint); err == nil {
		if i := indexOf(contacts, f); i >= 0 {
			return contacts[i], nil
		}
		return Contact{}, fmt.Errorf("%s is %w: see wzp contacts list", f, ErrNoContact)
	}
	if i := indexOfName(contacts, nameOrFingerprint); i >= 0 {
		return contacts[i], nil
	}
	return Contact{}, fmt.Errorf("%s is %w: see wzp contacts list", names.Quote(nameOrFingerprint),
		ErrNoContact)
}

// ByFingerprint returns the contact with a fingerprint. The error is ErrNoContact when there is none.
func (c *Contacts) ByFingerprint(f Fingerprint) (Contact, error) { return c.Find(f.String()) }

func indexOf(contacts []Contact, f Fingerprint) int {
	return slices.IndexFunc(contacts, func(c Contact) bool { return c.Fingerprint == f })
}

func indexOfName(contacts []Contact, name string) int {
	folded := names.Fold(name)
	return slices.IndexFunc(contacts, func(c Contact) bool { return names.Fold(c.Name) == folded })
}

// Add remembers somebody: by their key or, where Key is zero, by their fingerprint alone. Added is now if it
// is zero. Who is remembered by that name with that fingerprint stays as they are, but gets the key and the
// time of comparison where those were not known. Another fingerprint for a name, and another name for a
// fingerprint, are refused: whoever that was is to be removed first.
func (c *Contacts) Add(contact Contact) error {
	if contact.Added.IsZero() {
		contact.Added = time.Now()
	}
	contact, err := contact.normalized()
	if err != nil {
		return fmt.Errorf("cannot remember them: %w", err)
	}
	return c.change(func(data []byte, contacts []Contact) ([]byte, error) {
		if i := indexOf(contacts, contact.Fingerprint); i >= 0 {
			return mergeContact(data, contacts[i], contact)
		}
		if i := indexOfName(contacts, contact.Name); i >= 0 {
			return nil, fmt.Errorf("there is a contact %s already, with the fingerprint %s: choose another "+
				"name, or remove that one", names.Quote(contacts[i].Name), contacts[i].Fingerprint)
		}
		if len(contacts) >= maxContacts {
			return nil, fmt.Errorf("there are %d contacts already: remove some", maxContacts)
		}
		return appendLine(data, contactsHeader, contact.line()), nil
	})
}

// mergeContact adds to a contact what is known more now.
func mergeContact(data []byte, before, now Contact) ([]byte, error) {
	if names.Fold(before.Name) != names.Fold(now.Name) {
		return nil, fmt.Errorf("%s is among your contacts already, as %s: remove them first to give them "+
			"another name", before.Fingerprint, names.Quote(before.Name))
	}
	after := before
	if now.HasKey() {
		after.Key = now.Key
	}
	if !now.Compared.IsZero() {
		after.Compared = now.Compared
	}
	return withContact(data, before.Fingerprint, &after), nil
}

// Remove forgets the contact that is called so, or has this fingerprint, and returns who it was. The error is
// ErrNoContact when there is none.
func (c *Contacts) Remove(nameOrFingerprint string) (removed Contact, err error) {
	err = c.change(func(data []byte, contacts []Contact) ([]byte, error) {
		if removed, err = find(contacts, nameOrFingerprint); err != nil {
			return nil, err
		}
		return withContact(data, removed.Fingerprint, nil), nil
	})
	return removed, err
}

// Meet completes the contact that was remembered by the fingerprint of a key only. The key must have been
// proven, by a signature. It reports whether its owner is a contact.
func (c *Contacts) Meet(key PublicKey) (known bool, err error) {
	if key.smallOrder() {
		return false, errSmallOrder
	}
	contacts, err := c.All()
	i := indexOf(contacts, key.Fingerprint())
	if err != nil || i < 0 || contacts[i].HasKey() {
		return i >= 0, err
	}
	return true, c.edit(key.Fingerprint(), func(contact *Contact) { contact.Key = key })
}

// Compare notes that the user compared the fingerprint of a contact with them, or with the zero time takes
// that back. The error is ErrNoContact when there is none.
func (c *Contacts) Compare(f Fingerprint, at time.Time) error {
	return c.edit(f, func(contact *Contact) { contact.Compared = wholeSeconds(at) })
}

// edit changes a contact.
func (c *Contacts) edit(f Fingerprint, f2 func(*Contact)) error {
	return c.change(func(data []byte, contacts []Contact) ([]byte, error) {
		contact, err := find(contacts, f.String())
		if err != nil {
			return nil, err
		}
		f2(&contact)
		return withContact(data, f, &contact), nil
	})
}

func (c *Contacts) change(f func(data []byte, contacts []Contact) ([]byte, error)) error {
	err := c.list.change(func(data []byte, contacts []Contact) ([]byte, error) {
		after, err := f(data, contacts)
		if err == nil && len(after) > maxContactsSize {
			err = errors.New("the file is full: remove comments from it")
		}
		return after, err
	})
	if err != nil && !errors.Is(err, ErrNoContact) {
		return fmt.Errorf("cannot change your contacts: %w", err)
	}
	return err
}

// withContact returns data with another line for a contact, or without one.
func withContact(data []byte, f Fingerprint, after *Contact) []byte {
	var changed []byte
	for text := range bytes.Lines(data) {
		contact, err := parseContactLine(string(bytes.TrimPrefix(text, []byte("\ufeff"))))
		if err != nil || contact.Fingerprint != f {
			changed = append(changed, text...)
		} else if after != nil {
			changed = append(changed, after.line()+"\n"...)
		}
	}
	return changed
}
