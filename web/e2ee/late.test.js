/** Keys that later ones overtook, as Go's late_test.go pins them. @module */

import assert from 'node:assert/strict';
import test from 'node:test';

import {AcceptedNumbers, MAX_OVERTAKEN} from './late.js';
import {HeldTalker, MAX_GENERATIONS} from './held-talker.js';
import {MadeKey, Party, at, chain, heard, unheard} from './talker-party.test.js';

const good = MadeKey.good;

test('a key that was overtaken opens the frames that wait for it, once, and no longer than if it had come in time', async () => {
  const [a, b] = [await Party.create('a'), await Party.create('b')];
  const first = await good(1, 0x10, 0, (await chain('one'))[0]);
  const second = await good(2, 0x20, 50, (await chain('two'))[0]);
  const frame = await first.frame(a, 0, 7);
  assert.equal(await b.takes(a, second, at(0)), true);
  await unheard(frame, 'no_key', at(0), b);
  assert.equal(await b.takes(a, first, at(3)), false);
  await heard(frame, 'words', at(3), b);
  await heard(await second.frame(a, 0, 51), 'words', at(3), b);
  await b.refuses(a, first, 'known_key', '', at(3));
  assert.equal(b.listener.expire(at(3)), at(10)); // 10 s after the second
  b.listener.expire(at(10));
  await unheard(frame, 'no_key', at(10), b);
  await b.refuses(a, first, 'known_key', '', at(10));
  await heard(await second.frame(a, 0, 52), 'words', at(10), b);
});

test('what was accepted does not come back as overtaken, nor what is too old or breaks the order of CTRs', async () => {
  const [a, b] = [await Party.create('a'), await Party.create('b')];
  const w = (await chain('key'))[0];
  const key = (/** @type {number} */ number, /** @type {number} */ generation, /** @type {number} */ first) =>
    good(number, generation << 4, first, w);
  await b.takes(a, await key(11, 1, 100), at(0));
  await b.takes(a, await key(12, 2, 200), at(1));
  b.listener.expire(at(11));
  await b.takes(a, await key(20, 4, 400), at(11));
  await b.refuses(a, await key(11, 1, 100), 'known_key', '', at(11)); // too far below
  await b.refuses(a, await key(12, 1, 200), 'known_key', '', at(11)); // accepted before
  await b.refuses(a, await key(13, 4, 300), 'known_key', '', at(11)); // its generation is held
  await b.refuses(a, await key(13, 3, 401), 'known_key', '', at(11)); // its first CTR is above
  await b.refuses(a, await key(13, 3, 300), 'known_key', '', at(21)); // too late
  assert.equal(await b.takes(a, await key(13, 3, 300), at(20.9)), false);
});

test('accepted numbers are a set', () => {
  const accepted = new AcceptedNumbers();
  const taken = new Set();
  let last = 0;
  for (const number of [1, 2, 5, 6, 13, 14, 80, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1]) {
    accepted.advance(number, last);
    last = number;
    taken.add(number);
    for (let below = 0; below <= MAX_OVERTAKEN && below < number; below++) {
      assert.equal(accepted.has(below), taken.has(number - below), `at ${number}, ${below} below`);
    }
  }
  accepted.add(5);
  assert.ok(accepted.has(5) && !accepted.has(4) && !accepted.has(6));
});

test("a talker's generations stay in order, and bounded, whatever comes late", async () => {
  const talker = new HeldTalker('00');
  const header = async (
    /** @type {number} */ number, /** @type {number} */ generation, /** @type {number} */ first,
  ) => (await good(number, generation << 4, first, new Uint8Array(16))).header;
  for (let i = 0; i < 14; i++) {
    const h = await header(2 * i + 2, i, i);
    talker.add(h, new Uint8Array(16), at(0));
    talker.accept(h, null);
  }
  talker.addLate(await header(25, 14, 11), new Uint8Array(16));
  talker.addLate(await header(27, 15, 12), new Uint8Array(16));
  const held = talker.generations;
  assert.equal(held.length, MAX_GENERATIONS);
  assert.equal(held[held.length - 1].number, 28);
  assert.equal(held[held.length - 1].over, null);
  assert.ok(held.slice(0, -1).every(({over}) => over === at(0)));
});
