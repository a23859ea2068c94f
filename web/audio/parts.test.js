import assert from 'node:assert/strict';
import { test } from 'node:test';
import { random } from '../jitter/sim.test.js';
import { Blocks } from './blocks.js';
import { captureFault, CaptureError } from './capture.js';
import { Level, levelOf, SILENCE } from './level.js';
import { Mixer } from './mixer.js';
import { PlayQueue } from './play-queue.js';
import { PreRoll } from './preroll.js';
import { playSound, SOUNDS } from './sounds.js';

/** @param {number} n @param {number} [level] @param {number} [hz] */
const sine = (n, level = 1, hz = 500) =>
  Float32Array.from({ length: n }, (_, i) => level * Math.sin((2 * Math.PI * hz * i) / 48_000));

test('blocks of 10 ms, whatever comes', () => {
  /** @type {{pcm: Float32Array<ArrayBuffer>, frame: number}[]} */ const out = [];
  const blocks = new Blocks((pcm, frame) => {
    out.push({ pcm: pcm.slice(), frame });
    blocks.recycle(pcm.buffer);
  });
  const sound = Float32Array.from({ length: 10_000 }, (_, i) => i / 10_000);
  for (let at = 0; at < 9600; at += 128) blocks.write(sound.subarray(at, Math.min(at + 128, 9600)), 70 + at);
  assert.equal(out.length, 20);
  out.forEach(({ pcm, frame }, i) => {
    assert.equal(frame, 70 + i * 480);
    assert.deepEqual(pcm, sound.slice(i * 480, i * 480 + 480));
  });
  assert.equal(blocks.allocated, 1, 'blocks that come back are used again');
  blocks.write(sound.subarray(0, 100), 50_000);
  blocks.write(sound.subarray(0, 480), 60_000); // the numbers jump
  assert.equal(out.at(-1)?.frame, 60_000);
  for (const bad of [null, 7, new ArrayBuffer(8), new SharedArrayBuffer(1920)]) blocks.recycle(bad);
});

test('levels', () => {
  assert.equal(levelOf(new Float32Array(480)), SILENCE);
  assert.equal(levelOf(new Float32Array(0)), SILENCE);
  assert.ok(Math.abs(levelOf(sine(480)) + 3.01) < 0.01);
  assert.equal(levelOf(new Float32Array(480).fill(NaN)), SILENCE);
  const level = new Level();
  for (let i = 0; i < 10; i++) level.write(sine(480, 0.1));
  assert.ok(Math.abs(level.dbfs + 23) < 0.1, `${level.dbfs}`);
  level.write(new Float32Array(480));
  assert.ok(level.dbfs > -24, 'it falls slowly');
  for (let i = 0; i < 300; i++) level.write(new Float32Array(480));
  assert.ok(level.dbfs < -90);
  level.write(new Float32Array(480).fill(NaN));
  level.write(sine(480, 0.1));
  assert.ok(Number.isFinite(level.dbfs) && level.dbfs > -40);
});

test('one talker passes the mixer unchanged; more are limited without a step', () => {
  const mixer = new Mixer();
  const pcm = new Float32Array(480);
  const mix = (/** @type {Float32Array[]} */ ...talkers) => {
    mixer.begin(pcm);
    for (const talker of talkers) mixer.add(talker);
    mixer.end();
    return pcm;
  };
  assert.deepEqual(mix(sine(480)), sine(480));
  let last = pcm[479];
  for (let i = 0; i < 50; i++) {
    for (const v of mix(sine(480), sine(480), sine(480))) {
      assert.ok(Math.abs(v) <= 1);
      assert.ok(Math.abs(v - last) < 0.3, `a step of ${Math.abs(v - last)}`);
      last = v;
    }
  }
  assert.equal(mixer.limiting, true);
  for (let i = 0; i < 200; i++) mix(sine(480, 0.1));
  assert.equal(mixer.limiting, false);
  assert.deepEqual(mix(sine(480, 0.5)), sine(480, 0.5));
  assert.ok(mix(new Float32Array(480).fill(NaN), new Float32Array(480).fill(Infinity)).every((v) => v === 0));
  mixer.begin(pcm);
  mixer.add(sine(100), 0.5); // a shorter one is silent after its end
  mixer.end();
  assert.deepEqual(pcm.subarray(0, 100), sine(100, 0.5));
  assert.ok(pcm.subarray(100).every((v) => v === 0));
});

test('the pre-roll keeps 200 ms, and gives it once', () => {
  const preroll = new PreRoll(960);
  const frame = new Float32Array(960);
  for (let i = 0; i < 25; i++) preroll.write(frame.fill(i));
  assert.equal(preroll.length, 10);
  assert.deepEqual(preroll.drain().map((pcm) => pcm[0]), [15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
  assert.deepEqual(preroll.drain(), []);
  for (let i = 0; i < 5; i++) preroll.write(frame.fill(i));
  assert.deepEqual(preroll.drain(2).map((pcm) => pcm[959]), [3, 4]);
  assert.equal(preroll.length, 0);
  preroll.write(new Float32Array(10).fill(1)); // too short: the rest is silence
  assert.equal(preroll.drain()[0][10], 0);
  preroll.write(frame);
  preroll.reset();
  assert.deepEqual(preroll.drain(), []);
});

test('faults of the microphone', () => {
  const named = (/** @type {string} */ name) => captureFault({ name });
  assert.equal(named('NotAllowedError'), 'denied');
  assert.equal(named('NotFoundError'), 'missing');
  assert.equal(named('OverconstrainedError'), 'missing');
  assert.equal(named('NotReadableError'), 'busy');
  assert.equal(named('constructor'), 'other');
  assert.equal(captureFault(new CaptureError('gone', '')), 'gone');
  assert.equal(captureFault(null), 'other');
});

test('sounds are short and quiet, and not played late', () => {
  for (const [name, notes] of Object.entries(SOUNDS)) {
    const most = name === 'ring' ? 1700 : 450;
    for (const [at, , ms, level] of notes) assert.ok(at + ms <= most && level <= 0.06, name);
  }
  const asleep = /** @type {BaseAudioContext} */ (/** @type {unknown} */ ({ state: 'suspended' }));
  assert.equal(playSound(asleep, 'lost'), 0);
});

const PERIOD = 125; // samples: a sine of 384 Hz, looked up, for the tests below last minutes
const SOUND = sine(PERIOD, 0.5, 384);

/** A sound card and a Worker that answers after a while, both in virtual time. */
class Loop {
  queue = new PlayQueue();
  /** @type {Float32Array} */ out = new Float32Array(0);
  /** @type {number[]} when the answers come, samples */ answers = [];
  now = 0;
  media = 0;

  /** @param {number} n quanta @param {(now: number) => number} latency samples */
  run(n, latency) {
    const out = new Float32Array(n * 128);
    for (let i = 0; i < n; i++, this.now += 128) {
      while (this.answers.length > 0 && this.answers[0] <= this.now) {
        this.answers.shift();
        this.queue.push(Float32Array.from({ length: 480 }, () => SOUND[this.media++ % PERIOD]));
      }
      this.queue.read(out.subarray(i * 128, i * 128 + 128));
      for (let asked = this.queue.wanted(); asked > 0; asked--) {
        this.answers.push(this.now + latency(this.now));
      }
      this.answers.sort((a, b) => a - b);
    }
    this.out = out;
    return this.queue;
  }

  steepest() {
    let most = 0;
    for (let i = 1; i < this.out.length; i++) most = Math.max(most, Math.abs(this.out[i] - this.out[i - 1]));
    return most;
  }
}

test('the queue plays without a gap, and is short', () => {
  const loop = new Loop();
  const queue = loop.run(375 * 60, () => 100);
  assert.equal(queue.underruns, 0);
  assert.equal(queue.dropped, 0);
  assert.ok(loop.out.subarray(4800).every((v, i, a) => i === 0 || Math.abs(v - a[i - 1]) < 0.03));
  assert.ok(queue.level <= 1440, `${queue.level} samples`);
});

test('an underrun fades, is counted, and makes the queue deeper; later it is shorter again', () => {
  const loop = new Loop();
  const rnd = random(3);
  let queue = loop.run(375 * 60, () => (rnd() < 0.02 ? 2000 : 200));
  assert.ok(queue.underruns > 0 && queue.underruns < 40, `${queue.underruns} underruns`);
  assert.ok(queue.depth > 960, `${queue.depth}`);
  assert.ok(loop.steepest() < 0.05, `a step of ${loop.steepest()}`);
  const before = queue.underruns;
  queue = loop.run(375 * 180, () => 100); // from the greatest depth it takes 160 s
  assert.equal(queue.underruns, before);
  assert.ok(queue.depth <= 960, `${queue.depth}`);
});

test('a Worker that is gone is asked again, and floods are dropped', () => {
  const loop = new Loop();
  loop.run(400, () => 100);
  loop.answers = [];
  loop.run(400, () => Infinity);
  assert.equal(loop.out.at(-1), 0);
  assert.equal(loop.queue.starved, true);
  loop.answers = [];
  loop.run(1000, () => 100); // another Worker
  assert.equal(loop.queue.starved, false);
  assert.ok(loop.out.subarray(100_000).some((v) => v !== 0));
  for (let i = 0; i < 100; i++) loop.queue.push(new Float32Array(480));
  assert.ok(loop.queue.dropped > 30_000 && loop.queue.level <= 16 * 480);
  loop.queue.push(new Float32Array(100_000));
  assert.ok(loop.queue.level <= 16 * 480);
});
