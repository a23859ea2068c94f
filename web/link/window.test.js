import assert from 'node:assert/strict';
import { test } from 'node:test';

import { random } from './lab.test.js';
import { WINDOW_SIZE, Window } from './window.js';

test('each counter is fresh once, in any order within the window', () => {
  const w = new Window();
  const seen = new Set();
  const next = random(3);
  let highest = 0;
  for (let i = 0; i < 30_000; i++) {
    const counter = Math.max(0, Math.floor(highest + (next() - 0.7) * 3000));
    const fresh = !seen.has(counter) && (counter >= w.next || w.next - counter <= WINDOW_SIZE);
    assert.equal(w.fresh(counter), fresh, `counter ${counter}, next ${w.next}`);
    if (fresh) {
      w.mark(counter);
      seen.add(counter);
      highest = Math.max(highest, counter);
    }
  }
});

test('what is 4096 or more below the highest is a replay', () => {
  const w = new Window();
  w.mark(10_000);
  assert.equal(w.fresh(10_001 - WINDOW_SIZE), true);
  assert.equal(w.fresh(10_000 - WINDOW_SIZE), false);
  assert.equal(w.received(10_000), true);
  assert.equal(w.received(9_999), false);
});

test('a jump over the whole window forgets it', () => {
  const w = new Window();
  for (let c = 0; c < 5000; c++) w.mark(c);
  w.mark(2 ** 40);
  for (let c = 2 ** 40 - WINDOW_SIZE + 1; c < 2 ** 40; c += 7) assert.equal(w.fresh(c), true);
  assert.equal(w.next, 2 ** 40 + 1);
});
