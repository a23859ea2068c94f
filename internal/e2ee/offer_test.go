package e2ee

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

func stayKeyFromBytes(t testing.TB, private []byte) *StayKey {
	t.Helper()
	key, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return stayKeyOf(key)
}

func keyFromBytes(t testing.TB, b []byte) callKey {
	t.Helper()
	key, _ := callKeys(func(string, int) ([]byte, error) { return b, nil })
	return key
}

// at0 is a time after the vectors' offers were made.
func at0(d time.Duration) time.Time { return time.Unix(offerTime, 0).Add(d) }

// offered is an offer from alice to bob, with both ends of it.
func offered(t testing.TB) (alice *CallChannel, bob *OpenedOffer) {
	t.Helper()
	stay, err := NewStayKey()
	if err != nil {
		t.Fatal(err)
	}
	id, self := testIdentity(t, "alice"), testIdentity(t, "bob").Public()
	o := &Offer{Nonce: wire.CallNonce(made("nonce", 32)), Seed: wire.NewPathSeed(), Secret: NewSecret()}
	e := wire.MemberEntry{Room: wire.CallIDOf(id.Public(), self, o.Nonce).Room(), Identity: id.Public()}
	proof := o.Secret.Proof(e.Room, e.Proved())
	e.Proof = &proof
	if o.Entry, err = wire.SignCallEntry(id, e); err != nil {
		t.Fatal(err)
	}
	sealed, alice, err := SealOffer(stay.Public(), o, at0(0))
	if err != nil || len(sealed) > wire.MaxOffer {
		t.Fatal(len(sealed), err)
	}
	bob, err = stay.OpenOffer(o.Seed.Key(), self, sealed, at0(offerSkew))
	if err != nil {
		t.Fatal(err)
	}
	if bob.Seed != o.Seed || *bob.Secret.reveal() != *o.Secret.reveal() || !bytes.Equal(bob.Entry, o.Entry) {
		t.Fatal("the offer changed on its way")
	}
	if _, err = stay.OpenOffer(o.Seed.Key(), self, sealed, at0(-offerSkew)); err != nil {
		t.Fatal(err)
	}
	stay.Erase()
	if _, err := stay.OpenOffer(o.Seed.Key(), self, sealed, at0(0)); err != ErrOfferErased {
		t.Fatalf("with an erased key: %v", err)
	}
	return alice, bob
}

// Everything that the called refuses, with its own error.
func TestOfferRefused(t *testing.T) {
	for _, v := range makeBadOffers(t, makeOffer(t, "1", nil)) {
		opened, err := stayKeyFromBytes(t, v.Private).OpenOffer(identity.PublicKey(v.PathKey),
			identity.PublicKey(v.Self), v.Offer, time.Unix(int64(v.Now), 0))
		if err != v.err || !errors.Is(err, ErrBadOffer) || opened != nil {
			t.Errorf("%s: %v, want %v", v.Why, err, v.err)
		}
	}
	for _, point := range lowOrderPoints {
		if _, _, err := SealOffer(point, &Offer{Secret: NewSecret()}, at0(0)); err == nil {
			t.Errorf("offers to %x, of low order", point)
		}
	}
}

// All offers have one size, whatever the caller's name, and the longest has no zeros to spare.
func TestOfferSize(t *testing.T) {
	for _, length := range []int{0, 1, 5, wire.MaxName} {
		o := makeOffer(t, "1", func(p *offerParts) { p.entry.Name = strings.Repeat("n", length) })
		offer := Offer{Nonce: wire.CallNonce(o.Nonce), Seed: wire.PathSeed(o.PathSeed),
			Secret: secretFromBytes([32]byte(o.Secret)), Entry: o.Entry}
		sealed, _, err := SealOffer([32]byte(o.StayKey), &offer, at0(0))
		if err != nil || len(sealed) != len(o.Offer) || len(sealed) != kemSize+offerSize+16 {
			t.Errorf("%d bytes with a name of %d: %v", len(sealed), length, err)
		}
		if head := offerHead + 2 + len(o.Entry); length == wire.MaxName && head != offerSize {
			t.Errorf("the longest name takes %d bytes", head)
		}
	}
	if kemSize+offerSize+16 > wire.MaxOffer {
		t.Errorf("more than the %d bytes that a forward takes", wire.MaxOffer)
	}
}

func TestCallChannel(t *testing.T) {
	alice, opened := offered(t)
	bob := opened.Channel
	said := func(c *CallChannel, text string) []byte {
		body, err := c.Seal([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	first, second := said(alice, "first"), said(alice, "second")
	for _, tc := range []struct {
		name string
		c    *CallChannel
		body []byte
		want string
		err  error
	}{
		{"overtakes", bob, second, "second", nil},
		{"late", bob, first, "first", nil},
		{"replayed", bob, second, "", ErrReplayed},
		{"to its sender", alice, first, "", ErrCallMessage},
		{"the other direction", alice, said(bob, "hi"), "hi", nil},
		{"cut", bob, said(alice, "third")[:5], "", ErrCallMessage},
		{"empty", bob, nil, "", ErrCallMessage},
	} {
		got, _, err := tc.c.Open(tc.body)
		if string(got) != tc.want || err != tc.err {
			t.Errorf("%s: %q, %v; want %q, %v", tc.name, got, err, tc.want, tc.err)
		}
	}
	for range ReplayWindowSize {
		if _, _, err := bob.Open(said(alice, "more")); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := bob.Open(first); err != ErrTooOld {
		t.Errorf("far below the window: %v", err)
	}
	alice.next = maxCounter + 1
	if _, err := alice.Seal(nil); err == nil {
		t.Error("a counter was used that no varint holds")
	}
}

// Nobody sees a secret of a call in what is printed.
func TestCallSecretsRedacted(t *testing.T) {
	alice, bob := offered(t)
	stay, err := NewStayKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{stay, alice, bob.Channel, struct{ C *CallChannel }{alice}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
			if s := fmt.Sprintf(verb, v); len(s) > 60 {
				t.Errorf("%T as %s: %s", v, verb, s)
			}
		}
	}
}

// FuzzOpenOffer: nothing that is sealed for us, whoever sealed it, makes a call that is not its sender's.
func FuzzOpenOffer(f *testing.F) {
	bob := testIdentity(f, "bob").Public()
	f.Fuzz(func(t *testing.T, plaintext []byte, sealed bool) {
		stay := stayKeyFromBytes(t, made("stay key bob", 32))
		seed := wire.PathSeed(made("path 1", 32))
		b := plaintext
		if sealed {
			public := stay.Public()
			b = sealHPKE(t, made("ephemeral 1", 32), public[:], offerInfo(seed.Key()), nil, plaintext)
		}
		opened, err := stay.OpenOffer(seed.Key(), bob, b, at0(0))
		if err != nil {
			if !errors.Is(err, ErrBadOffer) {
				t.Errorf("%v is no ErrBadOffer", err)
			}
			return
		}
		if opened.Seed != seed || opened.Caller.Room != opened.Call.Room() || opened.Caller.Identity == bob {
			t.Errorf("taken: %+v", opened.Caller)
		}
	})
}

// FuzzCallMessage: nothing opens but what was sealed, once.
func FuzzCallMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		c := newCallChannel(wire.PathID{1}, nil, keyFromBytes(t, bytes.Repeat([]byte{7}, callExport)))
		if plaintext, _, err := c.Open(body); err == nil {
			if again, _, err := c.Open(body); err != ErrReplayed {
				t.Errorf("%x opened twice: %x, %x, %v", body, plaintext, again, err)
			}
		}
	})
}

// BenchmarkOpenOffer is what one offer costs the called: two key agreements and a signature.
func BenchmarkOpenOffer(b *testing.B) {
	b.ReportAllocs()
	stay := stayKeyFromBytes(b, made("stay key bob", 32))
	id, self := testIdentity(b, "alice"), testIdentity(b, "bob").Public()
	o := &Offer{Seed: wire.NewPathSeed(), Secret: NewSecret()}
	e := wire.MemberEntry{Room: wire.CallIDOf(id.Public(), self, o.Nonce).Room(), Identity: id.Public()}
	proof := o.Secret.Proof(e.Room, e.Proved())
	e.Proof = &proof
	o.Entry, _ = wire.SignCallEntry(id, e)
	sealed, _, err := SealOffer(stay.Public(), o, at0(0))
	if err != nil {
		b.Fatal(err)
	}
	path := o.Seed.Key()
	for b.Loop() {
		if _, err := stay.OpenOffer(path, self, sealed, at0(0)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallMessage(b *testing.B) {
	b.ReportAllocs()
	alice, bob := offered(b)
	plaintext := []byte{17}
	for b.Loop() {
		body, err := alice.Seal(plaintext)
		if err == nil {
			_, _, err = bob.Channel.Open(body)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// An offer that a relay kept opens a day later, by the key as it was stored.
func TestOpenKept(t *testing.T) {
	v := makeOffer(t, "1", nil)
	stay := stayKeyFromBytes(t, v.Private)
	private, ok := stay.Reveal()
	stored, err := StayKeyFrom(private)
	if !ok || err != nil || stored.Public() != stay.Public() {
		t.Fatal(ok, err)
	}
	path, self := identity.PublicKey(v.PathKey), identity.PublicKey(v.Self)
	for after, want := range map[time.Duration]error{0: nil, KeptMost: nil, -offerSkew: nil,
		5 * time.Hour: nil, KeptMost + time.Second: ErrOfferTime, -offerSkew - time.Second: ErrOfferTime} {
		o, err := stored.OpenKept(path, self, v.Offer, at0(after))
		if err != want {
			t.Errorf("%v after it was made: %v, want %v", after, err, want)
		}
		if err == nil && (!o.Made.Equal(at0(0)) || o.Caller.Identity == self) {
			t.Errorf("%+v", o)
		}
	}
	if _, err := stored.OpenOffer(path, self, v.Offer, at0(time.Hour)); err != ErrOfferTime {
		t.Errorf("an hour old, and not kept: %v", err)
	}
	stored.Erase()
	if _, ok := stored.Reveal(); ok {
		t.Error("an erased key is revealed")
	}
	if _, err := stored.OpenKept(path, self, v.Offer, at0(0)); err != ErrOfferErased {
		t.Errorf("by an erased key: %v", err)
	}
}
