import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BREAK_AFTER, DOUBT_AFTER, Pinger, TICK_EVERY, parsePing, pingData } from './session-liveness.js';

/** Runs a pinger every 50 ms and returns when it wanted a ping. */
function pings(p, from, to, state) {
  const at = [];
  for (let now = from; now < to; now += TICK_EVERY) {
    if (p.due(now, state.sent, false, false)) {
      at.push(now);
      state.sent++;
    }
  }
  return at;
}

test('after 2 s without a packet it pings, and repeats that until there is an answer', () => {
  const p = new Pinger();
  const state = { sent: 0 };
  const at = pings(p, 0, 30_000, state);
  assert.equal(at[0], 2000);
  for (let i = 1; i < at.length; i++) {
    assert.equal(at[i] - at[i - 1], at[i] > 12_200 ? 1000 : 200, `at ${at[i]}`);
  }
  p.answered();
  assert.deepEqual(pings(p, 30_000, 31_000, state), []);
});

test('who sends does not ping', () => {
  const p = new Pinger();
  for (let i = 0; i < 200; i++) assert.equal(p.due(i * TICK_EVERY, Math.floor(i / 20), false, false), false);
});

test('pings before the breaker opens are many', () => {
  const p = new Pinger();
  const second = new Array(20).fill(0);
  let sent = 0;
  for (let now = 0; now < 20_000; now += TICK_EVERY) {
    if (p.due(now, sent, now > DOUBT_AFTER, now > DOUBT_AFTER && now <= BREAK_AFTER)) {
      second[Math.floor(now / 1000)]++;
      sent++;
    }
  }
  [0, 9, 20, 20, 20, 5, 5, 5, 5, 5, 5, 3, 1, 1, 1, 1, 1, 1, 1, 1].forEach((want, i) => {
    assert.ok(Math.abs(second[i] - want) <= 2, `${second[i]} pings in second ${i}: ${second}`);
  });
});

test('what a ping holds comes back', () => {
  for (const at of [0.001, 12_345.678, 1e12]) {
    for (let kind = 0; kind < 4; kind++) {
      const got = parsePing(pingData(at, kind));
      assert.equal(got.kind, kind);
      assert.ok(Math.abs(got.at - at) < 0.001);
    }
  }
});
