import assert from 'node:assert/strict';
import { test } from 'node:test';

import { URGENT_UNDER_WAY, URGENT_WINDOW } from '../wire/frame.js';
import { CALL_MEDIA, ROUTE_WANTED } from '../wire/urgent.js';
import { PACE_BURST, PACE_START } from './session-pace.js';
import { TICK_EVERY } from './session-liveness.js';
import { PING_FRAME, UrgentIn, UrgentOut } from './session-urgent.js';

const OVERHEAD = 46;
const JOINED = 1;
const NOTHING = { media: 0, rtt: 0, jitter: 0 };

function make(n = 0, size = 1) {
  const u = new UrgentOut(OVERHEAD);
  for (let i = 0; i < n; i++) assert.equal(u.add(JOINED, new Uint8Array(size)), true);
  return u;
}

/** The numbers that are due. */
function sentNow(u, now) {
  const numbers = [];
  u.due(now, NOTHING, (m) => numbers.push(m.number));
  return numbers;
}

test('a message is repeated until it is acknowledged', () => {
  const u = make(2);
  for (const [after, want] of [
    [0, [0, 1]], [50, []], [100, [0, 1]], [150, []], [200, [0, 1]], [10_000, [0, 1]],
  ]) {
    assert.deepEqual(sentNow(u, after), want, `after ${after} ms`);
  }
  u.ack({ base: 0, bitmap: 1n }, 0); // 1, not 0
  assert.deepEqual(sentNow(u, 11_000), [0]);
  u.ack({ base: 2, bitmap: 0n }, 0);
  assert.deepEqual(sentNow(u, 12_000), []);
  assert.equal(u.size, 0);
});

test('what sets a call up is repeated sooner once', () => {
  const u = make(1);
  for (const kind of [ROUTE_WANTED, CALL_MEDIA]) u.add(kind, new Uint8Array(1));
  for (const [after, want] of [
    [0, [0, 1, 2]], [50, [1, 2]], [100, [0]], [150, [1, 2]], [200, [0]], [250, [1, 2]],
  ]) {
    assert.deepEqual(sentNow(u, after), want, `after ${after} ms`);
  }
});

test('an acknowledgement of what was never sent counts for nothing later', () => {
  const u = make(1);
  sentNow(u, 0);
  u.ack({ base: 2 ** 40, bitmap: 2n ** 64n - 1n }, 0);
  assert.equal(u.add(JOINED, new Uint8Array(0)), true);
  assert.deepEqual(u.waiting.map((m) => m.number), [1]);
});

test('256 are under way at most', () => {
  const u = make(URGENT_UNDER_WAY);
  assert.equal(u.add(JOINED, new Uint8Array(0)), false);
  sentNow(u, 0);
  u.ack({ base: 1, bitmap: 0n }, 0);
  assert.equal(u.add(JOINED, new Uint8Array(0)), true);
});

test('done is given back once, by ack or by clear', () => {
  const u = new UrgentOut(OVERHEAD);
  const done = () => {};
  for (let i = 0; i < 3; i++) u.add(JOINED, new Uint8Array(0), done);
  sentNow(u, 0);
  assert.equal(u.ack({ base: 1, bitmap: 0n }, 0).length, 1);
  assert.equal(u.ack({ base: 1, bitmap: 0n }, 0).length, 0);
  u.add(JOINED, new Uint8Array(0), done);
  assert.equal(u.clear().length, 3);
  assert.equal(u.clear().length, 0);
});

test('messages that are never acknowledged keep the budget and take turns', () => {
  const u = make(100, 500);
  const seconds = 120;
  const counts = new Map();
  let sent = 0;
  for (let now = 0; now < seconds * 1000; now += TICK_EVERY) {
    u.due(now, NOTHING, (m, ping) => {
      sent += m.body.length + OVERHEAD + (ping ? PING_FRAME : 0);
      // All were sent once.
      if (now > (seconds / 2) * 1000) counts.set(m.number, (counts.get(m.number) ?? 0) + 1);
    });
  }
  const limit = PACE_BURST + seconds * PACE_START + 500 + OVERHEAD;
  assert.ok(sent <= limit && sent >= limit * 0.9, `${sent} bytes, the budget is ${limit}`);
  const times = [...Array(100).keys()].map((n) => counts.get(n) ?? 0);
  assert.ok(Math.min(...times) >= Math.max(...times) - 1, `${times}`);
});

test('first sendings and repeats take turns', () => {
  const u = make(100, 500);
  const seen = new Set();
  let [first, repeats] = [0, 0];
  for (let now = 0; now < 20_000; now += TICK_EVERY) {
    u.due(now, { ...NOTHING, rtt: 300 }, (m) => {
      if (seen.has(m.number)) repeats++;
      else first++;
      seen.add(m.number);
    });
  }
  assert.ok(first >= 30 && repeats >= 30, `${first} first sendings, ${repeats} repeats`);
});

test('the budget does not pile up', () => {
  const u = make(1);
  sentNow(u, 0);
  u.ack({ base: 1, bitmap: 0n }, 0);
  for (let i = 0; i < 200; i++) u.add(JOINED, new Uint8Array(1000));
  assert.equal(sentNow(u, 3_600_000).length, 2);
});

test('a number is received once, in any order', () => {
  const u = new UrgentIn();
  const steps = [
    [0, true, true, 1, 0n],
    [0, false, true, 1, 0n],
    [3, true, true, 1, 0b10n],
    [2, true, true, 1, 0b11n],
    [3, false, true, 1, 0b11n],
    [1, true, true, 4, 0n],
    [2, false, true, 4, 0n],
    [4 + URGENT_WINDOW, false, false, 4, 0n], // beyond the window
    [4 + URGENT_WINDOW - 1, true, true, 4, 0n],
    [4 + URGENT_WINDOW - 1, false, true, 4, 0n],
    [4 + 64, true, true, 4, 1n << 63n],
    [2 ** 52, false, false, 4, 1n << 63n],
  ];
  for (const [number, fresh, ok, base, bitmap] of steps) {
    const got = u.fresh(number);
    if (got.fresh) u.accept(number);
    assert.deepEqual([got.fresh, got.ok, u.ack()], [fresh, ok, { base, bitmap }], `number ${number}`);
  }
});

test('the window slides', () => {
  const u = new UrgentIn();
  for (let block = 0; block < 10_000; block += 500) {
    for (let i = 0; i < 500; i++) {
      const number = block + ((i * 7 + 3) % 500);
      assert.deepEqual(u.fresh(number), { fresh: true, ok: true });
      u.accept(number);
      assert.equal(u.fresh(number).fresh, false);
    }
    assert.deepEqual(u.ack(), { base: block + 500, bitmap: 0n });
  }
});
