import assert from 'node:assert/strict';
import {test} from 'node:test';

import {Views} from './views.js';

const ALICE = '010000000000';
const BOB = '020000000000';
const NEVER = 0;

/** @param {...number} first bytes of a digest */
function view(...first) {
  const digest = new Uint8Array(32);
  digest.set(first);
  return digest;
}

/** @param {number} seconds */
const at = (seconds) => Math.round(1e6 + 1000 * seconds); // whole ms, so that sums are exact

const ONE = view(1);
const TWO = view(2);
const THREE = view(3);

/**
 * @param {Views} v @param {number} now @param {string[]} ask @param {string[]} warn @param {number} next
 */
function wantDue(v, now, ask, warn, next) {
  assert.deepEqual(v.due(now), {ask, warn, next}, `after ${(now - at(0)) / 1000} s`);
}

test('views that agree', () => {
  const v = new Views();
  v.mine(ONE, at(0));
  v.theirs(ALICE, ONE, at(1));
  v.mine(TWO, at(2));
  v.mine(TWO, at(3));
  v.theirs(ALICE, TWO, at(4));
  v.theirs(BOB, ONE, at(5)); // ours until 3 s ago
  wantDue(v, at(100), [], [], NEVER);
  v.theirs(BOB, ONE, at(5.1));
  wantDue(v, at(5.1), [], [], at(8.1));
});

// A ghost: the talker sees somebody whom we do not, and says so again when asked.
test('views warn once', () => {
  const v = new Views();
  v.mine(ONE, at(0));
  v.theirs(BOB, TWO, at(20));
  v.theirs(ALICE, THREE, at(20));
  wantDue(v, at(20), [], [], at(23));
  wantDue(v, at(22.9), [], [], at(23));
  wantDue(v, at(23), [ALICE, BOB], [], at(26));
  v.theirs(ALICE, THREE, at(23.1));
  v.theirs(BOB, TWO, at(23.1));
  wantDue(v, at(23.1), [], [], at(26));
  v.retain((id) => id !== BOB);
  wantDue(v, at(26), [ALICE], [], at(30));
  wantDue(v, at(29.9), [], [], at(30));
  wantDue(v, at(30), [], [ALICE], NEVER);
  wantDue(v, at(31), [], [], NEVER);
  v.theirs(ALICE, TWO, at(32)); // still another one
  wantDue(v, at(60), [], [], NEVER);

  v.theirs(ALICE, ONE, at(61)); // matches: the next time counts anew
  wantDue(v, at(62), [], [], NEVER);
  v.theirs(ALICE, TWO, at(70));
  wantDue(v, at(80), [ALICE], [ALICE], NEVER); // called late, each once
});

// A talker's key tells of a change before we heard of it.
test('views match later', () => {
  const v = new Views();
  v.mine(ONE, at(0));
  v.theirs(ALICE, TWO, at(10));
  wantDue(v, at(13), [ALICE], [], at(16));
  v.mine(TWO, at(15));
  wantDue(v, at(30), [], [], NEVER);
  v.theirs(ALICE, THREE, at(31));
  wantDue(v, at(34), [ALICE], [], at(37));
  v.mine(THREE, at(41.5)); // after the warning was due, if nobody asked
  wantDue(v, at(41.5), [], [], NEVER);
});

// Two changes cross: the talker saw the one first and we the other, so its view was never ours. The answer to
// the first question settles it.
test('views that cross', () => {
  const v = new Views();
  const [first, other, both] = [view(11), view(12), view(13)];
  v.mine(ONE, at(0));
  v.mine(first, at(20));
  v.theirs(ALICE, other, at(20.1));
  v.mine(both, at(20.2));
  wantDue(v, at(20.2), [], [], at(23.1));
  wantDue(v, at(23.1), [ALICE], [], at(26.1));
  v.theirs(ALICE, both, at(23.3));
  wantDue(v, at(60), [], [], NEVER);
});

// A later key that matches settles those before, not the other way round.
test('views in order', () => {
  const v = new Views();
  v.mine(ONE, at(0));
  v.theirs(ALICE, TWO, at(10));
  v.theirs(ALICE, THREE, at(12));
  v.mine(TWO, at(12.5));
  wantDue(v, at(12.5), [], [], at(15)); // 3 s from the one that is left
  v.mine(THREE, at(13));
  wantDue(v, at(60), [], [], NEVER);

  v.theirs(ALICE, ONE, at(70));
  v.theirs(ALICE, TWO, at(71));
  v.mine(TWO, at(72));
  wantDue(v, at(90), [], [], NEVER);
});

test('views before the first', () => {
  const v = new Views();
  v.theirs(ALICE, TWO, at(0));
  v.theirs(BOB, ONE, at(0));
  wantDue(v, at(100), [], [], NEVER);
  v.mine(ONE, at(100));
  wantDue(v, at(100), [], [], at(103));
  wantDue(v, at(103), [ALICE], [], at(106));
  wantDue(v, at(106), [ALICE], [], at(110));
  wantDue(v, at(110), [], [ALICE], NEVER);
  v.retain((id) => id !== ALICE);
  v.retain((id) => id !== ALICE);
});

// Time runs from the first view that differs, however many follow.
test('views are bounded', () => {
  const v = new Views();
  v.mine(ONE, at(0));
  for (let i = 0; i < 100; i++) v.theirs(ALICE, view(9, i), at(20 + i / 100));
  assert.equal(v.size.differing, 8);
  wantDue(v, at(30), [ALICE], [ALICE], NEVER);
  for (let i = 0; i < 1000; i++) v.mine(view(10, i & 0xff, i >> 8), at(30 + i / 1000));
  assert.equal(v.size.past, 256);
  v.theirs(BOB, view(10, 0xe6, 0x03), at(31)); // of the last but one
  wantDue(v, at(60), [], [], NEVER);
  v.mine(ONE, at(60));
  assert.equal(v.size.past, 1);
});

// A talker that says the same in frame after frame differs since it said so first.
test('views that are repeated', () => {
  const v = new Views();
  v.mine(ONE, at(0));
  for (let i = 0; i < 100; i++) {
    v.theirs(ALICE, TWO, at(20 + i / 20));
    v.theirs(ALICE, THREE, at(20 + i / 20));
  }
  assert.equal(v.size.differing, 2);
  wantDue(v, at(29.9), [ALICE], [], at(30));
  wantDue(v, at(30), [], [ALICE], NEVER);
  v.theirs(ALICE, TWO, at(31));
  wantDue(v, at(100), [], [], NEVER);
});

// It is the last time that a talker said it that counts when a repeated view matches.
test('repeated views in order', () => {
  const v = new Views();
  v.mine(ONE, at(0));
  v.theirs(ALICE, TWO, at(20));
  v.theirs(ALICE, THREE, at(21));
  v.theirs(ALICE, TWO, at(22));
  v.mine(TWO, at(22.5));
  wantDue(v, at(60), [], [], NEVER);

  v.theirs(ALICE, ONE, at(60));
  v.theirs(ALICE, THREE, at(61));
  v.theirs(ALICE, ONE, at(62));
  v.mine(THREE, at(62.5)); // settles what was before 61 s
  wantDue(v, at(62.5), [], [], at(64));
});

test('retain', () => {
  const v = new Views();
  v.retain(() => false);
  v.mine(ONE, at(0));
  v.theirs(ALICE, TWO, at(20));
  v.theirs(BOB, TWO, at(21));
  v.retain((id) => id === BOB);
  wantDue(v, at(21), [], [], at(24));
  wantDue(v, at(24), [BOB], [], at(27));
});
