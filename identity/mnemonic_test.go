package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// bip39Vectors are those of BIP39's reference implementation (github.com/trezor/python-mnemonic,
// vectors.json) that have 24 words.
var bip39Vectors = []struct{ entropy, mnemonic string }{
	{"0000000000000000000000000000000000000000000000000000000000000000",
		"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon " +
			"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art"},
	{"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
		"legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth " +
			"useful legal winner thank year wave sausage worth title"},
	{"8080808080808080808080808080808080808080808080808080808080808080",
		"letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor " +
			"acoustic avoid letter advice cage absurd amount doctor acoustic bless"},
	{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote"},
	{"3e141609b97933b66a060dcddc71fad1d91677db872031e85f4c015c5e7e8982",
		"dignity pass list indicate nasty swamp pool script soccer toe leaf photo multiply desk host " +
			"tomato cradle drill spread actor shine dismiss champion exotic"},
	{"2c85efc7f24ee4573d2b81a6ec66cee209b2dcbd09d8eddc51e0215b0b68e416",
		"clutch control vehicle tonight unusual clog visa ice plunge glimpse recipe series open hour " +
			"vintage deposit universe tip job dress radar refuse motion taste"},
	{"4fa1a8bc3e6d80ee1316050e862c1812031493212b7ec3f3bb1b08f168cabeef",
		"exile ask congress lamp submit jacket era scheme attend cousin alcohol catch course end lucky " +
			"hurt sentence oven short ball bird grab wing top"},
	{"15da872c95a13dd738fbf50e427583ad61f18fd99f628c417a61cf8343c90419",
		"beyond stage sleep clip because twist token leaf atom beauty genius food business side grid " +
			"unable middle armed observe pair crouch tonight away coconut"},
}

func TestMnemonicVectors(t *testing.T) {
	for _, v := range bip39Vectors {
		entropy, _ := hex.DecodeString(v.entropy)
		want := SeedFromBytes([SeedSize]byte(entropy))
		if got := want.Mnemonic(); got != v.mnemonic {
			t.Errorf("mnemonic of %s is %s", v.entropy, got)
		}
		for _, text := range []string{v.mnemonic, strings.ToUpper(v.mnemonic), "\n\t " +
			strings.ReplaceAll(v.mnemonic, " ", " \r\n\t") + " \n"} {
			if got, err := SeedFromMnemonic(text); err != nil || !got.Equal(want) {
				t.Errorf("%q gives another seed than %s: %v", text, v.entropy, err)
			}
		}
	}
}

func TestMnemonicRoundTrip(t *testing.T) {
	for range 100 {
		want := NewSeed()
		if got, err := SeedFromMnemonic(want.Mnemonic()); err != nil || !got.Equal(want) {
			t.Fatalf("%s: %v", want.Mnemonic(), err)
		}
	}
}

func TestMnemonicErrors(t *testing.T) {
	good := strings.Fields(bip39Vectors[4].mnemonic)
	with := func(i int, word string) string {
		words := slices.Clone(good)
		words[i] = word
		return strings.Join(words, " ")
	}
	for _, c := range []struct{ name, mnemonic, want string }{
		{"empty", "", "24 words, not 0"},
		{"short", strings.Join(good[:23], " "), "24 words, not 23"},
		{"long", strings.Join(append(slices.Clone(good), "zoo"), " "), "24 words, not 25"},
		{"misspelt", with(6, "pooll"), "word 7 of the mnemonic"},
		{"first", with(0, "dignitty"), "word 1 of the mnemonic"},
		{"last", with(23, "exotik"), "word 24 of the mnemonic"},
		{"not English", with(3, "índice"), "word 4 of the mnemonic"},
		{"other word", with(0, "zoo"), "checksum"},
	} {
		seed, err := SeedFromMnemonic(c.mnemonic)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if !seed.Equal(Seed{}) {
			t.Errorf("%s: an error comes with a seed", c.name)
		}
		if err != nil && strings.Contains(err.Error(), "pooll") {
			t.Errorf("%s: the error shows a word", c.name)
		}
	}
}

func TestWordList(t *testing.T) {
	// The digest of bip-0039/english.txt as published.
	const want = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
	sum := sha256.Sum256([]byte(englishText))
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the word list has digest %s", got)
	}
	if len(englishWords()) != 1<<wordBits || !slices.IsSorted(englishWords()) {
		t.Error("the word list is not 2048 sorted words")
	}
}

func FuzzSeedFromMnemonic(f *testing.F) {
	f.Add(bip39Vectors[4].mnemonic)
	f.Add(strings.ToUpper(bip39Vectors[3].mnemonic))
	f.Fuzz(func(t *testing.T, mnemonic string) {
		seed, err := SeedFromMnemonic(mnemonic)
		if err != nil {
			return
		}
		if got, want := seed.Mnemonic(),
			strings.Join(strings.Fields(strings.ToLower(mnemonic)), " "); got != want {
			t.Errorf("mnemonic %q comes back as %q", want, got)
		}
	})
}
