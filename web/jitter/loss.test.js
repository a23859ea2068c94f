import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Player } from './player.js';
import { CLICK, random, Sim, steady, Talker, tone } from './sim.test.js';

test('reordered packets play in order', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  // Every 10th packet is 50 ms late from the start: the buffer must learn to wait, and by then nothing is
  // late.
  const end = s.talk(tk, 0, 1000, (i) => (i % 10 === 3 ? 90 : 40));
  s.run(5000);
  const before = s.player.stats();
  s.run(end + 200);
  const st = s.player.stats();
  assert.equal(st.late, before.late);
  assert.equal(st.lost, 0);
  assert.ok(before.late <= 6, `${before.late} late before the delay had grown`);
  assert.ok(s.inOrder);
  assert.equal(st.played + st.late, 1000);
  s.clicks();
});

test('duplicates are dropped', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  for (let at = 0; at < 2000; at += 20) {
    const p = tk.frame();
    s.send(at, p);
    s.send(at, p);
    s.send(at + 300, p);
  }
  s.run(2500);
  const st = s.player.stats();
  assert.equal(st.played, 100);
  assert.equal(st.duplicate, 200);
  assert.equal(st.late + st.lost, 0);
});

test('loss is concealed and counted', () => {
  for (const minDelay of [0, 15, 40]) {
    const s = new Sim(tone, { minDelay });
    const tk = new Talker();
    const end = s.talk(tk, 0, 1000, (i) => (i % 10 === 7 ? -1 : 40));
    s.hush(tk, end + 40);
    s.run(end + 1000);
    const st = s.player.stats();
    assert.equal(st.lost, 100);
    assert.equal(st.played, 900);
    assert.equal(st.late, 0);
    assert.equal(st.concealed, 100);
    assert.ok(st.accelerated + st.decelerated <= 5, 'loss alone changed the speed');
    assert.equal(s.conceals, 100, 'the decoder was told of every lost frame');
    s.clicks();
  }
});

test('a long loss fades to silence', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  const end = s.talk(tk, 0, 200, (i) => (i >= 50 && i < 75 ? -1 : 40));
  s.hush(tk, end + 40);
  s.run(end + 1000);
  assert.equal(s.loudness(1270, 1500), 0); // frame 50 is due at 1.06 s
  const st = s.player.stats();
  assert.equal(st.concealed, 25);
  assert.equal(st.lost, 25);
  assert.equal(st.played, 175);
  assert.ok(s.conceals <= 3);
  s.clicks();
});

test('60 % loss', () => {
  for (const duration of [10, 20, 40, 60]) {
    const s = new Sim(tone);
    const rnd = random(duration);
    const tk = new Talker();
    tk.duration = duration;
    let sent = 0;
    const end = s.talk(tk, 0, 1500, () => {
      if (rnd() < 0.6) return -1;
      sent++;
      return 40 + 5 * rnd();
    });
    s.hush(tk, end + 40);
    s.run(end + 1000);
    const st = s.player.stats();
    assert.equal(st.played + st.late, sent, `${duration} ms`);
    assert.ok(st.late <= sent / 100, `${duration} ms: ${st.late} late`);
    assert.ok(st.concealed >= ((1500 - sent) * 9) / 10, `${duration} ms: ${st.concealed} concealed`);
    assert.ok(st.delayMs <= 25, `${duration} ms: loss raised the delay to ${st.delayMs}`);
    assert.ok(s.maxStep <= CLICK * 1.5, `${duration} ms: step ${s.maxStep}`);
  }
});

test('frames that the decoder refuses are concealed', () => {
  const s = new Sim(tone);
  s.latency = () => -1;
  const tk = new Talker();
  const end = s.talk(tk, 0, 50, steady);
  s.hush(tk, end + 40);
  s.run(end + 1000);
  const st = s.player.stats();
  assert.equal(st.undecodable, 50);
  assert.equal(st.concealed, 50);
  assert.equal(st.played, 0);
});

test('one refused frame in speech makes no click', () => {
  const s = new Sim(tone);
  let n = 0;
  s.latency = () => (++n % 20 === 0 ? -2 : 2);
  const tk = new Talker();
  s.run(s.talk(tk, 0, 500, steady));
  assert.ok(s.player.stats().undecodable >= 20);
  s.clicks();
});

test('a decoder that never answers is left alone, and memory stays bounded', () => {
  let asked = 0;
  const player = new Player({ decode: () => void asked++ });
  const tk = new Talker();
  const pcm = new Float32Array(480);
  for (let now = 0; now < 60_000; now += 10) {
    if (now % 20 === 0) player.put(tk.frame(), now);
    player.read(pcm, now);
    assert.ok(pcm.every((v) => v === 0));
  }
  assert.ok(asked <= 64, `${asked} requests`);
  const st = player.stats();
  assert.ok(st.bufferedMs < 1000, `${st.bufferedMs} ms held`);
  assert.ok(st.undecodable > 2000);
});

test('a slow decoder is waited for by the lead, not by gaps', () => {
  for (const latency of [0, 1, 8, 30]) {
    const s = new Sim(tone);
    const rnd = random(latency);
    s.latency = () => latency * (0.8 + 0.4 * rnd());
    const tk = new Talker();
    const end = s.talk(tk, 0, 1000, steady);
    s.run(2000);
    const before = s.player.stats();
    s.run(end);
    const st = s.player.stats();
    assert.equal(st.concealed, before.concealed, `${latency} ms`);
    assert.ok(st.delayMs < 15 + latency * 1.2 + 2, `${latency} ms: delay ${st.delayMs}`);
    s.clicks();
  }
});

test('a decoder that starts slowly is not taken for a slow one', () => {
  for (const start of [30, 60, 120, 300]) {
    const s = new Sim(tone);
    let asked = 0;
    s.latency = () => (asked++ === 0 ? start : 2); // what is asked for meanwhile waits for that
    const tk = new Talker();
    const end = s.talk(tk, 0, 250, steady);
    s.run(end);
    const st = s.player.stats();
    assert.equal(st.concealed, 0, `${start} ms`);
    assert.ok(st.leadMs < 5, `${start} ms: lead ${st.leadMs}`);
    assert.ok(st.delayMs < 25, `${start} ms: delay ${st.delayMs}`);
    s.clicks();
  }
});

test('what a busy machine did to the decoder is forgotten soon after, without a gap', () => {
  const s = new Sim(tone);
  let busy = true;
  s.latency = () => (busy ? 60 : 2);
  const tk = new Talker();
  const end = s.talk(tk, 0, 1500, steady);
  s.run(10_000);
  assert.ok(s.player.stats().delayMs > 60);
  busy = false;
  const before = s.player.stats().concealed;
  s.run(25_000);
  const st = s.player.stats();
  assert.ok(st.delayMs < 30, `delay ${st.delayMs}`);
  s.run(end);
  assert.equal(s.player.stats().concealed, before);
  s.clicks();
});

test('invalid packets are counted', () => {
  const player = new Player({ decode: () => {} });
  const payload = new Uint8Array([1]);
  for (const bad of [
    { counter: 1, timestamp: 0, duration: 20 },
    { counter: 1, timestamp: 0, duration: 20, payload: new Uint8Array(1276) },
    { counter: 1, timestamp: 0, duration: 5, payload },
    { counter: 1, timestamp: 0, duration: -20, payload },
    { counter: 1, timestamp: 0, duration: NaN, payload },
    { counter: 2 ** 53, timestamp: 0, payload },
    { counter: -1, timestamp: 0, payload },
    { counter: 1, timestamp: 65_536, payload },
    { counter: 1, timestamp: 0, payload: new Uint8Array([3]) }, // a count byte is missing
  ]) player.put(bad, 1000);
  assert.equal(player.stats().invalid, 9);
  assert.equal(player.stats().received, 0);
});

test('the duration is that of the packet when none is given', () => {
  /** @type {number[]} */ const sizes = [];
  const player = new Player({ decode: (p) => void sizes.push(p?.length ?? 0) });
  player.put({ counter: 1, timestamp: 0, payload: new Uint8Array([0x08, 1, 2]) }, 0); // SILK, 20 ms
  player.put({ counter: 2, timestamp: 8, payload: new Uint8Array([0xf9, 1, 2]) }, 20); // CELT, 2 x 20 ms
  assert.deepEqual(sizes, [3, 3]);
  assert.equal(player.stats().bufferedMs, 60);
});
