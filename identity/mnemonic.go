package identity

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
)

// A mnemonic is BIP39's, for 256 bits:
//
//	| entropy = seed, 256 bits                 | SHA-256(entropy)[0], 8 bits |
//	| word 1, 11 bits | word 2, 11 bits | ...             | word 24, 11 bits |
//
// each word being an index, most significant bit first, into the English list.
const (
	mnemonicWords = 24
	wordBits      = 11
)

// english.txt is bip-0039/english.txt of github.com/bitcoin/bips (MIT licence), unchanged: 2048 words
// in alphabetical order.
//
//go:embed english.txt
var englishText string

var englishWords = sync.OnceValue(func() []string { return strings.Fields(englishText) })

// Mnemonic returns the seed as 24 lower-case English words, one space between them. They are as secret
// as the seed. It panics for the zero Seed.
func (s Seed) Mnemonic() string {
	seed := s.reveal()
	sum := sha256.Sum256(seed[:])
	bits := new(big.Int).SetBytes(append(seed[:], sum[0]))
	words := make([]string, mnemonicWords)
	for i := range words {
		index := new(big.Int).Rsh(bits, uint(mnemonicWords-1-i)*wordBits).Uint64() % (1 << wordBits)
		words[i] = englishWords()[index]
	}
	return strings.Join(words, " ")
}

// SeedFromMnemonic returns the seed whose Mnemonic is mnemonic, in any case and with any white space
// around and between the words. The error says whether the count is wrong, which word (by position,
// never by its letters, since errors are logged) is not in the list, or that the checksum fails.
func SeedFromMnemonic(mnemonic string) (Seed, error) {
	words := strings.Fields(strings.ToLower(mnemonic))
	if len(words) != mnemonicWords {
		return Seed{}, fmt.Errorf("a mnemonic has %d words, not %d: give all of them, in order",
			mnemonicWords, len(words))
	}
	bits := new(big.Int)
	for i, word := range words {
		index, ok := slices.BinarySearch(englishWords(), word)
		if !ok {
			return Seed{}, fmt.Errorf(
				"word %d of the mnemonic is not in the BIP39 English list: check its spelling", i+1)
		}
		bits.Lsh(bits, wordBits).Or(bits, big.NewInt(int64(index)))
	}
	var all [SeedSize + 1]byte
	seed := [SeedSize]byte(bits.FillBytes(all[:]))
	if sum := sha256.Sum256(seed[:]); sum[0] != all[SeedSize] {
		return Seed{}, fmt.Errorf("the checksum of the mnemonic fails: a word is wrong, or two are swapped")
	}
	return SeedFromBytes(seed), nil
}
