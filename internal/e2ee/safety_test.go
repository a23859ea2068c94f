package e2ee

import (
	"regexp"
	"slices"
	"testing"

	"github.com/wzp-voice/wzp/identity"
)

func TestSafetyNumber(t *testing.T) {
	alice, bob, carol := testIdentity(t, "alice").Public(), testIdentity(t, "bob").Public(),
		testIdentity(t, "carol").Public()
	secret := NewSecret()
	people := []identity.PublicKey{carol, alice, bob, alice}
	before := slices.Clone(people)
	want := SafetyNumber("room", people, secret)
	if !slices.Equal(people, before) {
		t.Error("the people were changed")
	}
	if !regexp.MustCompile(`^\d{5}( \d{5}){7}$`).MatchString(want) {
		t.Errorf("the safety number is %q, want eight groups of five digits", want)
	}
	if got := SafetyNumber("room", []identity.PublicKey{alice, bob, carol}, secret); got != want {
		t.Errorf("another order or number of devices gives %s, want %s", got, want)
	}
	for what, got := range map[string]string{
		"people": SafetyNumber("room", []identity.PublicKey{alice, bob}, secret),
		"room":   SafetyNumber("room2", people, secret),
		"secret": SafetyNumber("room", people, NewSecret()),
		"none":   SafetyNumber("room", people, nil),
	} {
		if got == want {
			t.Errorf("other %s, same safety number", what)
		}
	}
}

// A secret is not taken for one more identity, nor is one for a secret.
func TestSafetyNumberTellsSecretsFromKeys(t *testing.T) {
	alice := identity.PublicKey{1} // sorts before the other
	key := identity.PublicKey{2}
	secret := secretFromBytes(key)
	if with, two := SafetyNumber("room", []identity.PublicKey{alice}, secret),
		SafetyNumber("room", []identity.PublicKey{alice, key}, nil); with == two {
		t.Errorf("one member with a secret and two without have the same safety number, %s", with)
	}
}

func BenchmarkSafetyNumber(b *testing.B) {
	b.ReportAllocs()
	people := make([]identity.PublicKey, 100)
	for i := range people {
		people[i] = identity.PublicKey{byte(i)}
	}
	for b.Loop() {
		SafetyNumber("room", people, nil)
	}
}
