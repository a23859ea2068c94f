package e2ee

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// A sealed offer tells one device of the called who calls (docs/protocol.md, section 14.3): HPKE (RFC 9180),
// base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, no additional data, to the stay key of its
// reach record.
//
//	info      = "wzp/1 offer" || path key (32)
//	plaintext = version (1) = 1 || flags (1) = 0 || time, Unix seconds (8) || nonce (32) || path seed (32)
//	            || room secret (32) || entry length (varint) || caller's entry || zeros, up to 438 bytes
//	offer     = enc (32) || ciphertext
//
// HPKE's base mode says nothing about who sealed: the entry does, which is signed, of a room that is made of
// the two identities and the nonce.
const (
	offerLabel   = "wzp/1 offer"
	offerVersion = 1
	offerHead    = 2 + 8 + 3*32
	kemSize      = 32 // of enc

	// offerSize is that of the plaintext. The longest entry of a call, with a name of wire.MaxName bytes,
	// fits: relays cannot tell by the size how long the caller's name is.
	offerSize = offerHead + 2 + 330

	// offerSkew is how far the time of an offer may be off: the clocks of two people, and the way.
	offerSkew = 120 * time.Second
	// KeptMost is how old an offer may be that a relay kept while its device was away.
	KeptMost = 25 * time.Hour
)

// ErrBadOffer means that an offer is not what an honest caller makes. All other errors of offers wrap it.
var ErrBadOffer = errors.New("e2ee: offer of a call is not valid, ignore it")

// What is wrong with an offer.
var (
	ErrOfferSealed  = fmt.Errorf("%w: it is for another device or path, or was changed", ErrBadOffer)
	ErrOfferVersion = fmt.Errorf("%w: of another version, or with unknown flags", ErrBadOffer)
	ErrOfferLayout  = fmt.Errorf("%w: not of the one size, or not well made", ErrBadOffer)
	ErrOfferTime    = fmt.Errorf("%w: made too long ago, or a clock is wrong", ErrBadOffer)
	ErrOfferPath    = fmt.Errorf("%w: its path seed is not that of the path it came by", ErrBadOffer)
	ErrOfferEntry   = fmt.Errorf("%w: its entry is no entry of a call", ErrBadOffer)
	ErrOfferSelf    = fmt.Errorf("%w: the called is the caller", ErrBadOffer)
	ErrOfferRoom    = fmt.Errorf("%w: its entry is of another call", ErrBadOffer)
	ErrOfferProof   = fmt.Errorf("%w: the room proof is wrong", ErrBadOffer)
	ErrOfferErased  = fmt.Errorf("%w: the stay key was erased", ErrBadOffer)

	errStayKey = errors.New("e2ee: the stay key is a point of low order: offer nothing to it")
)

// Offer is what a caller seals for one device.
type Offer struct {
	Nonce  wire.CallNonce
	Seed   wire.PathSeed
	Secret *Secret // of the call's room
	Entry  []byte  // the caller's, of the call's room, with a proof by Secret
}

// SealOffer seals an offer to a stay key, and returns the channel by which the caller talks with that device.
// It fails for keys of low order: the offer would be open to everybody.
func SealOffer(to [32]byte, o *Offer, now time.Time) (sealed []byte, c *CallChannel, err error) {
	if lowOrder(to) {
		return nil, nil, errStayKey
	}
	public, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(to[:])
	if err != nil {
		return nil, nil, fmt.Errorf("e2ee: use stay key: %w", err)
	}
	path := o.Seed.Key()
	enc, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.AES128GCM(), offerInfo(path))
	if err != nil {
		return nil, nil, fmt.Errorf("e2ee: seal offer: %w", err)
	}
	ciphertext, err := sender.Seal(nil, o.plaintext(now))
	if err != nil {
		return nil, nil, fmt.Errorf("e2ee: seal offer: %w", err)
	}
	caller, called := callKeys(sender.Export)
	return append(enc, ciphertext...), newCallChannel(wire.PathIDOf(path), caller, called), nil
}

func (o *Offer) plaintext(now time.Time) []byte {
	b := []byte{offerVersion, 0}
	b = binary.BigEndian.AppendUint64(b, uint64(now.Unix()))
	b = slices.Concat(b, o.Nonce[:], o.Seed[:], o.Secret.reveal()[:])
	b = append(wire.AppendVarint(b, uint64(len(o.Entry))), o.Entry...)
	return append(b, make([]byte, max(0, offerSize-len(b)))...)
}

// OpenedOffer is an offer that was opened, and found to be one of Caller.
type OpenedOffer struct {
	Call    wire.CallID
	Caller  *wire.MemberEntry
	Entry   []byte    // Caller's bytes
	Made    time.Time // by the caller's clock
	Secret  *Secret
	Seed    wire.PathSeed
	Channel *CallChannel
}

// OpenOffer opens an offer that came for the path with this key, and checks all that can be checked of it
// alone. It does not say that the offer came for the first time. self is the identity of k's reach record.
func (k *StayKey) OpenOffer(
	path, self identity.PublicKey, sealed []byte, now time.Time,
) (*OpenedOffer, error) {
	return k.open(path, self, sealed, func(made uint64) bool { return near(made, now, offerSkew) })
}

// OpenKept is OpenOffer for an offer that a relay kept: it may have been made up to KeptMost ago.
func (k *StayKey) OpenKept(
	path, self identity.PublicKey, sealed []byte, now time.Time,
) (*OpenedOffer, error) {
	return k.open(path, self, sealed, func(made uint64) bool { return near(made, now, KeptMost) })
}

// open opens an offer whose time is good.
func (k *StayKey) open(
	path, self identity.PublicKey, sealed []byte, good func(made uint64) bool,
) (*OpenedOffer, error) {
	if k.reveal == nil {
		return nil, ErrOfferErased
	}
	if len(sealed) < kemSize {
		return nil, ErrOfferSealed
	}
	enc, ciphertext := sealed[:kemSize], sealed[kemSize:]
	r, err := hpke.NewRecipient(enc, k.reveal(), hpke.HKDFSHA256(), hpke.AES128GCM(), offerInfo(path))
	if err != nil { // its public key is of low order
		return nil, ErrOfferSealed
	}
	plaintext, err := r.Open(nil, ciphertext)
	if err != nil {
		return nil, ErrOfferSealed
	}
	opened, err := checkOffer(plaintext, path, self, good)
	if err != nil {
		return nil, err
	}
	caller, called := callKeys(r.Export)
	opened.Channel = newCallChannel(wire.PathIDOf(path), called, caller)
	return opened, nil
}

// checkOffer reads what was sealed.
func checkOffer(
	b []byte, path, self identity.PublicKey, good func(made uint64) bool,
) (*OpenedOffer, error) {
	if len(b) < offerHead {
		return nil, ErrOfferLayout
	}
	if b[0] != offerVersion || b[1] != 0 {
		return nil, ErrOfferVersion
	}
	made := binary.BigEndian.Uint64(b[2:])
	nonce, seed := wire.CallNonce(b[10:]), wire.PathSeed(b[42:])
	secret := secretFromBytes([secretSize]byte(b[74:]))
	size, rest, ok := wire.CutVarint(b[offerHead:])
	if !ok || len(b) != offerSize || size > uint64(len(rest)) {
		return nil, ErrOfferLayout
	}
	entry, zeros := rest[:size], rest[size:]
	switch {
	case len(bytes.Trim(zeros, "\x00")) > 0:
		return nil, ErrOfferLayout
	case !good(made):
		return nil, ErrOfferTime
	case seed.Key() != path:
		return nil, ErrOfferPath
	}
	caller, err := wire.ParseCallEntry(entry)
	switch {
	case err != nil || caller.Replaces != nil:
		return nil, ErrOfferEntry
	case caller.Identity == self:
		return nil, ErrOfferSelf
	}
	call := wire.CallIDOf(caller.Identity, self, nonce)
	switch {
	case caller.Room != call.Room():
		return nil, ErrOfferRoom
	case !secret.Check(caller.Room, caller.Proved(), caller.Proof):
		return nil, ErrOfferProof
	}
	return &OpenedOffer{Call: call, Caller: caller, Entry: entry, Made: time.Unix(int64(made), 0),
		Secret: secret, Seed: seed}, nil
}

// near reports whether made is at most offerSkew ahead, and at most so long ago.
func near(made uint64, now time.Time, ago time.Duration) bool {
	const skew = uint64(offerSkew / time.Second)
	n, before := uint64(max(now.Unix(), 0)), uint64(ago/time.Second)
	return made <= n+skew && n <= made+before && made+before >= before // the last: no overflow
}

func offerInfo(path identity.PublicKey) []byte { return append([]byte(offerLabel), path[:]...) }
