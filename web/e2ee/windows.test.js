import assert from 'node:assert/strict';
import {test} from 'node:test';

import {Step} from './generation.js';
import {MadeKey, Party, at, chain, heard, unheard} from './talker-party.test.js';
import {MAX_JUMP, MAX_WINDOWS, ReplayWindows} from './windows.js';

const good = MadeKey.good;
const party = (/** @type {string} */ name) => Party.create(name);

test('each frame of 256 streams is taken at most once, in bounded memory', () => {
  const windows = new ReplayWindows();
  const taken = new Set();
  const next = new Array(256).fill(0);
  let seed = 1;
  const random = (/** @type {number} */ below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  for (let round = 0; round < 100_000; round++) {
    const stream = random(3) ? random(20) : random(256); // some talk more than others
    const ctr = random(10) ? next[stream] + random(4) : random(next[stream] + 1);
    const verdict = windows.accept(stream, ctr);
    const key = `${stream}/${ctr}`;
    if (verdict === 'new' && taken.has(key)) assert.fail(`${key} was taken twice`);
    if (verdict !== 'new' && ctr > next[stream]) assert.fail(`${key} is new: ${verdict}`);
    if (verdict !== 'new') continue;
    taken.add(key);
    next[stream] = Math.max(next[stream], ctr);
  }
  assert.deepEqual(windows.sizes, {recent: MAX_WINDOWS, floors: 256 - MAX_WINDOWS});
  windows.rest(); // it left
  assert.deepEqual(windows.sizes, {recent: 0, floors: 256});
  for (const key of taken) {
    const [stream, ctr] = key.split('/').map(Number);
    assert.notEqual(windows.accept(stream, ctr), 'new', `${key} was taken again later`);
  }
});

test('frames far ahead are refused and change nothing', () => {
  const windows = new ReplayWindows();
  const far = 2 ** 40;
  for (const [ctr, want] of /** @type {[number, string][]} */ ([
    [far, 'new'], [far + MAX_JUMP + 1, 'ahead'], [far + MAX_JUMP, 'new'], [far + 1, 'replayed'],
    [far + MAX_JUMP, 'replayed'],
  ]))
    assert.equal(windows.accept(0, ctr), want);
  windows.rest();
  const highest = far + MAX_JUMP;
  assert.equal(windows.accept(0, highest + MAX_JUMP + 1), 'ahead');
  assert.equal(windows.accept(0, highest), 'replayed');
  assert.equal(windows.accept(0, highest + 2), 'new');
  assert.equal(windows.accept(0, highest + 1), 'new', 'it came late');
});

test('what was taken is not taken again when the talker, who never left, sends its key again', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const [w] = await chain('one');
  await b.takes(a, await good(1, 0, 0, w), at(0));
  const frames = await Promise.all(
    [
      [0, 5], [255, 7],
    ].map(async ([stream, ctr]) => (await good(1, 0, 0, w)).frame(a, stream, ctr)),
  );
  for (const f of frames) {
    await heard(f, 'words', at(0), b);
    assert.equal(b.listener.record(f.kid, f.ctr), 'new');
  }
  b.listener.sync(new Set(), at(1)); // says the relay
  b.listener.expire(at(12));
  await unheard(frames[0], 'no_key', at(12), b);
  await b.takes(a, await good(2, 0, 0, w), at(14));
  for (const f of frames) {
    await heard(f, 'words', at(14), b);
    assert.equal(b.listener.record(f.kid, f.ctr), 'replayed');
  }
  assert.equal(b.listener.record(frames[0].kid, 6), 'new');
  b.listener.close();
  assert.equal(b.listener.record(frames[0].kid, 7), 'replayed');
});

test('who was forgotten is heard again when it is back, and nothing of before is', async () => {
  const [a, b, c] = [await party('a'), await party('b'), await party('c')];
  c.hash.set(a.hash.subarray(0, 6)); // an id can be searched for
  const [w] = await chain('one');
  const [other] = await chain('two');
  await b.takes(a, await good(7, 0, 3, w), at(0));
  const frame = (/** @type {number} */ stream, /** @type {number} */ ctr) =>
    good(7, 0, 3, w).then((k) => k.frame(a, stream, ctr));
  const taken = await Promise.all([frame(0, 5), frame(255, 7)]);
  for (const f of taken) assert.equal(b.listener.record(f.kid, f.ctr), 'new');
  b.listener.sync(new Set(), at(1));
  await b.takes(c, await good(1, 0, 0, other), at(2));
  b.listener.sync(new Set(), at(3));
  await assert.rejects(b.takes(a, await good(7, 0, 3, w), at(4)), {code: 'known_key'});
  await assert.rejects(b.takes(a, await good(8, 0, 2, w), at(4)), /went back/);
  await b.takes(a, await good(8, 0, 3, w), at(4));
  for (const f of [...taken, await frame(0, 4)]) {
    await heard(f, 'words', at(4), b);
    assert.equal(b.listener.record(f.kid, f.ctr), 'replayed');
  }
  assert.equal(b.listener.record(taken[0].kid, 6), 'new');
  assert.equal(b.listener.record(taken[1].kid, 8), 'new');
  for (let number = 1; number < 8; number++) {
    await assert.rejects(b.takes(a, await good(number, 0x10, 3, other), at(4)), {code: 'known_key'});
  }
});

test('a talker of 256 streams binds no more keys than it may need at once', async () => {
  const step = new Step(0, 0, new Uint8Array(32));
  const key = /** @type {any} */ ({open: async () => new Uint8Array(1)});
  for (let stream = 0; stream < 256; stream++) await step.open(stream, async () => key, 0, new Uint8Array(9));
  assert.deepEqual([...step.keys.keys()], Array.from({length: MAX_WINDOWS}, (_, i) => 240 + i));
});
