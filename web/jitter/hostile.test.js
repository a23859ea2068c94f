import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Player } from './player.js';
import { random } from './sim.test.js';

const WILD = [0, 1, -1, NaN, Infinity, 3e38, -0.5];

/** Packets, answers and reads at random, from somebody who means harm. */
class Wild {
  now = 1000;
  asked = 0;
  last = { counter: 0, timestamp: 0 };

  /** @param {number} seed */
  constructor(seed) {
    this.rnd = random(seed);
    this.player = new Player({ decode: () => void this.asked++ });
  }

  /** @param {number} n */
  below(n) {
    return Math.floor(this.rnd() * n);
  }

  packet() {
    const next = this.rnd() < 0.7;
    const jump = this.below(2 ** 40) * this.below(2 ** 14);
    const counter = next ? this.last.counter + 1 + this.below(3) * this.below(2) : jump;
    const timestamp = next ? (this.last.timestamp + this.below(64)) % 65_536 : this.below(70_000);
    this.last = { counter, timestamp: timestamp % 65_536 };
    const payload = new Uint8Array(this.below(40) ** 2);
    for (let i = 0; i < Math.min(payload.length, 4); i++) payload[i] = this.below(256);
    const duration = [10, 20, 40, 60, 0, -20, 1e40, NaN, undefined][this.below(9)];
    this.player.put({ counter, timestamp, payload, duration, silence: this.rnd() < 0.2 }, this.now);
  }

  answer() {
    const length = [480, 960, 1920, 2880, 0, 17, 9000][this.below(7)];
    const value = WILD[this.below(WILD.length)];
    this.player.decoded(this.rnd() < 0.2 ? null : new Float32Array(length).fill(value), this.now);
  }

  /** @param {number} n */
  read(n) {
    const pcm = new Float32Array(n);
    this.player.read(pcm, this.now);
    for (const v of pcm) if (!(v >= -4 && v <= 4)) assert.fail(`sample ${v}`); // no call for each of millions
  }

  operate() {
    this.now += this.rnd() < 0.02 ? (this.rnd() - 0.5) * 100_000 : this.rnd() * 12;
    const what = this.rnd();
    if (what < 0.4) this.packet();
    else if (what < 0.7) this.answer();
    else this.read(this.below(1024));
    const { bufferedMs } = this.player.stats();
    assert.ok(bufferedMs >= 0 && bufferedMs < 3500 + 60 + 240 + 60, `${bufferedMs} ms held`);
  }

  /** Whatever happened before, a new talkspurt plays. */
  recovers() {
    this.now = Math.max(this.now, 0) + 40_000;
    this.read(480);
    const before = this.player.stats().played;
    if (this.last.counter > 2 ** 52) this.last.counter = 0;
    for (let i = 0; i < 200; i++) {
      const packet = {
        counter: this.last.counter + 1 + i, timestamp: i * 8, duration: 20, payload: new Uint8Array(1),
      };
      this.player.put(packet, this.now);
      for (; this.asked > 0; this.asked--) this.player.decoded(new Float32Array(960), this.now);
      this.read(960);
      this.now += 20;
    }
    const { played } = this.player.stats();
    assert.ok(played >= before + 50, `wedged: ${JSON.stringify(this.player.stats())}`);
  }
}

test('random packets, answers and reads', () => {
  for (let seed = 0; seed < 60; seed++) {
    const wild = new Wild(seed);
    for (let i = 0; i < 400; i++) wild.operate();
    wild.recovers();
  }
});

test('a clock that stands still', () => {
  const wild = new Wild(1);
  for (let i = 0; i < 2000; i++) {
    wild.now = 5000;
    wild.packet();
    wild.read(480);
  }
  assert.ok(wild.player.stats().bufferedMs < 3900);
});
