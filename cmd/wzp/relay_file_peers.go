package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/wire"
)

// federationTables are the lists of tables, in the order in which people are told of them.
var federationTables = []string{"peers", "trusted", "probes", "global_rooms"}

// federationReader reads the tables that SIGHUP reads again.
type federationReader struct {
	doc *tomlDocument
	own *identity.Fingerprint // nil: not known yet
	ids map[wire.RelayID]seenRelay
}

// seenRelay is where a fingerprint was seen.
type seenRelay struct {
	fingerprint identity.Fingerprint
	where       string
}

func (r *federationReader) read() (c relay.FederationConfig) {
	addresses, labels := make(map[string]string), make(map[string]string)
	for _, name := range []string{"peers", "trusted"} {
		for i, table := range r.tables(name) {
			at := tableReader{r.doc, table, []string{name, strconv.Itoa(i)}}
			var peer relay.FederationPeer
			if name == "peers" {
				at.known("url", "fingerprint", "label", "presence")
				peer.Address = at.address(addresses)
			} else {
				at.known("fingerprint", "label", "presence")
			}
			peer.Fingerprint = r.fingerprint(at)
			peer.Label = at.label(labels, peer)
			peer.Presence = at.presence()
			c.Peers = append(c.Peers, peer)
		}
	}
	c.Probes = r.probes()
	names := make(map[string]string)
	for i, table := range r.tables("global_rooms") {
		at := tableReader{r.doc, table, []string{"global_rooms", strconv.Itoa(i)}}
		at.known("name")
		const want = `such as name = "ops", or "ops-*" for all rooms whose names begin so`
		if name, ok := at.text("name", want); ok {
			if name, ok = at.room(name, names); ok {
				c.GlobalRooms = append(c.GlobalRooms, name)
			}
		}
	}
	return c
}

// probes reads the relays to measure. They may be peers, and one of them may have several addresses.
func (r *federationReader) probes() (list []relay.Probe) {
	addresses, labels := make(map[string]string), make(map[string]string)
	for i, table := range r.tables("probes") {
		at := tableReader{r.doc, table, []string{"probes", strconv.Itoa(i)}}
		at.known("url", "fingerprint", "label")
		probe := relay.Probe{Address: at.address(addresses)}
		if _, there := table["fingerprint"]; there {
			const want = "that of the relay which is to answer, or leave it out to measure whichever does"
			if text, ok := at.text("fingerprint", want); ok {
				var err error
				if probe.Fingerprint, err = identity.ParseFingerprint(text); err != nil {
					at.problem("fingerprint", "%w; give %s", err, want)
				}
			}
		}
		probe.Label = at.label(labels, relay.FederationPeer{Address: probe.Address})
		list = append(list, probe)
	}
	return list
}

// tables returns the elements of a list of tables, which may be missing.
func (r *federationReader) tables(name string) (tables []map[string]any) {
	value, there := r.doc.values[name]
	if !there {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		const wrong = "%s is a list of tables, not %s: write [[%[1]s]] above each"
		r.doc.problem([]string{name}, wrong, name, describeTOML(value))
		return nil
	}
	for i, element := range list {
		table, ok := element.(map[string]any)
		if !ok {
			const wrong = "%s is a list of tables, and has %s in it: write [[%[1]s]] above each"
			r.doc.problem([]string{name, strconv.Itoa(i)}, wrong, name, describeTOML(element))
		}
		tables = append(tables, table) // nil, which has nothing in it, keeps the count right
	}
	return slices.Clip(tables)
}

// fingerprint reads the fingerprint of a relay, of which there must be one, and no other relay may have it.
func (r *federationReader) fingerprint(at tableReader) (f identity.Fingerprint) {
	const where = "the other relay logs its own when it starts, and there " +
		`"wzp id show --identity DATA/identity" prints it`
	text, ok := at.text("fingerprint", where)
	if !ok {
		return f
	}
	f, err := identity.ParseFingerprint(text)
	if err != nil {
		at.problem("fingerprint", "%w; %s", err, where)
		return f
	}
	id := wire.RelayID(f[:len(wire.RelayID{})]) // what relays call each other
	seen, twice := r.ids[id]
	switch {
	case r.own != nil && f == *r.own:
		at.problem("fingerprint", "this is the relay's own fingerprint: give that of the other one; %s; "+
			"if both relays show the same, the identity was copied: there "+
			`"wzp id new --force --identity DATA/identity" makes a new one`, where)
	case twice && f == seen.fingerprint:
		const wrong = "%s has this fingerprint already: name each relay once; a peer may connect in, too"
		at.problem("fingerprint", wrong, seen.where)
	case twice || r.own != nil && id == wire.RelayID(r.own[:len(id)]):
		at.problem("fingerprint", "its first half is that of another relay, by which relays are told apart: "+
			"one of the two needs a new identity")
	default:
		r.ids[id] = seenRelay{f, at.where("fingerprint")}
	}
	return f
}

// tableReader reads the keys of one table.
type tableReader struct {
	doc   *tomlDocument
	table map[string]any // nil: it is none, which was said
	path  []string
}

func (t tableReader) problem(key, format string, args ...any) {
	t.doc.problem(append(slices.Clone(t.path), key), format, args...)
}

// where tells people which table this is.
func (t tableReader) where(key string) string {
	return fmt.Sprintf("[[%s]] in line %d", t.path[0], t.doc.line(append(slices.Clone(t.path), key)))
}

// known refuses all other keys.
func (t tableReader) known(keys ...string) {
	for key := range t.table {
		if slices.Contains(keys, key) {
			continue
		}
		list := strings.Join(keys, ", ")
		if meant := nearest(key, keys); meant != "" {
			list += "; did you mean " + meant + "?"
		} else if meant := settingMeant(key); meant != "" {
			list += "; " + meant + " is a setting of the relay itself, and stands above the first [["
		}
		t.problem(key, "[[%s]] has no key %q; its keys are %s", t.path[0], key, list)
	}
}

// text reads text that must be there; want says what and where from. It is not ok if there is none.
func (t tableReader) text(key, want string) (text string, ok bool) {
	value, there := t.table[key]
	if t.table == nil {
		return "", false
	}
	if !there || value == "" {
		t.problem(key, "[[%s]] needs %s: %s", t.path[0], key, want)
		return "", false
	}
	if text, ok = value.(string); !ok {
		t.problem(key, "%s is text in quotes, not %s: %s", key, describeTOML(value), want)
	}
	return text, ok
}

// address reads the url of a peer, HOST:PORT, which no other may have.
func (t tableReader) address(seen map[string]string) string {
	const want = `HOST:PORT of its --listen, such as url = "relay.example.org:4433"`
	text, ok := t.text("url", want)
	if !ok {
		return ""
	}
	address, err := parsePeerAddress(text)
	if err != nil {
		t.problem("url", "url is %s: %w", want, err)
		return ""
	}
	if seen[address] != "" {
		t.problem("url", "%s has this url already: one relay is found at it", seen[address])
	}
	seen[address] = t.where("url")
	return address
}

// label reads what members see of a relay; default: its address, or half of its fingerprint.
func (t tableReader) label(seen map[string]string, peer relay.FederationPeer) string {
	label := peer.Address
	if label == "" || wire.CheckName(label) != nil {
		label = peer.Fingerprint.String()[:19]
	}
	if _, there := t.table["label"]; !there {
		return label
	}
	label, ok := t.text("label", "at most 64 bytes, or leave it out")
	label, err := names.Member(label)
	switch {
	case !ok:
	case err != nil:
		t.problem("label", "label: %w", err)
	case seen[label] != "":
		t.problem("label", "%s has the label %q already: people could not tell them apart", seen[label],
			label)
	default:
		seen[label] = t.where("label")
	}
	return label
}

// presence reads what a relay may know of who can be called here.
func (t tableReader) presence() (word presence.Word) {
	value, there := t.table["presence"]
	if !there {
		return word
	}
	text, ok := value.(string)
	word, err := presence.ParseWord(text)
	if !ok || text == "" || err != nil {
		t.problem("presence", `presence is "none", "peer" or "mesh", not %s`, describeTOML(value))
	}
	return word
}

// room reads the name of a room, or a pattern of such names. It is not ok if it is none, or was seen before.
func (t tableReader) room(text string, seen map[string]string) (name string, ok bool) {
	name, err := names.RoomPattern(text)
	switch {
	case err != nil:
		t.problem("name", "name is that of a room, in which * stands for any text: %w", err)
	case seen[name] != "":
		t.problem("name", "%s has this name already", seen[name])
		return "", false
	}
	seen[name] = t.where("name")
	return name, err == nil
}

// parsePeerAddress reads HOST:PORT, also as wzp://HOST:PORT, and returns HOST:PORT.
func parsePeerAddress(text string) (string, error) {
	host, port, err := names.ParseAddress(strings.TrimPrefix(text, "wzp://"))
	if err != nil {
		return "", err
	}
	if ip, err := netip.ParseAddr(host); err == nil && (ip.IsUnspecified() || ip.IsMulticast()) {
		return "", fmt.Errorf("%s is no address of one machine", host)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port))), nil
}
