package test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// needles are secrets that are looked for in whatever a relay has, does and says: as bytes, in hexadecimal,
// in base64.
//
//	add: name, bytes ──> five spellings, by their first four bytes
//	find: haystack ──two bytes: any spelling?──four bytes: which?──> names of what is there
type needles struct {
	spelled map[[4]byte][]spelling
	begin   [1 << 16]bool // two bytes that some spelling begins with
	longest int
	names   int
}

// spelling is one way to write a secret.
type spelling struct {
	name string
	text []byte
}

func (n *needles) add(name string, secret []byte) {
	n.names++
	n.spell(name, secret)
	n.spell(name+" in hexadecimal", []byte(hex.EncodeToString(secret)))
	n.spell(name+" in hexadecimal", []byte(strings.ToUpper(hex.EncodeToString(secret))))
	// The last character of base64 says what follows, too.
	whole := secret[:len(secret)/3*3]
	n.spell(name+" in base64", []byte(base64.StdEncoding.EncodeToString(whole)))
	n.spell(name+" in base64", []byte(base64.URLEncoding.EncodeToString(whole)))
}

// spell adds one text as it is.
func (n *needles) spell(name string, text []byte) {
	if len(text) < 12 {
		panic("a needle of " + fmt.Sprint(len(text)) + " bytes is found by chance")
	}
	if n.spelled == nil {
		n.spelled = make(map[[4]byte][]spelling)
	}
	start := [4]byte(text)
	n.spelled[start] = append(n.spelled[start], spelling{name, bytes.Clone(text)})
	n.begin[binary.BigEndian.Uint16(text)] = true
	n.longest = max(n.longest, len(text))
}

// emptyPage is what most memory of a process is.
var emptyPage [4096]byte

// find adds the names of what b holds to found.
func (n *needles) find(found map[string]bool, b []byte) {
	for i := 0; i+4 <= len(b); i++ {
		if rest := b[i:]; i%len(emptyPage) == 0 && len(rest) >= len(emptyPage) &&
			bytes.Equal(rest[:len(emptyPage)], emptyPage[:]) {
			i += len(emptyPage) - n.longest // something may begin at its end
			continue
		}
		if !n.begin[binary.BigEndian.Uint16(b[i:])] {
			continue
		}
		for _, s := range n.spelled[[4]byte(b[i:])] {
			if bytes.HasPrefix(b[i:], s.text) {
				found[s.name] = true
			}
		}
	}
}

// absent fails the test if a place holds any of them.
func (n *needles) absent(t *testing.T, place string, contents ...[]byte) {
	t.Helper()
	found := make(map[string]bool)
	size := 0
	for _, b := range contents {
		n.find(found, b)
		size += len(b)
	}
	t.Logf("%s: %d bytes, searched for %d secrets", place, size, n.names)
	n.report(t, place, found)
}

func (n *needles) report(t *testing.T, place string, found map[string]bool) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(found)) {
		t.Errorf("%s holds %s", place, name)
	}
}

// TestNeedles hides each spelling in a haystack: a search that finds nothing proves nothing.
func TestNeedles(t *testing.T) {
	secret := make([]byte, 32)
	rand.Read(secret)
	var n needles
	n.add("it", secret)
	for _, hidden := range []struct{ name, text string }{
		{"it", string(secret)},
		{"it in hexadecimal", fmt.Sprintf("%x", secret)},
		{"it in hexadecimal", fmt.Sprintf("%X", secret)},
		{"it in base64", base64.StdEncoding.EncodeToString(secret)},
		{"it in base64", base64.RawURLEncoding.EncodeToString(secret)},
	} {
		for _, at := range []int{0, 1, 7, 100, 4095, 4096, 4097, 12000} {
			found := make(map[string]bool)
			n.find(found, []byte(strings.Repeat("\x00", at)+hidden.text))
			if !found[hidden.name] {
				t.Errorf("%s at %d is not found", hidden.name, at)
			}
			clear(found)
			n.find(found, []byte(strings.Repeat("\x00", at)+hidden.text[:len(hidden.text)-8]+"........"))
			if len(found) > 0 {
				t.Errorf("%s at %d is found, but is not there", hidden.name, at)
			}
		}
	}
}

// What follows derives keys from docs/protocol.md and RFC 9605 alone, and not with the package that the
// program does it with: a mistake there must not make the search look for the wrong bytes.

// material is W[step] of one generation of a talker.
type material struct {
	suite uint16
	step  uint8
	w     []byte
}

// at returns W of a step from the material's own on; ok is false for earlier ones, to which nothing leads.
func (m material) at(step uint8) (w []byte, ok bool) {
	w = m.w
	for s := m.step; s < step; s++ {
		w = must(hkdf.Expand(sha256.New, must(hkdf.Extract(sha256.New, w, nil)), "SFrame 1.0 Ratchet", 32))
	}
	return w, step >= m.step
}

// baseKey is what SFrame derives from, in a room with or without (nil) an invite secret.
func baseKey(secret []byte, room string, w []byte) []byte {
	if secret == nil {
		return w
	}
	return must(hkdf.Extract(sha256.New, w, mediaKey(secret, room)))
}

func mediaKey(secret []byte, room string) []byte {
	return must(hkdf.Key(sha256.New, secret, nil, "wzp/1 media"+room, 32))
}

func memberKey(secret []byte, room string) []byte {
	return must(hkdf.Key(sha256.New, secret, nil, "wzp/1 member"+room, 32))
}

// frameKeys are the three keys of RFC 9605, section 4.4.2: AES-CTR's, HMAC's, and the salt.
func frameKeys(suite uint16, kid wire.KID, base []byte) (enc, auth, salt []byte) {
	secret := must(hkdf.Extract(sha256.New, base, nil))
	context := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(nil, uint64(kid)), suite)
	key := must(hkdf.Expand(sha256.New, secret, "SFrame 1.0 Secret key "+string(context), 48))
	salt = must(hkdf.Expand(sha256.New, secret, "SFrame 1.0 Secret salt "+string(context), 12))
	return key[:16], key[16:], salt
}

// frameOpener returns the key that opens frames of a key id.
func frameOpener(suite uint16, kid wire.KID, base []byte) *e2ee.Key {
	return must(e2ee.NewKey(e2ee.Suite(suite), uint64(kid), base))
}

// openWrap opens a wrap with a private join key.
func openWrap(join *ecdh.PrivateKey, sender wire.EntryHash, header []byte, recipient wire.EntryHash,
	wrap []byte) ([]byte, error) {
	private, err := hpke.NewDHKEMPrivateKey(join)
	if err != nil {
		return nil, err
	}
	info := slices.Concat([]byte("wzp/1 wrap"), sender[:], header, recipient[:])
	return hpke.Open(private, hpke.HKDFSHA256(), hpke.AES128GCM(), info, wrap)
}

// addTalker adds all that a talker's keys are derived from, and what is derived of them for some streams.
func (n *needles) addTalker(who string, m material, generation uint8, id wire.MemberID, streams []uint8,
	secret []byte, room string) {
	for step := m.step; step < 16; step++ {
		w, _ := m.at(step)
		name := fmt.Sprintf("%s's key %d/%d", who, generation, step)
		n.add(name, w)
		base := baseKey(secret, room, w)
		if secret != nil {
			n.add(name+", the base key", base)
		}
		for _, stream := range streams {
			enc, auth, salt := frameKeys(m.suite, wire.MakeKID(id, stream, generation<<4|step), base)
			of := fmt.Sprintf("%s, stream %d: ", name, stream)
			n.add(of+"AES-CTR", enc)
			n.add(of+"HMAC", auth)
			n.add(of+"salt", salt)
		}
	}
}

// must is for what only fails for arguments that no test has.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
