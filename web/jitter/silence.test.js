import assert from 'node:assert/strict';
import { test } from 'node:test';
import { random, ramp, Sim, steady, Talker, tone } from './sim.test.js';

test('silence is not loss', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  let at = 0;
  let frames = 0;
  for (let spurt = 0; spurt < 30; spurt++) {
    const end = s.talk(tk, at, 50, steady);
    frames += 50;
    if (spurt % 3 === 0) { // markers and keep-alives
      s.hush(tk, end + 40);
      tk.media += 340 * 48;
      s.send(end + 440, tk.marker());
      tk.media += 400 * 48;
    } else { // no markers at all: only the timestamp jumps; or all four are lost
      if (spurt % 3 === 2) tk.counter += 4;
      tk.media += 800 * 48;
    }
    at = end + 800;
    s.run(end + 300);
    assert.equal(s.player.active, false, `talkspurt ${spurt}`);
    assert.equal(s.loudness(end + 230, end + 300), 0, `talkspurt ${spurt}`);
  }
  s.run(at);
  const st = s.player.stats();
  assert.equal(st.played, frames);
  assert.equal(st.lost, 36);
  assert.equal(st.late + st.resets + st.concealed, 0);
  assert.ok(st.delayMs <= 18, `delay ${st.delayMs}`);
  s.clicks();
});

test('markers stop the player at once', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  const end = s.talk(tk, 0, 50, steady);
  s.hush(tk, end + 40);
  s.run(end);
  assert.equal(s.player.active, true);
  s.run(end + 90);
  assert.equal(s.player.active, false);
  assert.equal(s.loudness(end + 90, end + 1000), 0);
  s.clicks();
});

test('the last frame before a marker is lost', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  const end = s.talk(tk, 0, 50, (i) => (i === 49 ? -1 : 40));
  s.hush(tk, end + 40);
  s.run(end + 1000);
  const st = s.player.stats();
  assert.deepEqual([st.concealed, st.lost, st.played], [1, 1, 49]);
});

test('a talkspurt starts with the target', () => {
  const s = new Sim(ramp);
  const tk = new Talker();
  const rnd = random(3);
  let at = 0;
  for (let i = 0; i < 20; i++) { // the first teaches the jitter, the others start with it
    const end = s.talk(tk, at, 100, () => 40 + 80 * rnd());
    s.hush(tk, end + 40);
    tk.media += 140 * 48;
    at = end + 200;
  }
  s.run(10_000);
  const before = s.player.stats();
  s.run(at);
  const st = s.player.stats();
  assert.ok(st.concealed - before.concealed <= 30, `${st.concealed - before.concealed} concealed`);
  assert.ok(st.delayMs > 40 && st.delayMs < 95, `delay ${st.delayMs}`);
  const changes = st.accelerated + st.decelerated - before.accelerated - before.decelerated;
  assert.ok(changes <= 20, `${changes} changes of speed, although there was silence to change the delay in`);
});

test('a short pause stays when behind', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  // Two talkspurts with 2 s of silence between come in one burst: both are played, the silence is cut short.
  for (let i = 0; i < 2; i++) {
    s.talk(tk, 0, 25, (k) => 1000 - k * 20);
    s.send(1000, tk.marker());
    tk.media += 96_000;
  }
  s.run(3000);
  const st = s.player.stats();
  assert.deepEqual([st.played, st.dropped, st.concealed], [50, 0, 0]);
  assert.equal(s.loudness(2250, 3000), 0);
  s.clicks();
});

test('pre-rolls are not taken for stalls', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  let at = 0;
  // Every talkspurt opens with 200 ms of sound from before, at once.
  for (let spurt = 0; spurt < 30; spurt++) {
    const end = s.talk(tk, at, 60, (i) => 40 + Math.max(0, 200 - 20 * i));
    s.hush(tk, end + 40);
    tk.media += 440 * 48;
    at = end + 500;
  }
  s.run(at);
  const st = s.player.stats();
  assert.equal(st.played, 1800);
  assert.equal(st.concealed + st.late + st.lost, 0);
  assert.ok(st.targetMs < 25, `target ${st.targetMs}`);
  s.clicks();
});
