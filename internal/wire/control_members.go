package wire

// MaxPage is how many entries a MemberPage holds at most.
const MaxPage = 112

// Members asks for a page of the member list:
//
//	{"Members":{"after":hex (6)}}, "after" absent: from the start
type Members struct {
	After *MemberID // the page begins with the first id above it; nil: from the start
}

func (m *Members) fields(c *codec) { c.optionalMember("after", &m.After) }

// MemberPage is the relay's answer to Members:
//
//	{"MemberPage":{"entries":[base64, ...], "next":hex (6)}}, "next" absent on the last page
type MemberPage struct {
	Entries [][]byte  // ordered by EntryID; when received, not verified: see ParseEntry
	Next    *MemberID // what After is to be for the next page; nil: this is the last
}

func (m *MemberPage) fields(c *codec) {
	c.entries("entries", &m.Entries, MaxPage)
	c.optionalMember("next", &m.Next)
}

// optionalMember is a member id, nil if absent.
func (c *codec) optionalMember(name string, m **MemberID) {
	if !c.has(name, *m != nil) {
		return
	}
	if c.decoding {
		*m = new(MemberID)
	}
	c.hex(name, (*m)[:])
}
