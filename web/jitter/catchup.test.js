import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ramp, Sim, steady, Talker, tone } from './sim.test.js';

/** Delays n frames so that they all arrive at the same time, then goes on. @param {number} n */
const held = (n) => (/** @type {number} */ i) => (i < n ? (n - i) * 20 + 40 : 40);

for (const seconds of [1, 2, 3]) {
  test(`a talkspurt held for ${seconds} s is played from its start`, () => {
    const s = new Sim(tone);
    const tk = new Talker();
    const end = s.talk(tk, 0, 1000, held(seconds * 50));
    s.hush(tk, end + 40);
    const burst = seconds * 1000;
    s.run(burst + 100);
    assert.ok(s.player.stats().lastDelayMs < 110, `began ${s.player.stats().lastDelayMs} ms after the burst`);
    let caught = 0;
    for (let now = burst + 200; now < 20_000 && caught === 0; now += 100) {
      s.run(now);
      if (s.player.stats().lastDelayMs < 30) caught = now - burst;
    }
    s.run(end + 1000);
    const st = s.player.stats();
    assert.equal(st.played, 1000);
    assert.equal(st.late + st.lost + st.dropped + st.concealed, 0);
    assert.ok(s.inOrder && s.decoded.length === 1000);
    assert.ok(caught > 0 && caught <= (seconds + 1) * 4000, `caught up after ${caught} ms`);
    s.clicks();
  });
}

for (const stall of [10, 25, 50, 100]) {
  test(`a stall of ${stall} frames is played and caught up`, () => {
    const s = new Sim(tone);
    const tk = new Talker();
    const end = s.talk(tk, 0, 1500, (i) => (i >= 250 && i < 250 + stall ? 40 + (250 + stall - i) * 20 : 40));
    s.hush(tk, end + 40);
    s.run(end);
    const st = s.player.stats();
    assert.ok(st.played >= 1495, `${st.played} played`);
    assert.equal(st.late + st.lost + st.dropped, 0);
    assert.ok(st.delayMs <= 22, `delay is still ${st.delayMs}`);
    assert.ok(st.concealed <= stall && st.concealed >= stall / 2, `${st.concealed} concealed`);
    s.clicks();
  });
}

test('repeated stalls are waited for', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  const end = s.talk(tk, 0, 3000, (i) =>
    i % 200 >= 150 && i % 200 < 170 ? 40 + (170 - (i % 200)) * 20 : 40,
  );
  s.run(12_000);
  const before = s.player.stats();
  s.run(end);
  const st = s.player.stats();
  assert.ok(
    st.concealed - before.concealed <= 5, `${st.concealed - before.concealed} concealed in 12 stalls`,
  );
  assert.equal(st.late, 0);
  s.clicks();
});

test('an outage of 55 s', () => {
  const s = new Sim(ramp);
  const tk = new Talker();
  s.talk(tk, 0, 250, steady);
  tk.media += 55 * 48_000;
  tk.counter += 55 * 50;
  const end = s.talk(tk, 60_000, 250, steady);
  s.run(60_045);
  assert.equal(s.player.active, false);
  s.run(60_080);
  assert.equal(s.player.active, true);
  assert.ok(s.loudness(60_000, 60_080) > 0);
  s.run(end + 1000);
  const st = s.player.stats();
  assert.deepEqual([st.played, st.lost, st.resets], [500, 55 * 50, 1]);
  assert.ok(st.delayMs <= 18, `delay ${st.delayMs}`);
});

test('a short outage keeps the delay', () => {
  for (const frames of [5, 50, 500, 1250]) {
    const s = new Sim(ramp);
    const tk = new Talker();
    s.run(s.talk(tk, 0, 2000, (i) => (i >= 200 && i < 200 + frames ? -1 : 40)));
    const st = s.player.stats();
    assert.deepEqual([st.lost, st.concealed], [frames, frames]);
    assert.ok(st.delayMs <= 18, `${frames} frames lost: delay ${st.delayMs}`);
  }
});

test('overflow drops the oldest', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  // 5 s come at once, after 1 s of play.
  const end = s.talk(tk, 0, 1000, (i) => (i >= 50 && i < 300 ? (300 - i) * 20 + 40 : 40));
  s.run(end + 1000);
  const st = s.player.stats();
  assert.ok(st.dropped >= 50 && st.dropped <= 80, `${st.dropped} dropped`);
  assert.equal(st.played, 1000 - st.dropped);
  assert.ok(st.delayMs <= 22, `delay ${st.delayMs}`);
  s.clicks();
});

test('a suspended reader recovers', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  const end = s.talk(tk, 0, 1500, steady);
  s.run(5000);
  const before = s.player.stats();
  s.now += 1000; // no reads
  s.run(14_000);
  assert.ok(s.player.stats().delayMs <= before.delayMs + 10);
  s.run(end);
  const st = s.player.stats();
  assert.equal(st.dropped + st.late + st.concealed, 0);
  s.clicks();
});

test('a reader that catches up', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  const end = s.talk(tk, 0, 1500, steady);
  s.run(5000);
  // 1 s without reads, then 100 reads at once, then on as before.
  const at = s.now + 1000;
  s.now = at;
  s.step = 1e-3;
  s.run(at + 0.0995);
  [s.step, s.now] = [0, at + 10];
  s.run(end);
  const st = s.player.stats();
  assert.ok(st.delayMs <= 22, `delay ${st.delayMs}`);
  assert.equal(st.late + st.dropped, 0);
  s.clicks();
});

test('a reader in bursts', () => {
  // The device takes 40 ms at a time, as four reads of 10 ms at one instant.
  const s = new Sim(tone);
  const tk = new Talker();
  const end = s.talk(tk, 0, 1500, steady);
  for (let at = 3; at < end; at += 40) {
    [s.now, s.step] = [at, 1e-3];
    s.run(at + 3.5e-3);
  }
  const st = s.player.stats();
  assert.ok(st.concealed <= 8, `${st.concealed} concealed`);
  assert.equal(st.late, 0);
  assert.ok(st.delayMs <= 52, `delay ${st.delayMs}`);
  s.clicks();
});

test('any length of read', () => {
  for (const length of [1, 37, 160, 441, 960, 4800]) {
    const s = new Sim(tone);
    s.length = length;
    const tk = new Talker();
    s.run(s.talk(tk, 0, 500, steady));
    const st = s.player.stats();
    assert.ok(st.concealed <= 20 && st.late === 0, `${length}: ${st.concealed} concealed, ${st.late} late`);
    assert.ok(st.delayMs <= length / 48 + 9, `${length}: delay ${st.delayMs}`);
    s.clicks();
  }
});
