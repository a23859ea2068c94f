/**
 * What is heard: frames become sound once, in order, when their keys are there; and how many streams there may be.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { VIEW_STREAM, appendPayload, appendSilence, appendView } from '../wire/payload.js';
import { HeldBudget } from './held.js';
import { Output } from './output.js';
import { Streams } from './streams.js';
import { VirtualClock } from './lab.test.js';

const FRAME = 960;

/** Streams whose listener opens what it is told to, after a while. */
class Ear {
  clock = new VirtualClock();
  seen = [];
  unseen = [];
  failed = [];
  stirred = 0;
  decoders = [];
  decoded = [];
  code = null; // why nothing opens
  openTime = () => 1;

  constructor() {
    const { clock } = this;
    this.budget = new HeldBudget();
    this.streams = new Streams({
      now: clock.now,
      budget: this.budget,
      open: (kid, ctr, sealed) => this.open(ctr, sealed),
      seen: (owner, digest) => this.seen.push([owner, digest[0]]),
      unseen: (owner) => this.unseen.push(owner),
      stir: () => this.stirred++,
      decoder: (options) => this.decoder(options),
      failed: (error) => this.failed.push(error.message),
    });
    this.output = new Output(this.streams, clock.now);
  }

  async open(ctr, sealed) {
    const { code } = this;
    await new Promise((resolve) => this.clock.setTimeout(resolve, this.openTime(ctr)));
    if (code) throw Object.assign(new Error(code), { code });
    return sealed;
  }

  decoder({ onpcm }) {
    if (this.noDecoder) throw new Error('no decoder');
    const decoder = {
      closed: false,
      close: () => (decoder.closed = true),
      decode: (packet) => {
        if (packet) this.decoded.push(packet[1]);
        this.clock.setTimeout(() => decoder.closed || onpcm(new Float32Array(FRAME).fill(0.25)), 2);
      },
    };
    this.decoders.push(decoder);
    return decoder;
  }

  /** Has a frame come; bound is its alias's. */
  frame(stream, ctr, plain, bound = { next: 0 }) {
    return stream.frame({ kid: 1n, ctr, ciphertext: plain, at: this.clock.now(), bound });
  }

  /** Speech: frame i of a stream every 20 ms, and what is heard of it. */
  async speak(stream, from, to) {
    let loudest = 0;
    const pcm = new Float32Array(480);
    for (let i = from; i < to; i++) {
      void this.frame(stream, i, appendPayload(8 * i, Uint8Array.of(0x78, i & 0xff)));
      for (let half = 0; half < 2; half++) {
        await this.clock.run(10);
        this.output.mix(pcm);
        loudest = Math.max(loudest, ...pcm);
      }
    }
    return loudest;
  }
}

const near = (got, want) => assert.ok(Math.abs(got - want) < 0.01, `${got}, want ${want}`);

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

test('frames are decoded in order though they are decrypted in another, each once', async () => {
  const ear = new Ear();
  ear.openTime = (ctr) => [30, 1, 15][ctr % 3];
  const stream = ear.streams.get('a', 0);
  const loudest = await ear.speak(stream, 0, 50);
  near(loudest, 0.25);
  assert.deepEqual(ear.decoded.slice(0, 40), range(0, 40));
  void ear.frame(stream, 20, appendPayload(160, Uint8Array.of(0x78, 20)));
  await ear.clock.run(50);
  assert.equal(stream.stats().received, 50, 'a frame was taken twice');
  assert.equal(ear.decoded.filter((n) => n === 20).length, 1);
});

test('gain and level of a member', async () => {
  const ear = new Ear();
  const stream = ear.streams.get('a', 0);
  ear.output.setGain('a', 0);
  assert.equal(await ear.speak(stream, 0, 50), 0);
  assert.ok(ear.output.levels().a > -20, 'the level is that of who talks');
  ear.output.setGain('a', 2);
  near(await ear.speak(stream, 50, 100), 0.5);
  ear.output.setGain('a', NaN);
  ear.output.setGain('a', 1);
  near(await ear.speak(stream, 100, 150), 0.25);
  const silence = appendSilence(8 * 150, 60);
  void ear.frame(stream, 150, silence);
  const pcm = new Float32Array(480);
  for (let i = 0; i < 100; i++) {
    await ear.clock.run(10);
    ear.output.mix(pcm);
  }
  assert.deepEqual([ear.output.levels(), Math.max(...pcm)], [{}, 0]);
});

test('frames wait for their key, and are heard when it comes', async () => {
  const ear = new Ear();
  ear.code = 'no_key';
  const stream = ear.streams.get('a', 0);
  const bound = { next: 0 };
  for (let i = 0; i < 20; i++) void ear.frame(stream, i, appendPayload(8 * i, Uint8Array.of(0x78, i)), bound);
  await ear.clock.run(100);
  assert.deepEqual([stream.playing, stream.heard, ear.stirred, bound.next], [false, false, 1, 20]);
  await ear.clock.run(1500);
  assert.deepEqual([...ear.streams.waiting(ear.clock.now()).ask], ['a']);
  ear.streams.playHeld('a'); // another key's
  await ear.clock.run(10);
  assert.ok(ear.budget.bytes > 0);
  ear.code = null;
  ear.streams.playHeld('a');
  for (let i = 0; i < 200; i++) {
    await ear.clock.run(10);
    ear.output.mix(new Float32Array(480));
  }
  assert.deepEqual(ear.decoded, range(0, 20));
  assert.equal(ear.budget.bytes, 0);
  assert.equal(ear.streams.waiting(ear.clock.now()).next, 0);
});

test('what does not open is counted as forged, but not what is of before us', async () => {
  const ear = new Ear();
  const stream = ear.streams.get('a', 0);
  for (const code of ['auth', 'early', 'auth']) {
    ear.code = code;
    await Promise.all([ear.frame(stream, 1, new Uint8Array(30)), ear.clock.run(5)]);
  }
  assert.deepEqual([stream.forged, stream.heard, ear.stirred], [2, false, 1]);
  ear.code = null;
  const far = appendPayload(0, Uint8Array.of(0x78, 0));
  await Promise.all([ear.frame(stream, 5, far), ear.clock.run(5)]);
  await Promise.all([ear.frame(stream, 2 ** 21, far), ear.clock.run(5)]);
  assert.equal(stream.forged, 3, 'a CTR far ahead');
  for (const odd of [new Uint8Array(0), Uint8Array.of(0, 0, 255, 9), Uint8Array.of(0, 0, 255)]) {
    await Promise.all([ear.frame(stream, 6 + odd.length, odd), ear.clock.run(5)]);
  }
  assert.deepEqual(ear.failed, [], 'payloads of a later version');
  ear.code = 'something else';
  await Promise.all([ear.frame(stream, 20, far), ear.clock.run(5)]);
  assert.deepEqual(ear.failed, ['something else']);
});

test('a decoder that cannot be had is told of once', async () => {
  const ear = new Ear();
  ear.noDecoder = true;
  const stream = ear.streams.get('a', 0);
  await ear.speak(stream, 0, 10);
  assert.deepEqual([ear.failed, stream.playing, stream.heard], [['no decoder'], false, true]);
});

test('frames that come faster than they can be decrypted are dropped', async () => {
  const ear = new Ear();
  const stream = ear.streams.get('a', 0);
  ear.openTime = () => 1000;
  for (let i = 0; i < 300; i++) void ear.frame(stream, i, appendSilence(8 * i, 60));
  assert.equal(stream.dropped, 300 - 256);
  await ear.clock.run(1000);
  assert.equal(stream.stats().received, 256);
});

test('views are told, and their absence is noticed', async () => {
  const ear = new Ear();
  const views = ear.streams.get('a', VIEW_STREAM);
  const media = ear.streams.get('a', 0);
  ear.openTime = () => 0;
  const say = async (ctr) => {
    const plain = appendView(new Uint8Array(32).fill(5));
    await Promise.all([ear.frame(views, ctr, plain), ear.clock.run(5)]);
    media.saidView();
  };
  await say(0);
  assert.deepEqual(ear.seen, [['a', 5]]);
  const speak = async (from, to) => {
    for (let i = from; i < to; i++) {
      void ear.frame(media, i, appendSilence(i % 65_536, 60));
      if (i % 50 === 0) await ear.clock.run(1);
    }
    await ear.clock.run(1);
  };
  await speak(0, 1799);
  assert.deepEqual(ear.unseen, []);
  await say(1);
  await speak(1799, 3598);
  assert.deepEqual(ear.unseen, []);
  await speak(3598, 3600);
  assert.deepEqual(ear.unseen, ['a']);
  ear.streams.left('a', ear.clock.now());
  await say(2);
  assert.equal(ear.seen.length, 2, 'of who left');
});

test('who left is played to the end, then silent, then freed; and heard again if it is back', async () => {
  const ear = new Ear();
  const stream = ear.streams.get('a', 0);
  await ear.speak(stream, 0, 20);
  ear.streams.left('a', ear.clock.now());
  assert.ok(await ear.speak(stream, 20, 40) > 0.2, 'what is late is played');
  await ear.clock.run(5000);
  ear.streams.prune(ear.clock.now());
  assert.deepEqual([stream.playing, ear.decoders[0].closed, stream.heard], [false, true, true]);
  const { received, delayMs } = ear.streams.stats();
  assert.equal(delayMs, undefined, 'delays are of the present');
  assert.equal(await ear.speak(stream, 40, 60), 0);
  ear.streams.left('a', null);
  assert.equal(ear.streams.get('a', 0), stream, 'it knows which frames it had');
  assert.ok(await ear.speak(stream, 60, 80) > 0.2);
  assert.equal(ear.streams.stats().received, received + 20, 'counters go on');
  ear.streams.close();
  assert.deepEqual([ear.streams.size, ear.decoders.every((d) => d.closed), ear.budget.bytes], [0, true, 0]);
  assert.equal(ear.streams.stats().received, received + 20);
});

test('streams are bounded, each member\'s and all', async () => {
  const ear = new Ear();
  const { streams } = ear;
  const views = streams.get('a', VIEW_STREAM);
  const first = streams.get('a', 0);
  await ear.speak(first, 0, 5);
  for (let i = 1; i < 40; i++) streams.get('a', i);
  assert.deepEqual([first.over, views.over, streams.get('a', 0) === first], [true, false, true], 'what was heard is remembered');
  assert.equal(streams.of('a').filter((s) => !s.over).length, 17);
  for (let i = 0; i < 5000; i++) streams.get(`b${i}`, 0);
  assert.deepEqual([streams.size, streams.get('c', 0)], [4096, null]);
  streams.left('b7', ear.clock.now());
  assert.ok(streams.get('c', 0), 'one that was never heard, of who left, gives way');
  streams.left('a', ear.clock.now());
  for (let i = 0; i < 30; i++) streams.get(`d${i}`, 0);
  assert.equal(streams.get('a', 0), first);
  await ear.clock.run(30_001);
  assert.ok(streams.get('e', 0), 'and one that was heard long ago');
  assert.equal(streams.size, 4096);
});
