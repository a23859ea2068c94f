import assert from 'node:assert/strict';
import { test } from 'node:test';
import { driftRate, MAX_RATE, speed } from './speed.js';
import { slewTarget, Stalls } from './target-delay.js';
import { Expander } from './expand.js';
import { Fifo } from './fifo.js';
import { lostMedia } from './gap.js';
import { packetSamples } from './opus.js';
import { MAX_PERIOD } from './pitch.js';
import { Resampler } from './resample.js';
import { random } from './sim.test.js';
import { MS, SECOND, toSamples } from './units.js';
import { MinWindow, QuantileWindow } from './window.js';

test('quantiles of the last values', () => {
  const w = new QuantileWindow(100);
  w.add(5000);
  assert.equal(w.high(50, 50, 0), 0, 'a single value decided');
  const rnd = random(1);
  const all = [];
  for (let i = 0; i < 1000; i++) {
    const v = Math.floor(rnd() * 1000);
    w.add(v);
    all.push(v);
  }
  const last = all.slice(900).sort((a, b) => a - b);
  assert.equal(w.high(50, 50, 0), last[97]);
  assert.equal(w.median(), last[50]);
  w.add(10_000);
  w.undo();
  assert.equal(w.count, 99);
  assert.ok(w.high(50, 50, 0) < 1000);
});

test('the least value of a window', () => {
  const w = new MinWindow(10);
  assert.equal(w.add(7, 1000), 7);
  assert.equal(w.add(9, 1069), 7, '8 buckets');
  assert.equal(w.add(9, 1080), 9, 'forgotten');
  assert.equal(w.add(11, 5000), 11, 'all forgotten after a pause');
  assert.equal(w.add(12, 100), 12, 'all forgotten when the clock goes back');
});

test('stalls count from the second on', () => {
  const s = new Stalls();
  s.add(100, 0);
  assert.equal(s.second(SECOND), -Infinity);
  s.add(300, SECOND);
  s.add(200, 2 * SECOND);
  assert.equal(s.second(3 * SECOND), 200);
  assert.equal(s.second(32 * SECOND), -Infinity);
});

test('the target rises at once and falls slowly', () => {
  assert.equal(slewTarget(10 * MS, 200 * MS, 0), 200 * MS);
  assert.equal(slewTarget(200 * MS, 100 * MS, SECOND), 150 * MS);
  assert.equal(slewTarget(101 * MS, 100 * MS, SECOND), 100 * MS);
});

test('speed by error', () => {
  for (const [ms, want] of [[-50, 0.9], [0, 1], [10, 1], [30, 1.1], [530, 1.3], [3000, 1.5]]) {
    assert.ok(Math.abs(speed(ms * MS) - want) < 1e-9, `${ms} ms`);
  }
  assert.equal(driftRate(0), 0);
  assert.equal(driftRate(100 * MS), MAX_RATE);
  assert.equal(driftRate(-100 * MS), -MAX_RATE);
});

test('lost speech or lost markers', () => {
  for (const [name, gap, missing, want] of /** @type {[string, number, number, number][]} */ ([
    ['nothing missing: silence', 500, 0, 0],
    ['one frame', 20, 1, 20],
    ['ten frames', 200, 10, 200],
    ['more missing than fits', 40, 10, 40],
    ['all markers, then speech after 1 s', 1000, 5, 0],
    ['one frame and all markers, then speech', 1020, 6, 20],
    ['three frames and all markers of 5 s', 5060, 18, 60],
    ['a talker without keep-alives', 5000, 1, 20],
  ])) assert.equal(lostMedia(gap * MS, missing, 20 * MS), want * MS, name);
});

test('how long an Opus packet is', () => {
  for (const [bytes, want] of /** @type {[number[], number][]} */ ([
    [[], 0], [[0x08], 960], [[0x18], 2880], [[0x78], 960], [[0xe0], 120], [[0xf9], 1920], [[0xfb], 0],
    [[0xfb, 3], 2880], [[0xfb, 63], 0], [[0xfb, 0], 0],
  ])) assert.equal(packetSamples(Uint8Array.from(bytes)), want, `${bytes}`);
});

test('times are bounded', () => {
  assert.equal(toSamples(1.5), 72);
  assert.equal(toSamples(NaN), 0);
  assert.ok(Number.isSafeInteger(toSamples(Infinity)) && Number.isSafeInteger(toSamples(-Infinity)));
});

/** A voice-like sum of harmonics. @param {number} hz @param {number} n */
function voice(hz, n) {
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    for (let h = 1; h * hz < 4000; h++) {
      out[i] += (0.2 / h) * Math.sin((2 * Math.PI * hz * h * i) / SECOND + h * h);
    }
  }
  return out;
}

/** @param {Float32Array} pcm */
function steepest(pcm) {
  let most = 0;
  for (let i = 1; i < pcm.length; i++) most = Math.max(most, Math.abs(pcm[i] - pcm[i - 1]));
  return most;
}

test('pitch periods are found, and cut or repeated without a step', () => {
  for (const hz of [75, 110, 180, 260, 390]) {
    const signal = voice(hz, 8000);
    for (const longer of [false, true]) {
      const f = new Fifo();
      f.append(signal);
      f.read += 2000;
      const { period, correlation } = longer ? f.backward(MAX_PERIOD) : f.forward(MAX_PERIOD);
      const cycles = (period * hz) / SECOND;
      assert.ok(correlation > 0.99, `${hz} Hz: correlation ${correlation}`);
      assert.ok(
        Math.abs(cycles - Math.round(cycles)) <= 0.01 * Math.round(cycles) + 0.01,
        `${hz} Hz: ${cycles} cycles`,
      );
      const want = f.unread + (longer ? period : -period);
      if (longer) f.repeat(period);
      else f.remove(period);
      assert.equal(f.unread, want);
      assert.ok(
        steepest(f.buf.subarray(f.read - 1, f.write)) <= steepest(signal) * 1.05,
        `${hz} Hz, longer ${longer}`,
      );
    }
  }
});

test('the last sound goes on without a step', () => {
  for (const hz of [75, 110, 180, 260, 390, 1000]) {
    const signal = voice(hz, 3000);
    const f = new Fifo();
    f.append(signal);
    const more = new Float32Array(1920);
    new Expander().next(more, f);
    const both = new Float32Array([...signal.subarray(2000), ...more]);
    assert.ok(steepest(both) <= steepest(signal) * 1.1, `${hz} Hz`);
    const ideal = voice(hz, 4920).subarray(3000);
    let [noise, power] = [0, 0];
    ideal.forEach((v, i) => {
      noise += (v - more[i]) ** 2;
      power += v * v;
    });
    assert.ok(10 * Math.log10(power / noise) > 10, `${hz} Hz: ${10 * Math.log10(power / noise)} dB`);
  }
});

test('the resampler keeps the signal', () => {
  for (const hz of [300, 3000, 8000]) {
    for (const rate of [MAX_RATE, -MAX_RATE, 50e-6]) {
      const [f, r] = [new Fifo(), new Resampler()];
      r.rate = rate;
      f.append(Float32Array.from({ length: 12_000 }, (_, i) => Math.sin((2 * Math.PI * hz * i) / SECOND)));
      const dst = new Float32Array(480);
      let [noise, n] = [0, 0];
      for (let block = 0; block < 20; block++) {
        r.read(dst, f);
        for (const v of dst) {
          if (n > 8) noise += (v - Math.sin((2 * Math.PI * hz * n * (1 + rate)) / SECOND)) ** 2;
          n++;
        }
      }
      const snr = 10 * Math.log10(n / 2 / noise);
      assert.ok(snr >= 35, `${hz} Hz at ${rate}: ${snr} dB`);
    }
  }
});

test('the resampler returns to copying', () => {
  const [f, r] = [new Fifo(), new Resampler()];
  r.frac = 0.7;
  f.zeros(2000);
  const dst = new Float32Array(480);
  for (let i = 0; i < 2; i++) {
    r.set(0);
    r.read(dst, f);
  }
  assert.deepEqual([r.frac, r.rate], [0, 0]);
});
