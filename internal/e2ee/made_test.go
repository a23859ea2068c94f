package e2ee

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"testing"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// made returns n bytes, at most 32, that look random and are always the same for one label.
func made(label string, n int) []byte {
	sum := sha256.Sum256([]byte("wzp test " + label))
	return sum[:n]
}

func testIdentity(t testing.TB, name string) *identity.Identity {
	t.Helper()
	return identity.SeedFromBytes([32]byte(made("identity "+name, 32))).Identity()
}

func joinKeyFromBytes(t testing.TB, private []byte) *JoinKey {
	t.Helper()
	key, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return joinKeyOf(key)
}

// testEntry returns the entry of a member with the join key and home relay that are made for its name.
func testEntry(t testing.TB, room, name string, proved *Secret) []byte {
	t.Helper()
	id := testIdentity(t, name)
	e := wire.MemberEntry{
		Room:      room,
		Name:      name,
		Identity:  id.Public(),
		HomeRelay: testIdentity(t, "relay").Public(),
		JoinKey:   joinKeyFromBytes(t, made("join key "+name, 32)).Public(),
	}
	e.Commitment = wire.StaySecret(made("stay "+name, 32)).Commitment()
	if proved != nil {
		proof := proved.Proof(room, e.Proved())
		e.Proof = &proof
	}
	entry, err := wire.SignEntry(id, e)
	if err != nil {
		t.Fatal(err)
	}
	return entry
}
