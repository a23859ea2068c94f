import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, toHex } from '../wire/bytes.js';
import { words as list } from './wordlist.js';
import { fromWords, toWords } from './mnemonic.js';

// Those of BIP39's reference implementation (github.com/trezor/python-mnemonic, vectors.json) that have 24
// words.
const vectors = [
  ['00'.repeat(32), 'abandon '.repeat(23) + 'art'],
  [
    '7f'.repeat(32),
    'legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title',
  ],
  [
    '80'.repeat(32),
    'letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless',
  ],
  ['ff'.repeat(32), 'zoo '.repeat(23) + 'vote'],
  [
    '3e141609b97933b66a060dcddc71fad1d91677db872031e85f4c015c5e7e8982',
    'dignity pass list indicate nasty swamp pool script soccer toe leaf photo multiply desk host tomato cradle drill spread actor shine dismiss champion exotic',
  ],
  [
    '2c85efc7f24ee4573d2b81a6ec66cee209b2dcbd09d8eddc51e0215b0b68e416',
    'clutch control vehicle tonight unusual clog visa ice plunge glimpse recipe series open hour vintage deposit universe tip job dress radar refuse motion taste',
  ],
  [
    '4fa1a8bc3e6d80ee1316050e862c1812031493212b7ec3f3bb1b08f168cabeef',
    'exile ask congress lamp submit jacket era scheme attend cousin alcohol catch course end lucky hurt sentence oven short ball bird grab wing top',
  ],
  [
    '15da872c95a13dd738fbf50e427583ad61f18fd99f628c417a61cf8343c90419',
    'beyond stage sleep clip because twist token leaf atom beauty genius food business side grid unable middle armed observe pair crouch tonight away coconut',
  ],
];

test('words are those of the vectors, in any case and white space', async () => {
  for (const [entropy, words] of vectors) {
    assert.equal((await toWords(fromHex(entropy))).join(' '), words);
    for (const text of [words, words.toUpperCase(), '\n\t ' + words.replaceAll(' ', ' \r\n\t') + ' \n']) {
      assert.equal(toHex(await fromWords(text)), entropy);
    }
  }
});

test('every seed comes back from its words', async () => {
  for (let i = 0; i < 100; i++) {
    const seed = crypto.getRandomValues(new Uint8Array(32));
    assert.deepEqual(await fromWords((await toWords(seed)).join(' ')), seed);
  }
  await assert.rejects(toWords(new Uint8Array(16)), { code: 'seed' });
});

test('errors say what is wrong, and show no word', async () => {
  const good = vectors[4][1].split(' ');
  const put = (/** @type {number} */ i, /** @type {string} */ word) => good.with(i, word).join(' ');
  for (const [text, want] of /** @type {[string, RegExp][]} */ ([
    ['', /24 words, not 0/], [good.slice(1).join(' '), /24 words, not 23/],
    [[...good, 'zoo'].join(' '), /24 words, not 25/], [put(6, 'pooll'), /word 7 is not/],
    [put(0, 'dignitty'), /word 1 is not/], [put(23, 'exotik'), /word 24 is not/],
    [put(3, 'índice'), /word 4 is not/], [put(3, 'constructor'), /word 4 is not/],
    [put(0, 'zoo'), /checksum/],
  ])) {
    await assert.rejects(fromWords(text), (/** @type {any} */ error) => {
      assert.deepEqual([error.name, error.code], ['WordsError', 'words']);
      assert.match(error.message, want);
      return (
        !good.some((word) => word.length > 4 && error.message.includes(word))
        && !error.message.includes('pooll')
      );
    });
  }
});

test('the list is the published one', () => {
  assert.deepEqual([list.length, new Set(list).size], [2048, 2048]);
  const digest = createHash('sha256').update(list.join('\n') + '\n').digest('hex');
  assert.equal(digest, '2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda');
  assert.equal(
    list.join('\n'), readFileSync(new URL('../../identity/english.txt', import.meta.url), 'utf8').trim(),
  );
});
