/**
 * A seed as 24 English words, and back (BIP39, 256 bits; the seed is the entropy itself):
 *
 *     | entropy = seed, 256 bits                 | SHA-256(entropy)[0], 8 bits |
 *     | word 1, 11 bits | word 2, 11 bits | ...             | word 24, 11 bits |
 *
 * each word being an index, most significant bit first, into the list. No error shows one: they are secret.
 */

import { concat } from '../wire/bytes.js';
import { IdentityError, WordsError } from './errors.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

export const WORDS = 24;
const WORD_BITS = 11;
const SEED_SIZE = (WORDS * WORD_BITS - 8) / 8; // bytes: the checksum has 8 bits

/** The list, which is read when it is needed first. */
async function wordList() {
  return (await import('./wordlist.js')).words;
}

/** The 24 words of a seed. @param {Bytes} seed 32 bytes @returns {Promise<string[]>} */
export async function toWords(seed) {
  if (seed.length !== SEED_SIZE) {
    throw new IdentityError('seed', `a seed has ${SEED_SIZE} bytes, not ${seed.length}`);
  }
  const list = await wordList();
  const bits = concat(seed, [await checksum(seed)]);
  return Array.from({ length: WORDS }, (_, i) => {
    let index = 0;
    for (let bit = i * WORD_BITS; bit < (i + 1) * WORD_BITS; bit++) {
      index = (index << 1) | ((bits[bit >> 3] >> (7 - (bit & 7))) & 1);
    }
    return list[index];
  });
}

/**
 * The seed of 24 words, in any case and with any white space around and between them. It rejects with a
 * WordsError.
 * @param {string} text @returns {Promise<Bytes>}
 */
export async function fromWords(text) {
  const list = await wordList();
  const words = text.toLowerCase().split(/\s+/).filter((w) => w !== '');
  if (words.length !== WORDS) {
    throw new WordsError(
      'wordCount', words.length, `there are ${WORDS} words, not ${words.length}: give all of them, in order`,
    );
  }
  const bits = new Uint8Array(SEED_SIZE + 1);
  words.forEach((word, i) => {
    const index = list.indexOf(word);
    if (index < 0) {
      throw new WordsError(
        'unknownWord', i + 1, `word ${i + 1} is not in the BIP39 English list: check its spelling`,
      );
    }
    for (let b = 0; b < WORD_BITS; b++) {
      const bit = i * WORD_BITS + b;
      if ((index >> (WORD_BITS - 1 - b)) & 1) bits[bit >> 3] |= 1 << (7 - (bit & 7));
    }
  });
  const seed = bits.slice(0, SEED_SIZE);
  if ((await checksum(seed)) !== bits[SEED_SIZE]) {
    throw new WordsError(
      'checksum', WORDS, 'the checksum of the words fails: one is wrong, or two are swapped',
    );
  }
  return seed;
}

/** @param {Bytes} seed */
async function checksum(seed) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', seed))[0];
}
