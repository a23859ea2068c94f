import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { random } from '../jitter/sim.test.js';
import { findEcho, testSound } from './echo.js';

const FILE = '/usr/share/sounds/alsa/Front_Center.wav';

/**
 * Noise with an echo in it.
 * @param {number} seed @param {number} noise level @param {number} echo level @param {number} delay samples
 */
function recording(seed, noise, echo, delay) {
  const rnd = random(seed);
  const sent = testSound();
  const out = new Float32Array(sent.length + 24_000);
  for (let i = 0; i < out.length; i++) {
    out[i] = noise * (rnd() + rnd() + rnd() - 1.5);
    if (i >= delay && i - delay < sent.length) out[i] += echo * sent[i - delay];
  }
  return out;
}

test('an echo is found, with its delay', () => {
  for (const delay of [500, 3000, 9600]) {
    for (const echo of [1, 0.1, 0.01]) {
      const found = findEcho(recording(delay, 0.0005, echo, delay));
      assert.equal(found.heard, true, `delay ${delay}, echo ${echo}: ${JSON.stringify(found)}`);
      assert.ok(Math.abs(found.delay - delay / 48) < 2);
    }
  }
});

test('noise and silence are no echo', () => {
  for (let seed = 0; seed < 20; seed++) assert.equal(findEcho(recording(seed, 0.02, 0, 0)).heard, false);
  assert.equal(findEcho(new Float32Array(60_000)).heard, false);
});

test('speech is no echo', { skip: existsSync(FILE) ? false : `${FILE} is not there` }, () => {
  const file = readFileSync(FILE);
  const data = file.subarray(file.indexOf('data') + 8);
  const pcm = Float32Array.from({ length: data.length >> 1 }, (_, i) => data.readInt16LE(2 * i) / 32_768);
  const n = testSound().length + 24_000;
  for (let from = 0; from + n < pcm.length; from += 3000) {
    assert.equal(findEcho(pcm.subarray(from, from + n)).heard, false);
  }
});
