import assert from 'node:assert/strict';
import {test} from 'node:test';

import {GoneTalkers, MAX_GONE} from './gone.js';
import {HeldTalker} from './held-talker.js';

/** A hash that looks like one. @param {number} n */
function hash(n) {
  let out = '';
  for (let x = n + 1; out.length < 64;) {
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    x = Math.imul(x ^ (x >>> 13), 0x297a2d39);
    x ^= x >>> 16;
    out += (x >>> 0).toString(16).padStart(8, '0');
  }
  return out;
}

/** @param {number} number @param {number} firstCtr */
const header = (number, firstCtr) => /** @type {any} */ ({number, firstCtr});

test('no number of guests who came and went mutes a newcomer, or makes who is not remembered new', () => {
  const gone = new GoneTalkers();
  const many = MAX_GONE + 200_000;
  for (let n = 0; n < many; n++) {
    const talker = new HeldTalker(hash(n));
    talker.number = 1;
    gone.put(talker);
  }
  assert.equal(gone.size, MAX_GONE);
  for (let n = 0; n < 1000; n++) {
    assert.equal(gone.check(hash(n), header(99, 0)), 'known', 'refused for good');
    assert.equal(gone.check(hash(many - 1 - n), header(2, 0)), null, 'remembered');
    assert.equal(gone.check(hash(many + n), header(1, 0)), null, 'new');
  }
});

test('a talker of many streams takes no more space, and nothing of it is taken twice', () => {
  const gone = new GoneTalkers();
  const talker = new HeldTalker(hash(1));
  talker.number = 3;
  for (let stream = 0; stream < 256; stream++) talker.windows.accept(stream, 1000 + stream);
  gone.put(talker);
  const back = gone.back(hash(1));
  assert.ok(back);
  assert.deepEqual(back.windows.sizes, {recent: 0, floors: 0});
  for (let stream = 0; stream < 256; stream++) {
    assert.equal(back.windows.accept(stream, 1000 + stream), 'replayed');
    assert.equal(back.windows.accept(stream, 1256), 'new');
  }
  assert.equal(gone.back(hash(1)), null);
});
