/**
 * What is heard: frames become sound once, in order, when their keys are there; and how many streams there
 * may be.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { VIEW_STREAM, appendPayload, appendSilence, appendView } from '../wire/payload.js';
import { HeldBudget } from './held.js';
import { ReplayWindows } from '../e2ee/windows.js';
import { Mix } from './play.js';
import { Streams } from './streams.js';
import { VirtualClock } from './lab.test.js';

const FRAME = 960;
const GARBAGE = 40; // bytes of a frame that does not authenticate

/** Streams whose listener opens what it is told to, after a while. */
class Ear {
  clock = new VirtualClock();
  seen = [];
  unseen = [];
  failed = [];
  woken = 0;
  decoders = [];
  decoded = [];
  code = null; // why nothing opens
  windows = new Map();
  crowded = [];
  members = new Set(['a']);
  openTime = () => 1;

  constructor() {
    const { clock } = this;
    this.budget = new HeldBudget();
    this.streams = new Streams({
      now: clock.now,
      budget: this.budget,
      decrypt: (kid, ctr, sealed) => this.open(ctr, sealed),
      record: (kid, ctr) => this.take(kid, ctr),
      known: (owner) => this.members.has(owner),
      crowded: (owner) => this.crowded.push(owner),
      told: () => {},
      seen: (owner, digest) => this.seen.push([owner, digest[0]]),
      unseen: (owner) => this.unseen.push(owner),
      wake: () => this.woken++,
      decoder: (options) => this.decoder(options),
      failed: (error) => this.failed.push(error.message),
    });
    this.output = new Mix(this.streams, clock.now);
  }

  async open(ctr, sealed) {
    const code = sealed.length === GARBAGE ? 'auth' : this.code;
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

  take(kid, ctr) {
    const owner = kid >> 16n;
    if (!this.windows.has(owner)) this.windows.set(owner, new ReplayWindows());
    return this.windows.get(owner).accept(Number((kid >> 8n) & 0xffn), ctr);
  }

  /** Has a frame come, of a stream [owner, number]; bound is its alias's. */
  frame([owner, number], ctr, plain, bound = { next: 0 }) {
    const kid = (BigInt(`0x${Buffer.from(owner).toString('hex')}`) << 16n) | (BigInt(number) << 8n) | 1n;
    return this.streams.frame(owner, { kid, ctr, ciphertext: plain, at: this.clock.now(), bound });
  }

  /** A stream that was heard. */
  of([owner, number]) {
    return this.streams.stream(owner, number);
  }

  /** Garbage in a member's name, each frame of another stream. */
  garbage(owner, n) {
    for (let i = 0; i < n; i++) void this.frame([owner, 100 + i], 1, new Uint8Array(GARBAGE));
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
  const stream = ['a', 0];
  const loudest = await ear.speak(stream, 0, 50);
  near(loudest, 0.25);
  assert.deepEqual(ear.decoded.slice(0, 40), range(0, 40));
  void ear.frame(stream, 20, appendPayload(160, Uint8Array.of(0x78, 20)));
  await ear.clock.run(50);
  assert.equal(ear.of(stream).stats().received, 50, 'a frame was taken twice');
  assert.equal(ear.decoded.filter((n) => n === 20).length, 1);
});

test('gain and level of a member', async () => {
  const ear = new Ear();
  const stream = ['a', 0];
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

test('a hand is down when that is said, its member left, or nothing came of it for 90 s', async () => {
  const ear = new Ear();
  const say = async (stream, ctr, plain) => {
    await Promise.all([ear.frame(stream, ctr, plain), ear.clock.run(5)]);
    return ear.streams.hand('a');
  };
  const digest = new Uint8Array(32);
  const first = ear.clock.now();
  const [a, view] = [['a', 0], ['a', VIEW_STREAM]];
  assert.equal(await say(a, 10, appendSilence(0, 60, 'muted', true)), first);
  assert.equal(await say(a, 9, appendSilence(0, 60, 'muted', false)), first, 'it was overtaken');
  assert.equal(await say(a, 11, appendSilence(0, 60)), first, 'it says nothing');
  assert.equal(await say(a, 12, appendPayload(8, Uint8Array.of(0x78, 1))), first, 'speech says nothing');
  assert.equal(await say(a, 13, appendSilence(0, 60, 'open', false)), null);
  assert.equal(await say(view, 1, appendView(digest, true)), null, 'a silence payload has just said more');
  await ear.clock.run(1000);
  const raised = ear.clock.now();
  assert.equal(await say(view, 3, appendView(digest, true)), raised);
  assert.equal(await say(view, 2, appendView(digest, false)), raised, 'it was overtaken');
  assert.equal(await say(view, 4, appendView(digest)), raised);
  await ear.clock.run(89_000);
  ear.streams.prune(ear.clock.now());
  assert.equal(ear.streams.hand('a'), raised);
  await ear.clock.run(2000);
  ear.streams.prune(ear.clock.now());
  assert.equal(ear.streams.hand('a'), null);
  assert.notEqual(await say(a, 14, appendSilence(0, 60, 'muted', true)), null);
  ear.streams.left('a', ear.clock.now());
  assert.equal(ear.streams.hand('a'), null);
});

test('frames wait for their key, and are heard when it comes', async () => {
  const ear = new Ear();
  ear.code = 'no_key';
  const stream = ['a', 0];
  const bound = { next: 0 };
  for (let i = 0; i < 20; i++) void ear.frame(stream, i, appendPayload(8 * i, Uint8Array.of(0x78, i)), bound);
  await ear.clock.run(100);
  assert.deepEqual([ear.of(stream), ear.woken, bound.next], [undefined, 1, 20]);
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
  const stream = ['a', 0];
  for (const code of ['auth', 'early', 'auth']) {
    ear.code = code;
    await Promise.all([ear.frame(stream, 1, new Uint8Array(30)), ear.clock.run(5)]);
  }
  assert.deepEqual([ear.streams.stats().forged, ear.of(stream), ear.woken], [2, undefined, 1]);
  ear.code = null;
  const far = appendPayload(0, Uint8Array.of(0x78, 0));
  await Promise.all([ear.frame(stream, 5, far), ear.clock.run(5)]);
  await Promise.all([ear.frame(stream, 2 ** 21, far), ear.clock.run(5)]);
  assert.equal(ear.streams.stats().forged, 3, 'a CTR far ahead');
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
  const stream = ['a', 0];
  await ear.speak(stream, 0, 10);
  assert.deepEqual(
    [ear.failed, ear.of(stream).playing, ear.streams.stats().unheard], [['no decoder'], false, 9],
  );
});

test('frames that come faster than they can be decrypted are dropped', async () => {
  const ear = new Ear();
  const stream = ['a', 0];
  ear.openTime = () => 1000;
  for (let i = 0; i < 300; i++) void ear.frame(stream, i, appendSilence(8 * i, 60));
  assert.equal(ear.streams.stats().undecrypted, 300 - 256);
  await ear.clock.run(1000);
  assert.equal(ear.streams.stats().received, 256);
});

test('views are told, and their absence is noticed', async () => {
  const ear = new Ear();
  const views = ['a', VIEW_STREAM];
  const media = ['a', 0];
  ear.openTime = () => 0;
  const say = async (ctr) => {
    const plain = appendView(new Uint8Array(32).fill(5));
    await Promise.all([ear.frame(views, ctr, plain), ear.clock.run(5)]);
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
  const stream = ['a', 0];
  await ear.speak(stream, 0, 20);
  ear.streams.left('a', ear.clock.now());
  assert.ok(await ear.speak(stream, 20, 40) > 0.2, 'what is late is played');
  await ear.clock.run(5000);
  ear.streams.prune(ear.clock.now());
  const first = ear.of(stream);
  assert.deepEqual([first.playing, ear.decoders[0].closed], [false, true]);
  const { received, delayMs } = ear.streams.stats();
  assert.equal(delayMs, undefined, 'delays are of the present');
  assert.equal(await ear.speak(stream, 40, 60), 0);
  ear.streams.left('a', null);
  assert.ok(await ear.speak(stream, 60, 80) > 0.2);
  assert.equal(ear.of(stream), first);
  assert.equal(ear.streams.stats().received, received + 20, 'counters go on');
  ear.streams.close();
  assert.deepEqual(
    [ear.streams.sizes.live, ear.decoders.every((d) => d.closed), ear.budget.bytes], [0, true, 0],
  );
  assert.equal(ear.streams.stats().received, received + 20);
});

test('garbage in the name of who talks mutes nobody, and nobody is asked for a key', async () => {
  const ear = new Ear();
  const stream = ['a', 0];
  await ear.speak(stream, 0, 20);
  ear.garbage('a', 40);
  await ear.clock.run(5);
  assert.deepEqual(ear.streams.sizes, { streams: 1, talkers: 1, live: 1 });
  let loudest = 1;
  for (let i = 20; i < 420; i++) {
    ear.garbage('a', 1);
    loudest = Math.min(loudest, await ear.speak(stream, i, i + 1));
  }
  assert.ok(loudest > 0.2, `${loudest}`);
  const { ask, hopeless } = ear.streams.waiting(ear.clock.now());
  assert.deepEqual([ask.size, hopeless.size], [0, 0]);
  assert.ok(ear.woken < 12, `the keys was called ${ear.woken} times`);
  assert.equal(ear.streams.stats().forged, 440);
});

test('whichever of a member\'s streams sounds is heard, however many there were', async () => {
  const ear = new Ear();
  for (let number = 0; number < 40; number++) await ear.speak(['a', number], 0, 5);
  const first = ear.of(['a', 0]);
  assert.equal(range(0, 40).filter((n) => ear.of(['a', n]).retiredAt === null).length, 16);
  await ear.clock.run(10_000);
  ear.streams.prune(ear.clock.now());
  assert.equal(ear.streams.sizes.live, 0);
  assert.ok(await ear.speak(['a', 0], 5, 55) > 0.2);
  assert.deepEqual([first.retiredAt, ear.streams.sizes.live], [null, 1]);
});

test('what was said once is not said again, also after its member left and came back', async () => {
  const ear = new Ear();
  const say = (ctr) =>
    Promise.all([
      ear.frame(['a', VIEW_STREAM], ctr, appendView(new Uint8Array(32).fill(5))), ear.clock.run(5),
    ]);
  await say(0);
  ear.streams.left('a', ear.clock.now());
  await ear.clock.run(60_000);
  ear.streams.prune(ear.clock.now());
  assert.equal(ear.streams.sizes.talkers, 0);
  ear.streams.left('a', null);
  await say(0);
  assert.equal(ear.seen.length, 1);
  await say(1);
  assert.equal(ear.seen.length, 2);
});

test('a silent stream gives its decoder up, and its next word is heard whole by one that was made ready', async () => {
  const ear = new Ear();
  const stream = ['a', 0];
  await ear.speak(stream, 0, 30);
  const silence = async (from, n) => {
    for (let i = 0; i < n; i++) {
      void ear.frame(stream, from + i, appendSilence((8 * (from + i)) % 65_536, 60));
      for (let block = 0; block < 40; block++) {
        await ear.clock.run(10);
        ear.output.mix(new Float32Array(480));
      }
      ear.streams.prune(ear.clock.now());
    }
  };
  await silence(30, 20);
  assert.deepEqual([ear.of(stream).playing, ear.decoders[0].closed], [false, true]);
  ear.decoded = [];
  assert.ok((await ear.speak(stream, 50, 80)) > 0.2);
  await ear.speak(stream, 80, 82);
  assert.deepEqual(ear.decoded.slice(0, 30), [...range(22, 30), ...range(50, 72)]);
  const { received, played, lost = 0, late, concealed, unheard = 0 } = ear.streams.stats();
  assert.deepEqual([received, lost, late, concealed, unheard], [82, 0, 0, 0, 0]);
  assert.ok(played >= 58, `${played} played`);
});

test('64 streams sound at once; those go on, and who is left out is told of and comes when one is silent', async () => {
  const ear = new Ear();
  const owners = range(0, 66).map((i) => `m${i}`);
  for (const owner of owners) ear.members.add(owner);
  const speak = async (from, to, talkers) => {
    for (let i = from; i < to; i++) {
      for (const owner of talkers) {
        void ear.frame([owner, 0], i, appendPayload((8 * i) % 65_536, Uint8Array.of(0x78, i & 0xff)));
      }
      await ear.clock.run(20);
    }
  };
  const live = () => owners.filter((owner) => ear.of([owner, 0])?.playing);
  await speak(0, 10, owners);
  assert.deepEqual(live(), owners.slice(0, 64));
  assert.deepEqual([ear.crowded, ear.streams.stats().unheard], [['m64'], 20]);
  await speak(
    10, 270, owners.filter((owner) => owner !== 'm3'),
  );
  assert.deepEqual(
    live(), owners.slice(0, 65).filter((owner) => owner !== 'm3'),
  );
});

test('no member is left out because others sound with many streams', async () => {
  const ear = new Ear();
  const streams = [];
  for (const owner of ['a', 'b', 'c', 'd']) streams.push(...range(0, 16).map((number) => [owner, number]));
  streams.push(...range(0, 20).map((i) => [`m${i}`, 0]));
  for (const [owner] of streams) ear.members.add(owner);
  for (let i = 0; i < 10; i++) {
    for (const stream of streams) void ear.frame(stream, i, appendPayload(8 * i, Uint8Array.of(0x78, i)));
    await ear.clock.run(20);
  }
  assert.equal(ear.streams.sizes.live, 64);
  assert.ok(range(0, 20).every((i) => ear.of([`m${i}`, 0]).playing));
});

test('members who are not told of share what is theirs, and take nothing from those who are', async () => {
  const ear = new Ear();
  ear.code = 'no_key';
  for (let i = 0; i < 5; i++) void ear.frame(['a', 0], i, appendPayload(8 * i, Uint8Array.of(0x78, i)));
  for (let i = 0; i < 5000; i++) {
    void ear.frame([i % 2 ? 'x' : `x${i}`, i % 250], 1, new Uint8Array(1000));
    if (i % 200 === 0) await ear.clock.run(2);
  }
  await ear.clock.run(5);
  assert.equal(ear.streams.sizes.talkers, 65);
  assert.ok(ear.budget.bytes <= 2 ** 20);
  ear.code = null;
  ear.streams.playHeld('a');
  await ear.clock.run(50);
  assert.equal(ear.of(['a', 0]).stats().received, 5);
  await ear.clock.run(60_000);
  ear.streams.waiting(ear.clock.now());
  ear.streams.prune(ear.clock.now());
  assert.deepEqual([ear.streams.sizes.talkers, ear.budget.bytes], [1, 0]);
});

test('streams that are remembered are bounded; none is played again when it was forgotten', async () => {
  const ear = new Ear();
  await Promise.all([ear.frame(['a', 0], 0, appendPayload(0, Uint8Array.of(0x78, 0))), ear.clock.run(5)]);
  await ear.clock.run(10_000);
  ear.streams.prune(ear.clock.now());
  for (let i = 0; i < 4095; i++) {
    ear.members.add(`b${i}`);
    void ear.frame([`b${i}`, 0], 0, appendSilence(0, 60));
    if (i % 100 === 0) await ear.clock.run(2);
  }
  await ear.clock.run(5);
  for (let i = 0; i < 4095; i++) ear.of([`b${i}`, 0]).sounded = ear.clock.now();
  void ear.frame(['b0', 1], 0, appendSilence(0, 60));
  await ear.clock.run(5);
  assert.deepEqual([ear.streams.sizes.streams, ear.of(['a', 0])], [4096, undefined]);
  void ear.frame(['a', 0], 0, appendPayload(0, Uint8Array.of(0x78, 0)));
  await ear.clock.run(5);
  assert.equal(ear.of(['a', 0]), undefined);
  void ear.frame(['a', 0], 1, appendPayload(8, Uint8Array.of(0x78, 1)));
  await ear.clock.run(5);
  assert.ok(ear.of(['a', 0]).playing, 'what is new is heard');
});
