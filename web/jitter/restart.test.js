import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sim, steady, Talker, tone } from './sim.test.js';

/** @type {[string, (tk: Talker) => void][]} */
const restarts = [
  ['media time back by 101 frames', (tk) => { tk.media -= 101 * 960; }],
  ['media time back by a minute, counter from 0', (tk) => { tk.media -= 60 * 48_000; tk.counter = 0; }],
  ['media time back by half a second', (tk) => { tk.media -= 24_000; }],
  ['media time ahead by 10 s', (tk) => { tk.media += 480_000; }],
  ['media time ahead by a minute, counter from 0', (tk) => { tk.media += 60 * 48_000; tk.counter = 0; }],
  ['counter from 0', (tk) => { tk.counter = 0; }],
  ['counter far ahead', (tk) => { tk.counter += 2 ** 40; }],
  ['counter near its end', (tk) => { tk.counter = 2 ** 53 - 600; }],
];

for (const [name, restart] of restarts) {
  test(`the talker restarts: ${name}`, () => {
    const s = new Sim(tone);
    const tk = new Talker();
    const at = s.talk(tk, 0, 500, steady);
    restart(tk);
    const end = s.talk(tk, at, 500, steady);
    s.run(at + 150);
    assert.equal(s.player.active, true);
    s.hush(tk, end + 40);
    s.run(end + 1000);
    const st = s.player.stats();
    assert.equal(st.played, 1000);
    assert.equal(st.late + st.lost + st.duplicate, 0);
    assert.ok(st.delayMs <= 19, `delay ${st.delayMs}`);
    s.clicks();
  });
}

test('a small step back is late', () => {
  const s = new Sim(tone);
  const tk = new Talker();
  const at = s.talk(tk, 0, 200, steady);
  const old = new Talker();
  old.counter = tk.counter - 60;
  old.media = tk.media - 60 * 960;
  s.talk(old, at, 50, steady); // once more: duplicates
  s.run(at + 2000);
  let st = s.player.stats();
  assert.deepEqual([st.duplicate, st.played, st.resets], [50, 200, 0]);

  const t = new Sim(tone);
  t.talk(new Talker(), 0, 200, (i) => (i === 100 ? 1000 : 40)); // 50 frames late
  t.run(at);
  st = t.player.stats();
  assert.deepEqual([st.late, st.resets, st.lost], [1, 0, 0]);
});

test('the timestamp wraps for an hour', () => {
  const s = new Sim(tone);
  [s.forget, s.blind, s.length] = [true, true, 4800];
  const tk = new Talker();
  const origin = tk.media;
  let at = 0;
  for (let minute = 0; minute < 60; minute++) {
    const end = s.talk(tk, at, 50, steady);
    for (let next = end; next < at + 60_000; next += 400) {
      s.send(next + 40, tk.marker());
      tk.media += 400 * 48;
    }
    at += 60_000;
    tk.media = origin + at * 48;
  }
  s.run(at);
  const st = s.player.stats();
  assert.equal(st.played, 3000);
  assert.equal(st.lost + st.late + st.resets + st.dropped + st.concealed, 0);
});

test('the first packets are reordered', () => {
  const s = new Sim(tone);
  s.run(s.talk(new Talker(), 0, 100, (i) => (i === 0 ? 64 : 40)) + 100);
  const st = s.player.stats();
  assert.equal(st.lost, 0);
  assert.equal(st.received, st.played + st.late);
});
