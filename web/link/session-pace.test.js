import assert from 'node:assert/strict';
import { test } from 'node:test';

import { random } from './lab.test.js';
import {
  PACE_BURST, PACE_FIRST, PACE_LEAST, PACE_MOST, PACE_PING, PACE_START, PING_SIZES, Pacer,
} from './session-pace.js';

const OVERHEAD = 46;

/** Drives a pacer: a path whose pings answer every 100 ms while messages wait. */
class Pacing {
  p = new Pacer(OVERHEAD);
  now = 1_000_000;
  constructor(media) {
    this.path = { media, rtt: 0, jitter: 0 };
    this.p.fill(this.now, this.path);
    this.p.waits(this.now, true);
  }

  /** Lets messages wait for ms, while each ping gets the answer that rtt tells; 0: none. */
  run(ms, kind, rtt) {
    for (const end = this.now + ms; this.now < end; this.now += PACE_PING) {
      this.p.fill(this.now, this.path);
      this.p.waits(this.now, true);
      const sample = typeof rtt === 'number' ? rtt : rtt();
      if (sample > 0) this.p.pong(this.now, kind, sample);
    }
    return this.p.rate;
  }
}

test('it begins by the rate of media', () => {
  for (const [media, want] of [
    [0, 4096], [10, 512], [1530, 512], [1800, 600], [5850, 3508], [90_000, 4096],
  ]) {
    assert.equal(new Pacing(media).p.rate, want, `with ${media} B/s of media`);
  }
});

test('it grows while there is no queue', () => {
  for (const [rtt, ms, least, most] of [
    [20, 450, 4096 * 1.5 ** 2, 4096 * 1.5 ** 2],
    [20, 3000, PACE_MOST, PACE_MOST],
    [400, 2000, 4096 * 1.5 ** 3, 4096 * 1.5 ** 4], // once a round trip
    [300, 20_000, PACE_MOST, PACE_MOST],
  ]) {
    const rate = new Pacing(0).run(ms, 1, rtt);
    assert.ok(
      rate >= least && rate <= most, `round trip ${rtt}: ${rate} after ${ms} ms, want ${least} to ${most}`,
    );
  }
});

test('it grows only if messages wait', () => {
  const g = new Pacing(0);
  g.p.waits(g.now, false);
  for (let i = 0; i < 50; i++) {
    g.now += PACE_PING;
    g.p.fill(g.now, g.path);
    g.p.pong(g.now, 1, 20);
  }
  assert.equal(g.p.rate, PACE_START);
});

test('loss does not slow it down', () => {
  for (let seed = 0; seed < 20; seed++) { // 5 of 6 pings go unanswered: 60 % loss, there and back
    const rng = random(seed);
    const g = new Pacing(0);
    const rate = g.run(8000, 1, () => (rng() < 0.84 ? 0 : 300));
    assert.ok(rate >= PACE_MOST / 4 && g.p.fell === -Infinity, `seed ${seed}: ${rate} B/s after 8 s`);
  }
});

test('acknowledgements in time are samples', () => {
  const g = new Pacing(0);
  g.p.alone(g.now, g.now - 100, 100);
  const ack = (after) => {
    g.now += 300;
    g.p.fill(g.now, g.path);
    g.p.acked(g.now, 1, g.now - after);
  };
  ack(2000); // it was repeated: this tells nothing
  assert.equal(g.p.rate, PACE_START);
  ack(110);
  assert.ok(g.p.rate > PACE_START && g.p.fell === -Infinity);
});

test('it falls once a round trip', () => {
  const g = new Pacing(0);
  let before = g.run(2000, 3, 100);
  let rate = g.run(400, 3, 180);
  assert.ok(rate >= before * PACE_FIRST * 0.4 && rate <= before * PACE_FIRST, `from ${before} to ${rate}`);
  before = rate;
  assert.equal(g.run(400, 3, 800), before, 'because of samples that were sent before it fell');
  assert.equal(g.run(60_000, 3, 1000), PACE_LEAST);
  rate = g.run(1000, 3, 100);
  assert.ok(
    rate > PACE_LEAST && rate <= 2 * PACE_LEAST, `${rate} B/s when the queue is gone: it grows, more slowly`,
  );
});

test('jitter is no queue', () => {
  const rng = random(1);
  assert.equal(new Pacing(0).run(20_000, 2, () => 100 + rng() * 80), PACE_MOST);
});

test('packets of one size are compared', () => {
  const g = new Pacing(6000);
  g.p.alone(g.now, g.now - 50, 50);
  [60, 100, 140].forEach((rtt, i) => g.run(500, i + 1, rtt));
  assert.ok(g.p.fell === -Infinity && g.p.rate > 2000, `${g.p.rate} B/s`);
});

test('a first sample in a queue is known for one', () => {
  const g = new Pacing(1750);
  g.p.waits(g.now, false);
  g.p.alone(g.now, g.now - 100, 100);
  g.p.waits(g.now, true);
  const rate = g.run(30_000, 3, () => {
    g.p.alone(g.now, g.now - 2000, 2000); // while messages wait these are of no use
    return 2000;
  });
  assert.equal(rate, PACE_LEAST);
});

test('after a rest it begins with less of what it learned', () => {
  const later = (ms) => {
    const g = new Pacing(3000);
    const learned = g.run(10_000, 1, 50);
    g.p.waits(g.now, false);
    g.p.fill(g.now + ms, g.path);
    assert.ok(g.p.budget <= Math.max(PACE_BURST, g.p.rate / 8));
    return [g.p.rate, learned];
  };
  const [a, learned] = later(9000);
  assert.equal(a, learned);
  assert.equal(later(21_000)[0], learned / 4);
  assert.equal(later(600_000)[0], 1000);
  const g = new Pacing(3000);
  g.run(10_000, 1, 50);
  g.p.forget();
  g.p.fill(g.now, g.path);
  assert.equal(g.p.rate, 1000, 'on another path');
});

test('it believes no nonsense', () => {
  for (const p of [new Pacing(0).p, new Pacer(OVERHEAD)]) {
    for (const rtt of [1000, 0, -1000, Infinity, -Infinity, NaN, 1e-6]) {
      for (let kind = 0; kind < PING_SIZES; kind++) {
        p.pong(1_000_000, kind, rtt);
        p.alone(1_000_000, 1_000_000 - rtt, rtt);
      }
    }
    p.fill(1_000_000, { media: 0, rtt: 0, jitter: 0 });
    assert.ok(p.rate >= PACE_LEAST && p.rate <= PACE_MOST, `${p.rate} B/s`);
    assert.ok(p.least.every((least) => least >= 0));
  }
});
