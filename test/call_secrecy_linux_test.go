package test

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/wzp-voice/wzp/identity"
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
	answer := c.entryIn(c.caller.process, c.bert, entry.Room)
	n.add("anna's join key", c.caller.joinKey(entry.JoinKey[:]).Bytes())
	n.add("bert's join key", c.called.joinKey(must(wire.ParseCallEntry(answer)).JoinKey[:]).Bytes())
	for _, who := range []string{"caller", "called"} {
		key := must(opened.Export("wzp/1 call "+who, 28))
		n.add("the key of what the "+who+" says", key[:16])
	}
	c.learnRoom(entry.Room, offer[74:106], [][]byte{offer[108 : 108+size], answer})
}

// learnRoom finds the keys of a call's room, and wants both ends to hold what they have in common. The
// entries are theirs, the caller's first.
func (c *callOver) learnRoom(room string, secret []byte, entries [][]byte) {
	c.t.Helper()
	n := &c.needles
	n.add("the room's media key", mediaKey(secret, room))
	n.add("the room's member key", memberKey(secret, room))
	n.spell("the room's name", []byte(room))
	both := []wire.EntryHash{wire.HashEntry(entries[0]), wire.HashEntry(entries[1])}
	held := []string{"the room secret", "the path seed", "the room's name",
		c.learnSenderKeys("anna", c.caller, c.anna, both, 0, secret, room),
		c.learnSenderKeys("bert", c.called, c.bert, both, 1, secret, room)}
	for who, one := range map[string]*client{"caller": c.caller, "called": c.called} {
		found, _ := one.holds(n)
		for _, name := range held {
			if !found[name] {
				c.t.Errorf("the %s's memory does not hold %s: the search is no good", who, name)
			}
		}
	}
}

// entryIn finds somebody's entry for the room of a call in the memory of a process.
//
//	version (1) || flags (1) || room length (1) || room || name length (1) || name
//	|| identity, relay, commitment, join key, room proof (32 each) || signature (64)
func (c *callOver) entryIn(p *process, who person, room string) (entry []byte) {
	c.t.Helper()
	begin := append([]byte{1, 1, byte(len(room))}, room...)
	p.readMemory(wire.MaxEntry, func(b []byte, _ bool) {
		for ; entry == nil; b = b[1:] {
			i := bytes.Index(b, begin)
			if i < 0 || i+len(begin) >= len(b) {
				return
			}
			b = b[i:]
			size := len(begin) + 1 + int(b[len(begin)]) + 5*32 + 64
			if size > len(b) {
				continue
			}
			if e, err := wire.ParseCallEntry(b[:size]); err == nil && e.Identity == who.identity().Public() {
				entry = bytes.Clone(b[:size])
			}
		}
	})
	if entry == nil {
		c.t.Fatal("an entry is not in the memory of who got it")
	}
	return entry
}

// learnSenderKeys finds the keys that an end of a call encrypts its media with: what it has signed says their
// hashes, and its memory holds what has these. both are the hashes of the entries, the caller's first, and
// which is the end's own. It returns the names of the keys, which both ends hold.
func (c *callOver) learnSenderKeys(who string, one *client, p person, both []wire.EntryHash, which int,
	secret []byte, room string) (name string) {
	c.t.Helper()
	newest := uint32(0)
	headers := one.keyHeaders(p, both, which)
	one.readMemory(32, func(b []byte, writable bool) {
		for i := 0; writable && len(headers) > 0 && i+32 <= len(b); i += 16 { // as Go allocates them
			if b[i] == b[i+1] && b[i] == b[i+2] {
				continue // nearly all that is no key
			}
			for _, w := range [][]byte{b[i:][:16], b[i:][:32]} { // fresh, ratcheted
				hash := sha256.Sum256(w)
				h, ok := headers[hash]
				if !ok {
					continue
				}
				delete(headers, hash)
				m := material{suite: uint16(h.Suite), step: h.Epoch & 15, w: bytes.Clone(w)}
				c.needles.addTalker(who, m, h.Epoch>>4, both[which].Member(), []uint8{0}, secret, room)
				if h.Number > newest {
					newest, name = h.Number, fmt.Sprintf("%s's key %d/%d", who, h.Epoch>>4, m.step)
				}
			}
		}
	})
	if newest == 0 {
		c.t.Errorf("%s's memory holds none of the keys for what %s says", who, who)
	}
	return name
}

// keyHeaders finds what an end of a call has signed about its sender keys, in its memory, by the hash of a
// key. Where the hash of the entries is known, there is the rest:
//
//	suite (1) || key number (4) || epoch (1) || first CTR (varint) || SHA-256(key) (32)
//	|| SHA-256 of the sorted hashes of both entries (32) || signature (64)
func (p *process) keyHeaders(who person, both []wire.EntryHash, which int) map[[32]byte]wire.KeyHeader {
	p.t.Helper()
	const before, after = 1 + 4 + 1 + 8 + 32, 32 + 64
	sorted := slices.SortedFunc(slices.Values(both), func(a, b wire.EntryHash) int {
		return bytes.Compare(a[:], b[:])
	})
	digest := sha256.Sum256(slices.Concat(sorted[0][:], sorted[1][:]))
	headers := make(map[[32]byte]wire.KeyHeader)
	p.readMemory(before+after, func(b []byte, _ bool) {
		for from := 0; ; from++ {
			i := bytes.Index(b[from:], digest[:])
			if from += i; i < 0 || from+after > len(b) {
				return
			}
			for size := before - 7; size <= min(before, from); size++ {
				signed, signature := b[from-size:][:size+32], b[from+32:][:64]
				if identity.Verify(who.identity().Public(), "sender key", signature, both[which][:], signed) {
					headers[[32]byte(signed[size-32:])] = wire.KeyHeader{Suite: signed[0], Epoch: signed[5],
						Number: binary.BigEndian.Uint32(signed[1:])}
				}
			}
		}
	})
	if len(headers) == 0 {
		p.t.Error("there is nothing about a sender key in the memory of who made it: the search is no good")
	}
	return headers
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
