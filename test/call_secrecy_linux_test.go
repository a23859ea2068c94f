package test

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/wzp-voice/wzp/internal/wire"
)

// What follows takes the offer of a call apart as docs/protocol.md says, and not with the program's packages.

// learnSecrets finds what the two ends of a call hold that nobody else may, by what is in their memory: the
// stay key opens the offer, in which there is the rest.
func (c *callOver) learnSecrets() {
	c.t.Helper()
	n := &c.needles
	c.anna.addTo(n, "anna")
	c.bert.addTo(n, "bert")
	bert := c.bert.identity().Public()
	record := c.relays[len(c.relays)-1].after(slices.Concat([]byte{1, 0}, bert[:]), 32)
	if record == nil {
		c.t.Fatal("the called's relay has no reach record")
	}
	stay := c.called.joinKey(record)
	n.add("bert's stay key", stay.Bytes())
	private := must(hpke.NewDHKEMPrivateKey(stay))
	device := sha256.Sum256(slices.Concat([]byte("wzp/1 device"), record))
	target := bert.Fingerprint()
	offer, opened := c.openOffer(private, slices.Concat(target[:], device[:8]))
	if offer == nil {
		c.t.Fatal("the offer is in no memory, or does not open")
	}
	n.add("the nonce", offer[10:42])
	n.add("the path seed", offer[42:74])
	n.add("the room secret", offer[74:106])
	var size int
	for i, b := range offer[106:] { // a varint as in RFC 9000: two bytes here
		if i == 0 {
			size = int(b&0x3f) << 8
		} else {
			size |= int(b)
			break
		}
	}
	entry, err := wire.ParseCallEntry(offer[108 : 108+size])
	if err != nil {
		c.t.Fatalf("the entry in the offer: %v", err)
	}
	n.add("anna's entry", offer[108:140])
	n.add("anna's join key", c.caller.joinKey(entry.JoinKey[:]).Bytes())
	for _, who := range []string{"caller", "called"} {
		key := must(opened.Export("wzp/1 call "+who, 28))
		n.add("the key of what the "+who+" says", key[:16])
	}
	secret := offer[74:106]
	n.add("the room's media key", mediaKey(secret, entry.Room))
	n.add("the room's member key", memberKey(secret, entry.Room))
	n.spell("the room's name", []byte(entry.Room))
	for who, one := range map[string]*client{"caller": c.caller, "called": c.called} {
		found, _ := one.holds(n)
		for _, name := range []string{"the room secret", "the path seed", "the room's name"} {
			if !found[name] {
				c.t.Errorf("the %s's memory does not hold %s: the search is no good", who, name)
			}
		}
	}
}

// after returns size bytes that follow something in the memory of a process, nil if it is not there.
func (p *process) after(what []byte, size int) (found []byte) {
	p.t.Helper()
	p.readMemory(len(what)+size, func(b []byte, writable bool) {
		if i := bytes.Index(b, what); found == nil && writable && i >= 0 && i+len(what)+size <= len(b) {
			found = bytes.Clone(b[i+len(what):][:size])
		}
	})
	return found
}

// openOffer finds a forward in the memory of whoever had it, by its target and device, and opens its offer.
//
//	path key (32) || generation (1) || expiry (8) || target (16) || device (8) || source (8) || hops (1)
//	|| signature (64) || offer
func (c *callOver) openOffer(private hpke.PrivateKey, to []byte) (offer []byte, opened *hpke.Recipient) {
	c.t.Helper()
	const before, between, most = 32 + 1 + 8, 8 + 1 + 64, 850
	try := func(b []byte, _ bool) {
		for from := 0; offer == nil; {
			i := bytes.Index(b[from:], to)
			if i < 0 {
				return
			}
			i += from
			from = i + 1
			sealed := i + len(to) + between
			if i < before || sealed+200 > len(b) {
				continue
			}
			info := append([]byte("wzp/1 offer"), b[i-before:][:32]...)
			for size := 200; size <= most && sealed+size <= len(b) && offer == nil; size++ {
				recipient, err := hpke.NewRecipient(b[sealed:][:32], private, hpke.HKDFSHA256(),
					hpke.AES128GCM(), info)
				if err != nil {
					break
				}
				if plain, err := recipient.Open(nil, b[sealed+32:sealed+size]); err == nil {
					offer, opened = plain, recipient
				}
			}
		}
	}
	holders := []*process{c.called.process, c.caller.process}
	for _, r := range c.relays {
		holders = append(holders, r.process)
	}
	for _, p := range holders {
		if offer == nil {
			p.readMemory(before+len(to)+between+most, try)
		}
	}
	return offer, opened
}

// callerSigns are what tells who calls, in all its forms.
func (c *callOver) callerSigns() *needles {
	key := c.anna.identity().Public()
	fingerprint := key.Fingerprint()
	n := new(needles)
	n.add("the caller's identity key", key[:])
	n.add("the caller's fingerprint", fingerprint[:])
	n.spell("the caller's fingerprint as text", []byte(fingerprint.String()))
	n.spell("the caller's fingerprint without colons", []byte(hex.EncodeToString(fingerprint[:])))
	n.spell("the caller's name", []byte(callerName))
	return n
}

// searchMemory wants no relay to have a key, and those in the midst nothing of who calls.
func (c *callOver) searchMemory(when string) {
	c.t.Helper()
	who := c.callerSigns()
	for i, r := range c.relays {
		keys, signs := make(map[string]bool), make(map[string]bool)
		size := r.readMemory(max(c.needles.longest, who.longest), func(b []byte, _ bool) {
			c.needles.find(keys, b)
			who.find(signs, b)
		})
		place := fmt.Sprintf("the memory of relay %d %s", i, when)
		c.t.Logf("%s: %d bytes, searched for %d secrets", place, size, c.needles.names)
		c.needles.report(c.t, place, keys)
		switch transit := i > 0 && i < len(c.relays)-1; {
		case transit:
			who.report(c.t, place, signs)
		case i == 0 && !signs["the caller's identity key"]:
			c.t.Errorf("%s does not hold who calls: the search is no good", place)
		}
	}
}

// search looks for all that once more when the call is over: also in what relays have written, and in what
// went between them.
func (c *callOver) search() {
	c.t.Helper()
	c.searchMemory("after the call")
	who := c.callerSigns()
	for i, w := range c.taps {
		traffic := w.taken()
		if len(traffic) < 50 {
			c.t.Errorf("only %d datagrams came by tap %d", len(traffic), i)
		}
		c.needles.absent(c.t, fmt.Sprintf("the traffic by tap %d", i), traffic...)
		who.absent(c.t, fmt.Sprintf("the traffic by tap %d", i), traffic...)
	}
	for i, r := range c.relays {
		written := [][]byte{r.metrics()}
		r.signal(syscall.SIGTERM)
		r.ends(0, soon)
		written = append(written, []byte(strings.Join(append(r.stderr.lines(), r.stdout.lines()...), "\n")))
		written = append(written, filesIn(c.t, r.data)...)
		place := fmt.Sprintf("what relay %d has written", i)
		c.needles.absent(c.t, place, written...)
		if i > 0 && i < len(c.relays)-1 {
			who.absent(c.t, place, written...)
		}
	}
}
