package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/wzp-voice/wzp/internal/names"
)

// A contact link says who somebody is (docs/protocol.md, section 5.4). What follows "#c=" is base64url of:
//
//	version (1) = 1 || identity key (32) || name (0 to 64, UTF-8) || checksum (4)
//
//	checksum = SHA-256("wzp/1 contact" || version || identity key || name)[:4]
//
// The checksum finds links that were cut or mistyped; it proves nothing, for anybody can make one.
const (
	contactVersion   = 1
	contactLabel     = "wzp/1 contact"
	contactMark      = "c="
	contactSumSize   = 4
	contactNameStart = 1 + len(PublicKey{})
	minContactLink   = contactNameStart + contactSumSize
	maxContactLink   = minContactLink + names.MaxLen
)

// ContactLinkFault is what is wrong with a contact link.
type ContactLinkFault string

// The faults of contact links. A link has one at a time, the first of these.
const (
	ContactLinkAbsent   ContactLinkFault = "absent"   // no contact in it
	ContactLinkEncoding ContactLinkFault = "encoding" // not base64url
	ContactLinkVersion  ContactLinkFault = "version"  // of a later program
	ContactLinkLength   ContactLinkFault = "length"   // too short, or too long
	ContactLinkChecksum ContactLinkFault = "checksum" // cut or mistyped
	ContactLinkKey      ContactLinkFault = "key"      // one that anybody can sign for
	ContactLinkName     ContactLinkFault = "name"     // not UTF-8, or with a control character
)

// ContactLinkError says what is wrong with a contact link.
type ContactLinkError struct{ Fault ContactLinkFault }

func (e *ContactLinkError) Error() string {
	switch e.Fault {
	case ContactLinkAbsent:
		return "this is not a contact link: it has no #c="
	case ContactLinkVersion:
		return "the contact link is of a later version: use a newer wzp"
	case ContactLinkKey:
		return "the contact link has a key that anybody can sign for: ask them for their own"
	case ContactLinkName:
		return "the contact link has a name that is not allowed: ask them for another one"
	case ContactLinkEncoding, ContactLinkLength, ContactLinkChecksum:
	}
	return "the contact link is not complete, or was changed: copy all of it"
}

// ContactLink returns what leads to somebody who has the key and is called name, which may be empty: the part
// from "#c=" on, to be put behind the address of any page of wzp.
func ContactLink(key PublicKey, name string) (string, error) {
	name, err := names.Member(name)
	if err != nil {
		return "", err
	}
	if key.smallOrder() {
		return "", errSmallOrder
	}
	b := append(append([]byte{contactVersion}, key[:]...), name...)
	b = append(b, contactSum(b)...)
	return "#" + contactMark + base64.RawURLEncoding.EncodeToString(b), nil
}

// ParseContactLink reads a contact link: a whole address, the part from "#c=" on, which may have other things
// beside it, or what follows that alone. The name may be empty, and is what they call themselves; neither it
// nor the key is proven. An error is a [*ContactLinkError].
func ParseContactLink(link string) (key PublicKey, name string, err error) {
	text, fault := contactPart(link)
	if fault == "" {
		key, name, fault = parseContact(text)
	}
	if fault != "" {
		return PublicKey{}, "", &ContactLinkError{fault}
	}
	return key, name, nil
}

// contactPart returns what follows "#c=", or the first c= of several parts.
func contactPart(link string) (string, ContactLinkFault) {
	link = strings.TrimSpace(link)
	_, fragment, found := strings.Cut(link, "#")
	if !found {
		if link == "" || strings.ContainsAny(link, "/:.") { // an address without one
			return "", ContactLinkAbsent
		}
		return strings.TrimPrefix(link, contactMark), ""
	}
	for part := range strings.SplitSeq(fragment, "&") {
		if text, ok := strings.CutPrefix(part, contactMark); ok {
			return text, ""
		}
	}
	return "", ContactLinkAbsent
}

func parseContact(text string) (key PublicKey, name string, fault ContactLinkFault) {
	if len(text) > base64.RawURLEncoding.EncodedLen(maxContactLink) {
		return key, "", ContactLinkLength
	}
	if strings.ContainsAny(text, "\r\n") { // which the decoder leaves out
		return key, "", ContactLinkEncoding
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	switch {
	case err != nil:
		return key, "", ContactLinkEncoding
	case len(b) > 0 && b[0] != contactVersion:
		return key, "", ContactLinkVersion
	case len(b) < minContactLink:
		return key, "", ContactLinkLength
	}
	body, sum := b[:len(b)-contactSumSize], b[len(b)-contactSumSize:]
	key, name = PublicKey(body[1:contactNameStart]), string(body[contactNameStart:])
	switch {
	case string(sum) != string(contactSum(body)):
		return key, "", ContactLinkChecksum
	case key.smallOrder():
		return key, "", ContactLinkKey
	case names.TextFault(name, names.MaxLen) != "":
		return key, "", ContactLinkName
	}
	return key, name, ""
}

func contactSum(body []byte) []byte {
	sum := sha256.Sum256(append([]byte(contactLabel), body...))
	return sum[:contactSumSize]
}

// ParseContact reads whatever names somebody from outside: a fingerprint, or a contact link. With a
// fingerprint the key is zero, and the name empty.
func ParseContact(text string) (f Fingerprint, key PublicKey, name string, err error) {
	link := strings.Contains(text, "#") || strings.Contains(text, "://") ||
		!strings.Contains(text, ":") && len(text) >= base64.RawURLEncoding.EncodedLen(minContactLink)
	if !link {
		f, err = ParseFingerprint(text)
		return f, key, "", err
	}
	if key, name, err = ParseContactLink(text); err != nil {
		return f, key, "", err
	}
	return key.Fingerprint(), key, name, nil
}
