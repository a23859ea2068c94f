// When a microphone is opened anew because its clock has lost time.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CaptureLag } from './capture-lag.js';

/**
 * Looks for so many seconds, and returns at which the microphone was opened anew.
 * @param {number} seconds @param {(s: number) => number} behind ms that the clock has lost
 * @param {(s: number) => number} [level] dBFS
 */
function opened(seconds, behind, level = () => -60) {
  const lag = new CaptureLag();
  const times = [];
  for (let look = 0; look < seconds * 10; look++) {
    const s = look / 10;
    const leaps = 9 * (look % 3); // the page sees the clock late at times
    if (lag.look(s * 1000, s * 1000 - behind(s) - leaps, level(s))) times.push(s);
  }
  return times;
}

test('a clock that keeps time, or goes a little slower than that of the page, is no reason', () => {
  assert.deepEqual(opened(3600, () => 0), []);
  assert.deepEqual(opened(3600, (s) => s * 0.4), [], '400 parts in a million');
  assert.deepEqual(opened(3600, (s) => s * -0.4), []);
  assert.deepEqual(opened(60, (s) => (s > 30 ? 60 : 0)), [], 'so little is not heard');
});

test('nor is a page whose clock goes in steps of 100 ms', () => {
  const lag = new CaptureLag();
  for (let look = 0; look < 36_000; look++) {
    const now = look * 100.07;
    assert.equal(lag.look(100 * Math.floor(now / 100), now, -60), false, `${now} ms`);
  }
});

test('a clock that loses time is one, in the next pause', () => {
  const lost = (s) => (s > 30 ? 180 : 0);
  const [at, ...more] = opened(300, lost);
  assert.ok(at > 32.9 && at < 33.3, `${at} s`);
  assert.deepEqual(more, []);
  const [pause] = opened(300, lost, (s) => (s > 29 && s < 40 ? -20 : -60));
  assert.ok(pause > 40.1 && pause < 40.5, `${pause} s`);
  const fall = (s) => Math.max(-100, -20 - 36 * ((s + 1e-9) % 1)); // said once a second, as level.js tells it
  const [between] = opened(300, lost, (s) => (s % 1 < 0.3 ? -20 : fall(s)));
  assert.ok(between < 35, `${between} s`);
  const [never] = opened(300, lost, () => -20);
  assert.ok(never > 50 && never < 52, `${never} s`);
});

test('that waits until no more is lost, but not for ever', () => {
  const [at] = opened(60, (s) => 100 * Math.min(5, Math.floor(s / 2)));
  assert.ok(at > 12 && at < 13.5, `${at} s`);
  const times = opened(300, (s) => Math.floor(s) * 100);
  assert.ok(times.length >= 3 && times.length <= 4, String(times));
  times.slice(1).forEach((at, i) => assert.ok(at - times[i] >= 30 * 2 ** i, String(times)));
});

test('while the machine is asleep nothing is lost', () => {
  const lag = new CaptureLag();
  let now = 0;
  for (let look = 0; look < 600; look++) {
    now += look === 300 ? 60_000 : 100;
    assert.equal(lag.look(now, now - (look >= 300 ? 60_000 : 0), -60), false);
  }
});
