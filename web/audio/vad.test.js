import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { random } from '../jitter/sim.test.js';
import { levelOf } from './level.js';
import { BANDS, Spectrum } from './spectrum.js';
import { Vad } from './vad.js';

const FOLDER = '/usr/share/sounds/alsa'; // of Debian's alsa-utils: speech at 48 kHz, mono, 16 bits
const skip = existsSync(`${FOLDER}/Front_Center.wav`) ? false : `${FOLDER} is not there`;
const FRAME = 960;
const PRE_ROLL = 10; // frames

/** @param {string} name */
function wav(name) {
  const file = readFileSync(`${FOLDER}/${name}`);
  const data = file.subarray(file.indexOf('data') + 8);
  return Float32Array.from({ length: data.length >> 1 }, (_, i) => data.readInt16LE(2 * i) / 32_768);
}

/** @type {Float32Array[]} read once, for every test takes them all */
const files = skip ? [] : readdirSync(FOLDER).filter((name) => name !== 'Noise.wav').map(wav);

/** Every file, with a pause after each. @param {number} gain dB @param {number} pause s */
function talk(gain, pause) {
  const parts = [new Float32Array(48_000)];
  for (const pcm of files) {
    parts.push(
      pcm.map((v) => v * 10 ** (gain / 20)), new Float32Array(48_000 * pause),
    );
  }
  const out = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * Noise at 0 dBFS, white and pink, of the greatest length that was asked for: making it takes longer than the
 * tests.
 */
const noises = { white: new Float64Array(0), pink: new Float64Array(0) };

/** @param {number} length */
function makeNoises(length) {
  if (noises.white.length >= length) return noises;
  const rnd = random(7);
  let low = 0;
  noises.white = Float64Array.from(
    { length }, () => Math.sqrt(-2 * Math.log(rnd() + 1e-12)) * Math.cos(2 * Math.PI * rnd()),
  );
  noises.pink = noises.white.map((v) => low = 0.98 * low + 0.2 * v);
  return noises;
}

/** @param {Float32Array} pcm @param {number} level dBFS @param {boolean} pink */
function withNoise(pcm, level, pink) {
  const noise = makeNoises(pcm.length)[pink ? 'pink' : 'white'];
  const gain = 10 ** (level / 20);
  return pcm.map((v, i) => v + noise[i] * gain);
}

/**
 * Frame by frame: how loud the clean speech is, and whether the frame is sent.
 * @param {Float32Array} clean @param {Float32Array} heard
 */
function gate(clean, heard) {
  const vad = new Vad();
  const frames = [];
  for (let at = 0; at + FRAME <= clean.length; at += FRAME) {
    const was = vad.active;
    const sent = vad.process(heard.subarray(at, at + FRAME));
    const onset = vad.onset;
    frames.push({
      level: levelOf(clean.subarray(at, at + FRAME)), open: sent, sent, opened: sent && !was ? onset : 0,
    });
  }
  frames.forEach(({ opened }, k) => {
    for (let j = Math.max(0, k - PRE_ROLL); opened > 0 && j < k; j++) frames[j].sent = true;
  });
  return frames;
}

for (const gain of [0, -20, -30]) {
  for (const noise of [-100, -80, -70, -60, -50]) {
    test(`speech at ${gain} dB in noise of ${noise} dBFS`, { skip }, () => {
      const clean = talk(gain, 1.2);
      for (const pink of [false, true]) {
        const frames = gate(clean, withNoise(clean, noise, pink));
        const peak = Math.max(...frames.map(({ level }) => level));
        if (peak - noise < 15) continue; // hardly heard by people
        // Spoken: within 40 dB of the loudest, and not drowned.
        const spoken = frames.filter(({ level }) => level > Math.max(peak - 40, noise - 3));
        assert.ok(spoken.length > 150);
        assert.equal(spoken.filter(({ sent }) => !sent).length, 0, 'spoken frames lost');
        // Silence: a while after speech and well before the next; the noise has been learnt by then.
        const silence = frames.filter((_, k) => k > 45
          && frames.slice(Math.max(0, k - 18), k + 12).every(({ level }) => level < -90));
        assert.ok(silence.length > 250);
        assert.equal(silence.filter(({ open }) => open).length, 0, 'silence sent');
      }
    });
  }
}

test('the onset says how much of the pre-roll is worth sending', { skip }, () => {
  const clean = talk(0, 1.2);
  const opened = gate(clean, withNoise(clean, -70, false))
    .map((frame) => frame.opened)
    .filter((ms) => ms > 0);
  assert.ok(opened.length >= 8);
  assert.ok(opened.every((ms) => ms >= 30 && ms <= 200));
  assert.ok(opened.reduce((a, b) => a + b, 0) / opened.length < 100, `${opened}`);
});

test('two minutes of speech without a pause stay open', { skip }, () => {
  const once = talk(0, 0).subarray(48_000);
  const frames = [];
  const vad = new Vad();
  for (let round = 0; round < 12; round++) {
    for (let at = 0; at + FRAME <= once.length; at += FRAME) {
      const pcm = once.subarray(at, at + FRAME);
      frames.push({ open: vad.process(pcm), level: levelOf(pcm) });
    }
  }
  const lost = frames.filter(({ open, level }, k) => k > 10 && level > -40 && !open);
  assert.equal(lost.length, 0);
});

test('a fan that starts is learnt within seconds, and speech over it is found', { skip }, () => {
  const clean = talk(0, 1.2);
  const vad = new Vad();
  const fan = withNoise(new Float32Array(48_000 * 20), -50, true);
  let open = 0;
  for (let at = 0; at < fan.length; at += FRAME) open = vad.process(fan.subarray(at, at + FRAME)) ? at : open;
  assert.ok(open < 48_000 * 8, `open until ${open / 48_000} s`);
  const heard = withNoise(clean, -50, true);
  let spoken = 0;
  for (let at = 0; at + FRAME <= heard.length; at += FRAME) {
    spoken += vad.process(heard.subarray(at, at + FRAME)) ? 1 : 0;
  }
  assert.ok(spoken > 300);
});

test('the power in the bands is that of the Fourier transform', () => {
  const rnd = random(2);
  const pcm = Float32Array.from({ length: 960 }, () => rnd() - 0.5);
  const window = Float64Array.from(pcm, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / 960));
  const spectrum = new Spectrum();
  spectrum.analyse(pcm.subarray(0, 480));
  const power = spectrum.analyse(pcm.subarray(480));
  const edges = [2, 6, 13, 26, 47, 81, 160];
  assert.equal(power.length, BANDS);
  for (let band = 0; band < BANDS; band++) {
    let wanted = 0;
    for (let k = edges[band]; k < edges[band + 1]; k++) {
      let [re, im] = [0, 0];
      pcm.forEach((v, i) => {
        re += v * window[i] * Math.cos((2 * Math.PI * k * i) / 1024);
        im += v * window[i] * Math.sin((2 * Math.PI * k * i) / 1024);
      });
      wanted += 2 * (re * re + im * im);
    }
    wanted /= 1024 * window.reduce((sum, w) => sum + w * w, 0);
    assert.ok(Math.abs(power[band] - wanted) < 1e-9 * wanted, `band ${band}: ${power[band]}, not ${wanted}`);
  }
});

test('digital silence and broken samples are no speech', () => {
  const vad = new Vad();
  for (let i = 0; i < 100; i++) assert.equal(vad.process(new Float32Array(FRAME)), false);
  for (const bad of [NaN, Infinity]) {
    vad.process(new Float32Array(FRAME).fill(bad));
    for (let i = 0; i < 100; i++) vad.process(new Float32Array(FRAME));
    assert.equal(vad.active, false);
  }
});

test('any length of frame', () => {
  const vad = new Vad();
  const rnd = random(1);
  for (let i = 0; i < 300; i++) vad.process(new Float32Array(Math.floor(rnd() * 3000)).fill(0.001));
  assert.ok(vad.onset >= 30 && vad.onset <= 200);
});
