import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mediaOf, random, ramp, Sim, steady, Talker, TONE_STEP, tone } from './sim.test.js';

test('a clean network adds little', () => {
  for (const jitter of [0, 1, 3]) {
    for (let phase = 0; phase < 10; phase += 2.3) {
      const s = new Sim(ramp);
      s.now = phase;
      const rnd = random(phase * 10);
      const tk = new Talker();
      /** @type {Map<number, number>} */ const put = new Map();
      const first = tk.media;
      const end = s.talk(tk, 100, 500, (i) => {
        const d = 40 + jitter * (2 * rnd() - 1);
        put.set(first + i * 960, 100 + i * 20 + d);
        return d;
      });
      s.hush(tk, end + 40);
      s.run(end + 1000);
      // By the output alone: in which read did the first sample of each frame leave?
      const delays = [];
      for (const { at, pcm } of s.reads) {
        pcm.forEach((sample, i) => {
          const media = mediaOf(sample);
          const frame = first + Math.floor((media - first) / 960) * 960;
          const arrived = put.get(frame);
          if (sample === 0 || arrived === undefined || media - frame > 8) return; // 8: resolution of the ramp
          delays.push(at + i / 48 - arrived);
          put.delete(frame);
        });
      }
      const st = s.player.stats();
      assert.equal(st.played, 500);
      assert.equal(st.lost + st.late + st.concealed + st.accelerated + st.decelerated, 0);
      assert.ok(delays.length >= 450);
      const mean = delays.reduce((a, b) => a + b, 0) / delays.length;
      assert.ok(mean <= 19, `jitter ${jitter}, phase ${phase}: mean delay ${mean}`);
    }
  }
});

test('delay grows quickly and shrinks slowly', () => {
  const s = new Sim(tone);
  const rnd = random(9);
  // 10 s clean, 20 s with up to 120 ms of jitter, 60 s clean.
  s.talk(new Talker(), 0, 4500, (i) => (i >= 500 && i < 1500 ? 40 + 120 * rnd() : 40));
  s.run(10_000);
  assert.ok(s.player.stats().targetMs <= 15);
  s.run(11_000);
  assert.ok(s.player.stats().targetMs >= 100);
  s.run(13_000);
  const before = s.player.stats();
  s.run(30_000);
  let st = s.player.stats();
  const frames = st.played + st.late - before.played - before.late;
  const bad = st.concealed + st.late - before.concealed - before.late;
  assert.ok(bad <= (frames * 2) / 100, `${bad} of ${frames} frames late or concealed`);
  s.run(35_000);
  assert.ok(s.player.stats().targetMs >= 100, 'the target fell too soon');
  s.run(75_000);
  st = s.player.stats();
  assert.ok(st.targetMs <= 15 && st.delayMs <= 19, `45 s after the jitter: ${st.targetMs}, ${st.delayMs}`);
  s.clicks();
});

test('the route changes', () => {
  for (const shift of [200, -200]) {
    const s = new Sim(tone, { minDelay: 15 });
    s.run(s.talk(new Talker(), 0, 2500, (i) => (i >= 500 ? 300 + shift : 300)));
    const st = s.player.stats();
    assert.ok(st.delayMs <= 34, `${shift}: delay ${st.delayMs}`);
    assert.equal(st.dropped + st.late, 0);
    assert.ok(st.concealed <= 12);
    s.clicks();
  }
});

test('the target has bounds', () => {
  const rnd = random(11);
  const s = new Sim(tone, { minDelay: 100, maxDelay: 300 });
  s.talk(new Talker(), 0, 1000, (i) => (i < 300 ? 40 : 40 + 900 * rnd()));
  s.run(6000);
  assert.equal(s.player.stats().targetMs, 110 + s.player.stats().leadMs);
  assert.ok(s.player.stats().delayMs >= 100);
  s.run(20_000);
  assert.equal(s.player.stats().targetMs, 310 + s.player.stats().leadMs);
  s.clicks();
});

test('time scaling is smooth', () => {
  // The least delay is changed up and down in unbroken speech.
  const s = new Sim(tone);
  const end = s.talk(new Talker(), 0, 1500, steady);
  [0, 200, 0, 100, 30].forEach((d, i) => {
    s.player.setMinDelay(d);
    s.run((i + 1) * 5000);
  });
  s.run(end);
  const st = s.player.stats();
  assert.ok(st.accelerated > 0 && st.decelerated > 0);
  assert.equal(st.concealed + st.late, 0);
  assert.ok(st.played >= 1490);
  assert.ok(st.delayMs >= 38 && st.delayMs <= 48, `delay ${st.delayMs}`);
  s.clicks();
});

test('jitter is that of RFC 3550', () => {
  const s = new Sim(tone);
  // Transit alternates by 8 ms, so |D| is always 8 ms and J converges to it.
  s.run(s.talk(new Talker(), 0, 500, (i) => 40 + 8 * (i % 2)));
  const { jitterMs } = s.player.stats();
  assert.ok(jitterMs >= 7.9 && jitterMs <= 8, `${jitterMs}`);
});

// Drift that nothing follows is 36 ms by then, and the delay may change by 3.
const MINUTES = 3;

for (const [name, talker, reader] of /** @type {[string, number, number][]} */ ([
  ['fast talker', 200e-6, 0],
  ['slow talker', -200e-6, 0],
  ['fast reader', 0, 200e-6],
  ['slow reader', 0, -200e-6],
  ['both', 200e-6, -200e-6],
])) {
  test(`clock drift, ${name}`, () => {
    const s = new Sim(tone);
    s.forget = true;
    const rnd = random(5);
    s.step = 10 / (1 + reader);
    const n = MINUTES * 3000;
    const end = s.talk(new Talker(), 0, n, (i) => 240 - (i * 20 * talker) / (1 + talker) + 4 * rnd() - 2);
    const delays = [];
    for (let at = 30_000; at < end - 1000; at += 30_000) {
      s.run(at);
      delays.push(s.player.stats().delayMs);
      assert.ok(s.player.stats().bufferedMs <= 60, 'memory grew');
    }
    const st = s.player.stats();
    assert.equal(st.lost + st.late + st.concealed + st.accelerated + st.decelerated, 0, 'drift was heard');
    for (const d of delays) assert.ok(Math.abs(d - delays[0]) <= 3, `delays ${delays}`);
    s.clicks(TONE_STEP * 1.3); // the start fades in
  });
}

test('drift across half an hour of silence', () => {
  for (const ppm of [200e-6, -200e-6]) {
    const s = new Sim(tone);
    [s.forget, s.blind, s.length] = [true, true, 4800];
    const tk = new Talker();
    let at = s.talk(tk, 0, 100, steady) + 40;
    for (let i = 0; i < 4500; i++) {
      s.send(at, tk.marker());
      tk.media += 400 * 48;
      at += 400 / (1 + ppm);
    }
    s.talk(tk, at, 100, steady);
    s.run(at - 5000);
    s.length = 480;
    s.run(at + 4000);
    const st = s.player.stats();
    assert.ok(st.delayMs <= 22, `delay ${st.delayMs}`);
    assert.equal(st.played, 200);
    assert.equal(st.resets + st.late + st.lost, 0);
  }
});
