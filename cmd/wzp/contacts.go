package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
)

// contactsCmd is about the people whom the user chose to remember.
type contactsCmd struct {
	List   contactsListCmd   `cmd:"" help:"Print your contacts."`
	Add    contactsAddCmd    `cmd:"" help:"Remember somebody, by their fingerprint or contact link."`
	Remove contactsRemoveCmd `cmd:"" help:"Forget somebody."`
}

// contactsFlag is for every command that knows the contacts.
type contactsFlag struct {
	Contacts *string `type:"home" placeholder:"FILE" help:"Where your contacts are kept (default: wzp/contacts in your configuration directory)."`
}

func (f contactsFlag) open() (*identity.Contacts, error) {
	path, err := fileOr(f.Contacts, "--contacts", identity.DefaultContactsFile)
	if err != nil {
		return nil, err
	}
	return identity.OpenContacts(path)
}

// contactReport is a contact as JSON. The key is hexadecimal; it is left out while only the fingerprint is
// known, and the time of comparison where there was none.
type contactReport struct {
	Name        string               `json:"name"`
	Fingerprint identity.Fingerprint `json:"fingerprint"`
	PublicKey   string               `json:"public_key,omitempty"`
	Added       time.Time            `json:"added"`
	Compared    *time.Time           `json:"compared,omitempty"`
}

func printContact(c identity.Contact) error {
	r := contactReport{Name: c.Name, Fingerprint: c.Fingerprint, Added: c.Added}
	if c.HasKey() {
		r.PublicKey = c.Key.String()
	}
	if !c.Compared.IsZero() {
		r.Compared = &c.Compared
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

type contactsListCmd struct {
	JSON bool `help:"Print one JSON object a line."`
	contactsFlag
}

func (c contactsListCmd) Run() error {
	contacts, err := c.contactsFlag.open()
	if err != nil {
		return err
	}
	all, err := contacts.All()
	if err != nil {
		return err
	}
	if len(all) == 0 && !c.JSON && term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprintln(os.Stderr, "You have no contacts: wzp contacts add NAME FINGERPRINT remembers somebody.")
	}
	for _, contact := range all {
		print := printContactLine
		if c.JSON {
			print = printContact
		}
		if err := print(contact); err != nil {
			return err
		}
	}
	return nil
}

// printContactLine prints the fingerprint first, for it has the same length for all.
func printContactLine(c identity.Contact) error {
	compared := "not compared"
	if !c.Compared.IsZero() {
		compared = "compared on " + c.Compared.Local().Format(time.DateOnly)
	}
	_, err := fmt.Printf("%s %s, %s\n", c.Fingerprint, names.Quote(c.Name), compared)
	return err
}

type contactsAddCmd struct {
	Name     string `arg:"" help:"What you call them."`
	Contact  string `arg:"" name:"fingerprint|link" help:"Their fingerprint; or their contact link, whole or from #c= on, which the page and wzp id show tell them."`
	Compared bool   `help:"You compared the fingerprint with them, by another way than that by which it came."`
	JSON     bool   `help:"Print one JSON object."`
	contactsFlag
	knownNamesFlag
	identityFlag
}

func (c contactsAddCmd) Run() error {
	fingerprint, key, _, err := identity.ParseContact(c.Contact)
	if err != nil {
		return usageError{err}
	}
	name, err := nameOfSomebody(c.Name)
	if err != nil {
		return err
	}
	seed, made, err := c.loadOrCreate() // known names are kept by it
	if err != nil {
		return err
	}
	if made != "" {
		fmt.Fprintln(os.Stderr, identityMade(made, c.showWords(made)))
	}
	if fingerprint == seed.Identity().Fingerprint() {
		return usagef("this is your own fingerprint: give that of somebody else")
	}
	contacts, err := c.contactsFlag.open()
	if err != nil {
		return err
	}
	known, err := c.knownNamesFlag.open(seed.Identity())
	if err != nil {
		return err
	}
	contact := identity.Contact{Name: name, Fingerprint: fingerprint, Key: key}
	if c.Compared {
		contact.Compared = time.Now()
	}
	_, err = contacts.ByFingerprint(fingerprint)
	old := err == nil
	if err := contacts.Add(contact); err != nil {
		return err
	}
	// Whoever comes by this name with another key is warned of from now on.
	if err := known.Trust(name, fingerprint); err != nil {
		return err
	}
	if contact, err = contacts.ByFingerprint(fingerprint); err != nil {
		return err
	}
	if c.JSON {
		return printContact(contact)
	}
	since := "now"
	if old {
		since = "already"
	}
	_, err = fmt.Printf("%s is %s among your contacts, with the fingerprint %s.\n", names.Quote(contact.Name),
		since, fingerprint)
	return err
}

// nameOfSomebody reads the name of somebody else, of which something must be seen.
func nameOfSomebody(typed string) (string, error) {
	name, err := names.Member(typed)
	if err != nil {
		return "", usageError{err}
	}
	if names.Fold(name) == "" {
		return "", usagef("the name %s is not allowed: nothing of it can be seen", names.Quote(typed))
	}
	return name, nil
}

type contactsRemoveCmd struct {
	Who  string `arg:"" name:"name|fingerprint" help:"Whom to forget."`
	JSON bool   `help:"Print one JSON object."`
	contactsFlag
}

func (c contactsRemoveCmd) Run() error {
	contacts, err := c.contactsFlag.open()
	if err != nil {
		return err
	}
	contact, err := contacts.Remove(c.Who)
	if err != nil {
		return err
	}
	if c.JSON {
		return printContact(contact)
	}
	_, err = fmt.Printf("%s is forgotten, who had the fingerprint %s.\n", names.Quote(contact.Name),
		contact.Fingerprint)
	return err
}
