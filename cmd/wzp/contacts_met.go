package main

import "github.com/wzp-voice/wzp/identity"

// contactsMet completes contacts of whom only the fingerprint is known, when their keys are seen. Nobody is
// kept from talking by contacts that cannot be read or written: that is only said.
type contactsMet struct {
	contacts *identity.Contacts
	without  map[identity.Fingerprint]bool // those without a key
}

func (f contactsFlag) met() *contactsMet {
	m := &contactsMet{without: make(map[identity.Fingerprint]bool)}
	var all []identity.Contact
	var err error
	if m.contacts, err = f.open(); err == nil {
		all, err = m.contacts.All()
	}
	if err != nil {
		warn(oneLine(err))
	}
	for _, c := range all {
		if !c.HasKey() {
			m.without[c.Fingerprint] = true
		}
	}
	return m
}

// meet takes a key that was proven.
func (m *contactsMet) meet(key identity.PublicKey) {
	f := key.Fingerprint()
	if !m.without[f] {
		return
	}
	delete(m.without, f)
	if _, err := m.contacts.Meet(key); err != nil {
		warn(oneLine(err))
	}
}
