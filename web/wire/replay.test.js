import assert from 'node:assert/strict';
import { test } from 'node:test';

import { random as seeded } from '../link/lab.test.js';
import { ReplayWindow } from './replay.js';

const REPLAY_WINDOW_SIZE = 1024;
const WINDOW_SIZE = 4096;

const LAST = Number.MAX_SAFE_INTEGER;

/** @type {Record<string, [number, 'new'|'replayed'|'old'][]>} */
const CASES = {
  'in order': [
    [0, 'new'], [1, 'new'], [2, 'new'], [1, 'replayed'], [2, 'replayed'], [0, 'replayed'],
  ],
  'starts late': [
    [5000, 'new'], [5000, 'replayed'], [4999, 'new'], [4999, 'replayed'], [5000 - 1023, 'new'],
    [5000 - 1024, 'old'], [0, 'old'],
  ],
  reordered: [
    [10, 'new'], [12, 'new'], [11, 'new'], [11, 'replayed'], [13, 'new'],
  ],
  "window's edge": [
    [0, 'new'], [1023, 'new'], [0, 'replayed'], [1024, 'new'], [0, 'old'], [1, 'new'], [1, 'replayed'],
  ],
  jump: [
    [1, 'new'], [2, 'new'], [1 + 1024, 'new'], [2, 'replayed'], [1, 'old'], [3, 'new'],
  ],
  'jump of window': [
    [1, 'new'], [1 + 2 * 1024, 'new'], [1025, 'old'], [1026, 'new'], [1026, 'replayed'],
  ],
  'reused bits': [
    [3, 'new'], [4, 'new'], [5, 'new'], [1030, 'new'], [1027, 'new'], [1028, 'new'], [1029, 'new'],
    [1027, 'replayed'],
  ],
  'far jump': [
    [1, 'new'], [2 ** 40, 'new'], [2 ** 40, 'replayed'], [2 ** 40 - 1, 'new'], [1, 'old'],
  ],
  'end of range': [
    [LAST - 1, 'new'], [LAST, 'new'], [LAST, 'replayed'], [0, 'old'], [LAST - 1023, 'new'],
    [LAST - 1024, 'old'],
  ],
};

for (const [name, steps] of Object.entries(CASES)) {
  test(`replay window: ${name}`, () => {
    const window = new ReplayWindow(REPLAY_WINDOW_SIZE);
    for (const [ctr, want] of steps) {
      assert.equal(window.judge(ctr), want, `judge(${ctr})`);
      assert.equal(window.accept(ctr), want === 'new', `accept(${ctr})`);
    }
  });
}

test('a window agrees with a list of everything that it accepted', () => {
  const window = new ReplayWindow(REPLAY_WINDOW_SIZE);
  const accepted = new Set();
  let seed = 1;
  const random = (/** @type {number} */ below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  let center = 10_000;
  let highest = -1;
  for (let round = 0; round < 200_000; round++) {
    center += random(3);
    if (random(2000) === 0) center += random(3000);
    const ctr = center - random(1500);
    const old = ctr < highest && highest - ctr >= REPLAY_WINDOW_SIZE;
    const want = !old && !accepted.has(ctr);
    if (window.accept(ctr) !== want) assert.fail(`accept(${ctr}) with highest ${highest}, want ${want}`);
    if (want) {
      accepted.add(ctr);
      highest = Math.max(highest, ctr);
    }
  }
});

test('how far ahead', () => {
  const window = new ReplayWindow(REPLAY_WINDOW_SIZE);
  assert.equal(window.ahead(2 ** 50), 0);
  window.accept(100);
  assert.equal(window.ahead(99), 0);
  assert.equal(window.ahead(100), 0);
  assert.equal(window.ahead(2 ** 50), 2 ** 50 - 100);
});

test('what is no CTR is refused', () => {
  const window = new ReplayWindow(REPLAY_WINDOW_SIZE);
  for (const ctr of [-1, 0.5, NaN, Infinity, 2 ** 53, /** @type {any} */ (5n)]) {
    assert.equal(window.accept(ctr), false);
  }
  assert.ok(window.accept(0));
});

test('each counter is fresh once, in any order within the window', () => {
  const w = new ReplayWindow(WINDOW_SIZE);
  const seen = new Set();
  const next = seeded(3);
  let highest = 0;
  for (let i = 0; i < 30_000; i++) {
    const counter = Math.max(0, Math.floor(highest + (next() - 0.7) * 3000));
    const fresh = !seen.has(counter) && (counter >= w.next || w.next - counter <= WINDOW_SIZE);
    assert.equal(w.judge(counter) === 'new', fresh, `counter ${counter}, next ${w.next}`);
    if (fresh) {
      w.accept(counter);
      seen.add(counter);
      highest = Math.max(highest, counter);
    }
  }
});

test('what is 4096 or more below the highest is a replay', () => {
  const w = new ReplayWindow(WINDOW_SIZE);
  w.accept(10_000);
  assert.equal(w.judge(10_001 - WINDOW_SIZE) === 'new', true);
  assert.equal(w.judge(10_000 - WINDOW_SIZE) === 'new', false);
  assert.equal(w.judge(10_000), 'replayed');
  assert.equal(w.judge(9_999), 'new');
});

test('a jump over the whole window forgets it', () => {
  const w = new ReplayWindow(WINDOW_SIZE);
  for (let c = 0; c < 5000; c++) w.accept(c);
  w.accept(2 ** 40);
  for (let c = 2 ** 40 - WINDOW_SIZE + 1; c < 2 ** 40; c += 7) assert.equal(w.judge(c) === 'new', true);
  assert.equal(w.next, 2 ** 40 + 1);
});
