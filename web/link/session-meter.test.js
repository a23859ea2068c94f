import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LossMeter, Meter } from './session-meter.js';
import { TICK_EVERY } from './session-liveness.js';

test('it tells the rate soon after media began, not the mean with the silence before', () => {
  const m = new Meter();
  let bytes = 0;
  for (let at = TICK_EVERY; at < 8000; at += TICK_EVERY) {
    const into = at % 4000;
    if (into >= 2000) bytes += 250;
    m.sample(bytes, at);
    const got = m.rate(bytes, at);
    if (into >= 2000 && into < 2200) assert.equal(got, 0, `at ${at}: nobody can know`);
    if (into >= 2200) assert.ok(got >= 4900 && got <= 5100, `${got} B/s at ${at}`);
  }
});

test('it follows the rate, and its end', () => {
  const m = new Meter();
  let bytes = 0;
  for (let at = TICK_EVERY; at < 10_000; at += TICK_EVERY) {
    if (at < 5000) bytes += 250;
    m.sample(bytes, at);
    const got = m.rate(bytes, at + 10);
    if (at > 1000 && at < 5000) assert.ok(got >= 4800 && got <= 5200, `${got} B/s at ${at}`);
    if (at > 6500) assert.equal(got, 0);
  }
});

test('loss is the share of what did not come', () => {
  const m = new LossMeter();
  let [next, received] = [0, 0];
  for (let at = 0; at < 20_000; at += 100) {
    next += 5;
    received += 4;
    m.sample(next, received, at);
  }
  assert.ok(Math.abs(m.recent.share - 0.2) < 0.01, `${m.recent.share}`);
});
